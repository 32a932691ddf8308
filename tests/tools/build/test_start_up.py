"""A door starts with at most 1.7 times the work that `import boto3` and one client take, as it is deployed.

Work is counted, not timed: Python's calls and returns while a fresh interpreter imports the handler from the built
artifact. The count is the same on every run and every machine, so this test never fails for a busy one. What it comes
to in time is measured by `make bench`: about three quarters of the ratio here, because the artifact's botocore data is
trimmed, so that 1.7 in work is 1.3 in time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from functools import cache

import pytest

from tests.support.environment import DEPLOYMENT
from tools.build.artifact import ROOT, Variant

BUDGET = 1.7
FUNCTIONS = sorted(DEPLOYMENT.functions)

COUNT = """
import sys
steps = 0
def step(frame, event, argument):
    global steps
    steps += 1
sys.setprofile(step)
exec({what!r})
sys.setprofile(None)
print(steps)
"""
REFERENCE = "import boto3; boto3.client('dynamodb')"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}


def _steps(what: str, path: str, environment: dict[str, str]) -> int:
    command = [sys.executable, "-S", "-c", COUNT.format(what=what)]
    run = subprocess.run(
        command, env={**KEYS, **environment, "PYTHONPATH": path}, capture_output=True, text=True, check=True, timeout=60
    )
    return int(run.stdout)


@cache
def _reference() -> int:
    """botocore as anybody installs it, with its data and its bytecode."""
    return _steps(REFERENCE, sysconfig.get_paths()["purelib"], {})


def _door(artifact: Variant, function: str) -> int:
    """One start of a door, with the code and the layers that its function has."""
    layers = [artifact.target / layer.relative_to(ROOT) / "python" for layer in DEPLOYMENT.functions[function].layers]
    path = os.pathsep.join(map(str, (artifact.functions, *layers)))
    module = DEPLOYMENT.functions[function].handler.rpartition(".")[0]
    return _steps(f"import {module}", path, DEPLOYMENT.environment(function))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_start_up_stays_within_budget(host_artifact: Variant, function: str) -> None:
    assert _door(host_artifact, function) <= BUDGET * _reference()


def test_the_count_sees_a_slow_door() -> None:
    slow = REFERENCE + "; [boto3.session.Session().client(name) for name in ('ec2', 's3', 'sqs', 'lambda')]"
    assert _steps(slow, sysconfig.get_paths()["purelib"], {}) > BUDGET * _reference()
