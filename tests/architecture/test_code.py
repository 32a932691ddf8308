"""Every module keeps every rule of rules.py that applies to it, or is exempt with a reason in edges.py."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture import code_base, edges, rules
from tests.architecture.code_base import ROOT, Module
from tests.architecture.rules import Rule

_UNFINISHED = re.compile(r"\bTO" + r"DO\b|\bFIX" + r"ME\b|(?:#|//|<!--)\s*(?:X" + r"XX|HA" + r"CK)\b")

PYTHON_FOLDERS = ("functions", "layers", "local", "tools", "bench", "tests")


def _all_python() -> list[Module]:
    paths = sorted(path for folder in PYTHON_FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return [
        Module(path, ".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in paths
        if "node_modules" not in path.parts
    ]


def _expect_none(complaints: list[str]) -> None:
    assert not complaints, "\n" + "\n".join(complaints)


def _broken(rule: Rule, modules: Iterable[Module]) -> list[str]:
    return [
        f"{module}:{complaint}"
        for module in modules
        if (rule.__name__, module.name) not in edges.EXEMPTIONS
        for complaint in rule(module)
    ]


@pytest.mark.parametrize("rule", rules.STRUCTURE, ids=lambda rule: rule.__name__)
def test_deployed_code(rule: Rule) -> None:
    _expect_none(_broken(rule, code_base.functions() + code_base.shared()))


@pytest.mark.parametrize("rule", rules.MONEY, ids=lambda rule: rule.__name__)
def test_functions(rule: Rule) -> None:
    _expect_none(_broken(rule, code_base.functions()))


@pytest.mark.parametrize("rule", rules.WRITING, ids=lambda rule: rule.__name__)
def test_all_python(rule: Rule) -> None:
    _expect_none(_broken(rule, _all_python()))


def test_exemptions_are_needed() -> None:
    """An exemption whose reason is gone is taken out."""
    by_name = {module.name: module for module in code_base.functions() + code_base.shared()}
    every_rule = {rule.__name__: rule for rule in rules.STRUCTURE + rules.MONEY + rules.WRITING}
    idle = [
        f"{rule} for {name}"
        for rule, name in edges.EXEMPTIONS
        if name not in by_name or not list(every_rule[rule](by_name[name]))
    ]
    _expect_none(idle)


def test_declared_edges_are_used() -> None:
    used = {
        (module.group, code_base.group_of(code_base.target_of(imported)))
        for module in code_base.functions()
        for imported in module.imports
    }
    assert edges.EDGES - used == set()


def test_edges_form_no_circle() -> None:
    remaining = set(edges.EDGES)
    while remaining:
        sources = {source for source, _ in remaining}
        ends = {edge for edge in remaining if edge[1] not in sources}
        assert ends, f"a circle among {sorted(remaining)}"
        remaining -= ends


def test_packages_shadow_nothing() -> None:
    """A folder named like a module of the standard library or of an installed package would hide it."""
    ours = code_base.families() | {"tollgate"}
    foreign = set(sys.stdlib_module_names) | {
        name for name, owners in packages_distributions().items() if "tollgate" not in owners
    }
    assert ours & foreign == set()


def test_nothing_is_left_for_later_and_no_machine_shows() -> None:
    """No marks of unfinished work and no trace of the machine or the registry that something was written with."""
    places = ["/" + "work/", "/" + "root/", "/" + "home/", "/" + "Users/", "py" + "pi.org", "python" + "hosted.org"]
    places += ["registry." + "npmjs", "registry." + "yarnpkg", "index-" + "url ="]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {mark}"
        for path in _committed_text()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for mark in [*_UNFINISHED.findall(line), *(place for place in places if place in line)]
    ]
    _expect_none(found)


def _committed_text() -> list[Path]:
    """Every text file that git knows or would take on; pins and lock files hold only names and hashes."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8000]]
