"""The documents against the running stack: generated requests get only answers that the document describes."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.stack import Stack
from tollgate.dialects.risk import ALL_SCOPES

# A document cannot say that a PAN has a check digit or which country codes are assigned, so "valid data is accepted" is
# the one check that is left out; every other one holds.
NOT_EXPRESSIBLE = "positive_data_acceptance"

# The proxy says 407 where others say 401. A preflight is granted before anything is looked at, whatever it asks for.
CONFIGURATION = """
[checks.missing_required_header]
expected-statuses = [400, 401, 403, 406, 407, 415, 422]

[[operations]]
include-method = "OPTIONS"
enabled = false

# Of the risk document: a third of all systematic requests would go to decisions, half to objects that are not there.
# Random ones take their place.
[[operations]]
include-path-regex = "^/api/(decisions$|.*[{])"
phases.coverage.enabled = false
"""


def api_key(stack: Stack) -> str:
    return f"x-api-key: {stack.credentials()['vault']['api_key']}"


def access_token(stack: Stack) -> str:
    risk = stack.credentials()["risk"]
    basic = base64.b64encode(f"{risk['client_id']}:{risk['client_secret']}".encode()).decode()
    form = {"grant_type": "client_credentials", "scope": " ".join(ALL_SCOPES), "audience": risk["audience"]}
    headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
    answer = stack.send("POST", "/oauth2/token", headers=headers, body=urlencode(form).encode())
    return f"authorization: Bearer {answer.json['access_token']}"


@pytest.mark.parametrize(
    ("document", "credential", "examples"),
    [("vault", api_key, "2"), ("risk", access_token, "2")],
    ids=["vault", "risk"],
)
def test_every_answer_is_as_documented(
    stack: Stack, document: str, credential: Callable[[Stack], str], examples: str, tmp_path: Path
) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    ran = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"), "run", f"{stack.base_url}/openapi/{document}.json",
            "--header", credential(stack),
            "--checks", "all", "--exclude-checks", NOT_EXPRESSIBLE,
            "--phases", "coverage,fuzzing", "--max-examples", examples, "--workers", "1", "--seed", "20260101",
            "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-8000:]
    assert " passed" in ran.stdout
