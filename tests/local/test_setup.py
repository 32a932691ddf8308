"""Set-up installs what is missing, is quick when nothing is, and says in one line what it cannot do without."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from local import setup
from local.layout import Layout
from local.setup import SetupError, set_up

Installer = Callable[..., subprocess.CompletedProcess[str]]


class Installers:
    """Stands for pip and npm: leaves the programs, or fails."""

    def __init__(self, layout: Layout) -> None:
        self.ran: list[str] = []
        self.failure = ""
        self._layout = layout

    def __call__(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        name = "venv" if "venv" in command else "pip" if "pip" in command else "npm"
        self.ran.append(name)
        if self.failure:
            return subprocess.CompletedProcess(command, 1, "", self.failure)
        program = self._layout.dynoxide if name == "npm" else self._layout.ministack
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data", tmp_path / "template.yaml", tmp_path / "tools")


@pytest.fixture
def installers(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Installers:
    made = Installers(layout)
    monkeypatch.setattr(setup.subprocess, "run", made)
    monkeypatch.setattr(setup.platform, "system", lambda: "Linux")
    monkeypatch.setattr(setup.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(setup.shutil, "which", lambda name: f"/usr/bin/{name}")
    return made


def test_everything_is_installed_once(layout: Layout, installers: Installers) -> None:
    said: list[str] = []
    set_up(layout, said.append)
    assert installers.ran == ["venv", "pip", "npm"]
    assert len(said) == 2
    set_up(layout, said.append)
    assert (len(installers.ran), len(said)) == (3, 2)


@pytest.mark.parametrize(("lost", "again"), [("ministack", ["venv", "pip"]), ("dynoxide", ["npm"])])
def test_what_is_gone_is_installed_again(layout: Layout, installers: Installers, lost: str, again: list[str]) -> None:
    set_up(layout, lambda _: None)
    installers.ran.clear()
    getattr(layout, lost).unlink()
    set_up(layout, lambda _: None)
    assert installers.ran == again


def test_other_pins_are_installed_anew(
    layout: Layout, installers: Installers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(layout, lambda _: None)
    installers.ran.clear()
    pins = tmp_path / "pins"
    pins.mkdir()
    for file in setup.PINS.iterdir():
        (pins / file.name).write_bytes(file.read_bytes() + b"\n")
    monkeypatch.setattr(setup, "PINS", pins)
    set_up(layout, lambda _: None)
    assert installers.ran == ["venv", "pip", "npm"]


def test_a_missing_npm_is_told_before_anything_is_downloaded(
    layout: Layout, installers: Installers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup.shutil, "which", lambda _: None)
    with pytest.raises(SetupError, match=r"npm is missing: install Node\.js"):
        set_up(layout, lambda _: None)
    assert installers.ran == []


@pytest.mark.parametrize("how", ["choice", "platform"])
def test_npm_is_not_needed_where_ministack_serves_the_tables(
    layout: Layout, installers: Installers, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(setup.shutil, "which", lambda _: None)
    if how == "choice":
        monkeypatch.setenv("TOLLGATE_DYNAMODB", "ministack")
    else:
        monkeypatch.setattr(setup.platform, "system", lambda: "Darwin")
    set_up(layout, lambda _: None)
    assert installers.ran == ["venv", "pip"]


def test_a_failure_is_one_line_and_is_tried_again(layout: Layout, installers: Installers) -> None:
    installers.failure = "noise\nERROR: no matching distribution\nmore noise\n"
    for _ in range(2):
        with pytest.raises(SetupError, match=r"^a virtual environment could not be made: ERROR: no matching dist\w+$"):
            set_up(layout, lambda _: None)
    assert installers.ran == ["venv", "venv"]
