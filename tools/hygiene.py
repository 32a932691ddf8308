"""Looks for what must not enter the repository: secrets, and files too large to review. The pre-commit hook calls it.

`python -m tools.hygiene [file …]`; without files, everything that git knows. A line that only looks like a secret is
marked `not-a-secret` in a comment, with the reason beside it.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST_BYTES = 500_000
LARGEST_DOCUMENT_BYTES = 5_000_000  # of the generated OpenAPI documents; an answer of Lambda ends at 6 MB
PARDON = "not-a-secret"

# What issuers of credentials give a recognisable form.
_KNOWN_FORMS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "a token of a code host": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}|glpat-[\w-]{20,})"),
    "a live key of a payment provider": re.compile(r"\b(?:sk|rk|pk)_live_[A-Za-z0-9]{16,}"),
    "a webhook secret": re.compile(r"\bwhsec_[A-Za-z0-9+/=]{24,}"),
    "a chat token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "a signed token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+]*://[^\s/:@{}$<>]+:[^\s/@{}$<>]{8,}@"),
}

# Anything random that is given to a name like a secret's.
_ASSIGNED = re.compile(
    r"(?i)(?:secret|passw(?:or)?d|api_?key|access_?key|private_?key|token)\w*[\"']?\s*[:=]\s*[\"']([A-Za-z0-9+/_=.-]{24,})[\"']"
)
_RANDOM_BITS_PER_CHARACTER = 4.0


def complaints(path: Path) -> Iterator[str]:
    """What is wrong with one file, as `line: what`, without the secret itself."""
    content = path.read_bytes()
    most = LARGEST_DOCUMENT_BYTES if path.parent.name == "openapi" and path.suffix == ".json" else LARGEST_BYTES
    if len(content) > most:
        yield f"0: {len(content)} bytes, at most {most}"
    if b"\0" in content[:8000]:
        return
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if PARDON not in line:
            yield from (f"{number}: {kind}" for kind, form in _KNOWN_FORMS.items() if form.search(line))
            yield from (f"{number}: a random value under a secret's name" for _ in _random_values(line))


def _random_values(line: str) -> list[str]:
    return [value for value in _ASSIGNED.findall(line) if bits_per_character(value) >= _RANDOM_BITS_PER_CHARACTER]


def bits_per_character(text: str) -> float:
    """Shannon's entropy of the characters; words stay below 4, random base64 of 32 characters lies above."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


def committed_files() -> list[Path]:
    """Everything that git knows or would take on."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def main(arguments: list[str]) -> int:
    files = [Path(name) for name in arguments] or committed_files()
    found = [f"{path}:{complaint}" for path in files if path.is_file() for complaint in complaints(path)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
