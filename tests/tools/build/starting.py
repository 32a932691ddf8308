"""One start of a door from the built artifact, in an interpreter that has nothing else in reach. Made once each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.environment import DEPLOYMENT
from tools.build.artifact import ROOT, Variant

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}

COUNT = """
import json, sys
steps = 0
def step(frame, event, argument):
    global steps
    steps += 1
sys.setprofile(step)
exec({what!r})
sys.setprofile(None)
print(json.dumps([steps, {shown}]))
"""


@dataclass(frozen=True)
class Start:
    """What importing a handler took, and where it was found."""

    steps: int
    is_callable: bool
    door: Path
    shared: Path


def import_path(variant: Variant, function: str) -> list[Path]:
    """What Lambda puts on the path of a function: its code and its layers."""
    layers = [layer.relative_to(ROOT) for layer in DEPLOYMENT.functions[function].layers]
    return [variant.functions, *(variant.target / layer / "python" for layer in layers)]


def counted(what: str, path: str, environment: Mapping[str, str], shown: str = "None", folder: Path = ROOT) -> Any:
    """Python's calls and returns while `what` is carried out, and the value of `shown` after it. `-S` keeps every
    package of the development environment out of reach."""
    run = subprocess.run(
        [sys.executable, "-S", "-c", COUNT.format(what=what, shown=shown)],
        env={**KEYS, **environment, "PYTHONPATH": path}, cwd=folder,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@cache
def start(variant: Variant, function: str) -> Start:
    module, _, attribute = DEPLOYMENT.functions[function].handler.rpartition(".")
    found = counted(
        f"import {module} as door, tollgate",
        os.pathsep.join(map(str, import_path(variant, function))),
        DEPLOYMENT.environment(function),
        f"[callable(door.{attribute}), door.__file__, tollgate.__file__]",
        variant.target,
    )
    steps, (is_callable, door, shared) = found
    return Start(steps, is_callable, Path(door), Path(shared))
