"""The search for secrets finds them in every form it knows, and lets words and pins pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import hygiene

RANDOM = (
    "q7Zk2" + "VbX9t" + "LmR4wY" + "8sNc1" + "PdHf6" + "JgTe3"
)  # in pieces, so that this file passes its own search
SECRETS = [
    "-----BEGIN RSA " + "PRIVATE KEY-----",
    "-----BEGIN " + "PRIVATE KEY-----",
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "ghp_" + "a1B2" * 9,
    "sk_live_" + "0123456789abcdef",
    "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "postgres://admin:" + "hunter2hunter2@host/db",
    f'api_key = "{RANDOM}"',
    f'"client_secret": "{RANDOM}"',
]
HARMLESS = [
    "x-api-key: put the key of .local/credentials.json here",
    'token_id = "0b0f9d0e-4c40-4c58-9d6c-6a1a4ab0a001"',
    'secret_name = "the-name-of-the-secret-and-nothing-else"',
    "--hash=sha256:63bf2ead4c879426ebf22ef2a781eeb4aa3b4ae798a0435506f8687fd5bb9b63",
    "https://user:@host/",
    f'api_key = "{RANDOM}"  # {hygiene.PARDON}: made up for a test',
]


def _complaints(tmp_path: Path, line: str) -> list[str]:
    path = tmp_path / "file"
    path.write_text(f"first line\n{line}\n", "utf-8")
    return list(hygiene.complaints(path))


@pytest.mark.parametrize("line", SECRETS)
def test_secret_is_found_and_not_repeated(tmp_path: Path, line: str) -> None:
    found = _complaints(tmp_path, line)
    assert found
    assert all(complaint.startswith("2: ") and line not in complaint for complaint in found)


@pytest.mark.parametrize("line", HARMLESS)
def test_harmless_line_passes(tmp_path: Path, line: str) -> None:
    assert _complaints(tmp_path, line) == []


def test_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"\0" * (hygiene.LARGEST_BYTES + 1))
    assert list(hygiene.complaints(path)) == [f"0: {hygiene.LARGEST_BYTES + 1} bytes, at most {hygiene.LARGEST_BYTES}"]


def test_published_document_may_be_larger(tmp_path: Path) -> None:
    path = tmp_path / "openapi" / "family.json"
    path.parent.mkdir()
    path.write_bytes(b" " * (hygiene.LARGEST_BYTES + 1))
    assert list(hygiene.complaints(path)) == []


def test_binary_file_is_not_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\0" + SECRETS[0].encode())
    assert list(hygiene.complaints(path)) == []


def test_exit_code_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.write_text(SECRETS[2], "utf-8")
    good.write_text("nothing", "utf-8")
    assert hygiene.main([str(good)]) == 0
    assert hygiene.main([str(good), str(bad)]) == 1
    assert capsys.readouterr().out == f"{bad}:1: an AWS access key\n"


def test_the_repository_passes() -> None:
    assert hygiene.main([]) == 0
