"""A door starts with at most 1.7 times the work that `import boto3` and one client take, as it is deployed.

Work is counted, not timed: Python's calls and returns while a fresh interpreter imports the handler from the built
artifact. The count is the same on every run and every machine, so this test never fails for a busy one. What it comes
to in time is measured by `make bench`: about three quarters of the ratio here, because the artifact's botocore data is
trimmed, so that 1.7 in work is 1.3 in time.
"""

from __future__ import annotations

import sysconfig
from functools import cache
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.tools.build.starting import counted, start
from tools.build.artifact import Variant

BUDGET = 1.7
FUNCTIONS = sorted(DEPLOYMENT.functions)
REFERENCE = "import boto3; boto3.client('dynamodb')"


def _steps(what: str) -> int:
    """With botocore as anybody installs it, with its data and its bytecode."""
    found: Any = counted(what, sysconfig.get_paths()["purelib"], {})
    return int(found[0])


@cache
def _reference() -> int:
    return _steps(REFERENCE)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_start_up_stays_within_budget(host_artifact: Variant, function: str) -> None:
    assert start(host_artifact, function).steps <= BUDGET * _reference()


def test_the_count_sees_a_slow_door() -> None:
    slow = REFERENCE + "; [boto3.session.Session().client(name) for name in ('ec2', 's3', 'sqs', 'lambda')]"
    assert _steps(slow) > BUDGET * _reference()
