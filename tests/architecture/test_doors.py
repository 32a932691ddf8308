"""Doors and their template blocks agree, and a door loads its own group and nothing of its neighbours.

Each door is really imported, under the variables that the template gives its function and no others.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from local import template
from tests.architecture import code_base, edges
from tests.architecture.code_base import ROOT, Module

SANDBOX = template.load(ROOT / "template.yaml", {"Environment": "sandbox"})
FUNCTIONS = sorted(SANDBOX.functions)
pytestmark = pytest.mark.xdist_group("doors")  # one worker imports them all, once
BASE_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_SECRET_ACCESS_KEY": "test",
    "PATH": os.environ["PATH"],
    "PYTHONPATH": os.pathsep.join([str(code_base.FUNCTIONS), str(code_base.SHARED)]),
}


def _door_of(function: str) -> str:
    """`vault.tokens.handler` for the handler `vault.tokens.handler.handler`."""
    return SANDBOX.functions[function].handler.rpartition(".")[0]


@cache
def _probed() -> dict[str, dict[str, Any]]:
    asked = {_door_of(function): SANDBOX.environment(function) for function in FUNCTIONS}
    program = ROOT / "tests" / "architecture" / "door_probe.py"
    run = subprocess.run(
        [sys.executable, str(program)],
        input=json.dumps(asked),
        env=BASE_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_handler_resolves(function: str) -> None:
    module_name, _, attribute = SANDBOX.functions[function].handler.rpartition(".")
    modules = {module.name: module for module in code_base.doors()}
    assert module_name in modules
    assert attribute in _defined_names(modules[module_name])


def _defined_names(module: Module) -> set[str]:
    found = {node.name for node in module.tree.body if isinstance(node, ast.FunctionDef)}
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_every_door_is_in_the_template() -> None:
    in_template = {_door_of(function) for function in FUNCTIONS}
    assert {module.name for module in code_base.doors()} == in_template


@pytest.mark.parametrize("function", FUNCTIONS)
def test_door_imports_with_the_variables_it_is_given(function: str) -> None:
    error = _probed()[_door_of(function)]["error"]
    assert error is None, f"\n{error}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_is_given_what_it_reads_and_nothing_else(function: str) -> None:
    given = set(SANDBOX.functions[function].environment)
    read = set(_probed()[_door_of(function)]["settings"])
    assert given - read == set(), "given and never read"
    assert read - given == set(), "read and not given"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_door_loads_no_foreign_group(function: str) -> None:
    """Every module of another group costs this function's cold start, so it takes a declared edge."""
    door = _door_of(function)
    own = code_base.group_of(door)
    loaded = {code_base.group_of(name) for name in _probed()[door]["modules"]} - {own, None}
    assert loaded <= _reachable_from(own)


def _reachable_from(group: str | None) -> set[str]:
    found: set[str] = set()
    waiting = [group]
    while waiting:
        source = waiting.pop()
        fresh = {target for start, target in edges.EDGES if start == source} - found
        found |= fresh
        waiting.extend(fresh)
    return found
