"""A door starts within 1.3 times what `import boto3` and one client take, in the artifact as it is deployed.

Measured is CPU time inside fresh interpreters, taken in turns with the reference, so that a busy machine slows both;
the median of the ratios decides. A door over budget is measured again before it is called slow.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import sysconfig

import pytest

from tests.support.environment import DEPLOYMENT
from tools.build.artifact import ROOT, Variant

BUDGET = 1.3
ROUNDS = 3
MOST_ROUNDS = 9
DOORS_PER_REFERENCE = 4
FUNCTIONS = sorted(DEPLOYMENT.functions)

MEASURE = "import time; start = time.process_time(); {what}; print(time.process_time() - start)"
REFERENCE = "import boto3; boto3.client('dynamodb')"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}


def _cpu_seconds(what: str, path: str, environment: dict[str, str]) -> float:
    command = [sys.executable, "-S", "-c", MEASURE.format(what=what)]
    run = subprocess.run(
        command, env={**KEYS, **environment, "PYTHONPATH": path}, capture_output=True, text=True, check=True, timeout=60
    )
    return float(run.stdout)


def _reference() -> float:
    """botocore as anybody installs it, with its data and its bytecode."""
    return _cpu_seconds(REFERENCE, sysconfig.get_paths()["purelib"], {})


def _door(artifact: Variant, function: str) -> float:
    """One start of a door, with the code and the layers that its function has."""
    layers = [artifact.target / layer.relative_to(ROOT) / "python" for layer in DEPLOYMENT.functions[function].layers]
    path = os.pathsep.join(map(str, (artifact.functions, *layers)))
    module = DEPLOYMENT.functions[function].handler.rpartition(".")[0]
    return _cpu_seconds(f"import {module}", path, DEPLOYMENT.environment(function))


@pytest.fixture(scope="session")
def first_look(host_artifact: Variant) -> dict[str, list[float]]:
    """A few ratios for every function, taken in rounds so that a slow minute of the machine touches all alike."""
    ratios: dict[str, list[float]] = {function: [] for function in FUNCTIONS}
    for _ in range(ROUNDS):
        for first in range(0, len(FUNCTIONS), DOORS_PER_REFERENCE):
            reference = _reference()
            for function in FUNCTIONS[first : first + DOORS_PER_REFERENCE]:
                ratios[function].append(_door(host_artifact, function) / reference)
    return ratios


@pytest.mark.parametrize("function", FUNCTIONS)
def test_start_up_stays_within_budget(
    host_artifact: Variant, first_look: dict[str, list[float]], function: str
) -> None:
    ratios = list(first_look[function])
    while statistics.median(ratios) > BUDGET and len(ratios) < MOST_ROUNDS:
        ratios += [_door(host_artifact, function) / _reference() for _ in range(2)]
    assert statistics.median(ratios) <= BUDGET, [round(ratio, 2) for ratio in ratios]


def test_the_measurement_sees_a_slow_door(host_artifact: Variant) -> None:
    """Without the trimmed data and with twice the clients a start is clearly slower; the method must show it."""
    path = sysconfig.get_paths()["purelib"]
    slow = REFERENCE + "; [boto3.session.Session().client(name) for name in ('ec2', 's3', 'dynamodb', 'lambda')]"
    ratios = [_cpu_seconds(slow, path, {}) / _reference() for _ in range(ROUNDS)]
    assert statistics.median(ratios) > BUDGET
