"""The pins hold every package that a list asks for, with hashes and without the address of any index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.build import lock
from tools.build.artifact import ROOT

TARGETS = (lock.DEVELOPMENT, lock.RUN, lock.DEPENDENCIES, *lock.further_layers(), *lock.SEPARATE)


def _asked_for(path: Path) -> set[str]:
    """Names in a .in file and those it includes, as pins spell them."""
    found = set()
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("-r "):
            found |= _asked_for((path.parent / line.removeprefix("-r ")).resolve())
        elif line and not line.startswith("#"):
            name = re.split(r"[\[<>=!~; ]", line)[0]
            found.add(re.sub(r"[-_.]+", "-", name).lower())
    return found


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_everything_asked_for_is_pinned(target: Path) -> None:
    """Else `make lock` was forgotten after a change of the .in file."""
    assert _asked_for(ROOT / target.with_suffix(".in")) - set(lock.names_in(target)) == set()


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_pins_carry_hashes_and_no_address(target: Path) -> None:
    text = (ROOT / target).read_text("utf-8")
    assert "://" not in text
    for pin in re.split(r"\n(?=[a-z0-9])", text.partition("\n#")[2]):
        if "==" in pin.split("\n")[0]:
            assert "--hash=sha256:" in pin, pin.split("\n")[0]


@pytest.mark.parametrize("layer", lock.further_layers(), ids=str)
def test_local_run_has_every_layer(layer: Path) -> None:
    assert f"-r ../{layer.with_suffix('.in')}" in (ROOT / lock.RUN.with_suffix(".in")).read_text("utf-8")
