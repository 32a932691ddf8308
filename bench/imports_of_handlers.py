"""How long a function takes to start: importing its handler from the artifact, against boto3 with one client."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

from bench import report
from bench.worker import BUILT
from tests.support import environment

ROUNDS = 9
BASE = "import boto3; boto3.client('dynamodb')"
LATER = {"vault.acquiring, and Stripe's SDK": "import vault.acquiring.worker, vault.acquirer_stripe.service"}
"""What a function loads when it is first needed, and not at its start."""
_ROOT = Path(__file__).resolve().parents[1]


def _seconds(code: str, variables: dict[str, str]) -> float:
    """CPU seconds (user and system) of a fresh interpreter that runs `code`."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], env=variables, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def run() -> list[report.Table]:
    layers = [BUILT / "layers" / name / "python" for name in ("shared", "dependencies", "stripe")]
    path = [BUILT / "functions", *layers]
    variables = {
        "PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "-",
        "AWS_SECRET_ACCESS_KEY": "-", "PYTHONPATH": os.pathsep.join(map(str, path)), **environment.variables(),
    }  # fmt: skip
    plain = {name: value for name, value in variables.items() if name != "PYTHONPATH"}
    handlers = sorted({function.handler.rpartition(".")[0] for function in environment.DEPLOYMENT.functions.values()})
    programs = {**{handler: f"import {handler}" for handler in handlers}, **LATER}
    figures: dict[str, list[float]] = {name: [] for name in ("empty", "base", *programs)}
    for _ in range(ROUNDS):
        figures["empty"].append(_seconds("pass", plain))
        figures["base"].append(_seconds(BASE, plain))
        for name, program in programs.items():
            figures[name].append(_seconds(program, variables))
    median = {name: statistics.median(values) for name, values in figures.items()}
    base = median["base"] - median["empty"]
    rows = [["boto3 and a DynamoDB client", f"{base * 1000:.0f}", "1.00"]]
    for name in programs:
        own = median[name] - median["empty"]
        rows.append([re.sub(r"\.(handler|worker)$", "", name), f"{own * 1000:.0f}", f"**{own / base:.2f}**"])
    return [
        report.Table(
            "Start of every function",
            "CPU milliseconds to import a handler from the built artifact (bytecode, trimmed botocore data), clients "
            f"included, in fresh interpreters: median of {ROUNDS} in turns, an empty interpreter taken off. Aim: 1.3.",
            ["function", "ms", "ratio"], rows,
        )
    ]  # fmt: skip
