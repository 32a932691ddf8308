"""One machine per data folder: the lock that says so, and the note of where the running one can be reached."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any, TextIO

from local.layout import Layout
from local.processes import replace_file


class AlreadyRunningError(Exception):
    """Another machine holds this data folder; `note` is where it can be reached, if it has come that far."""

    def __init__(self, note: dict[str, Any] | None) -> None:
        super().__init__("already running")
        self.note = note


def take_lock(layout: Layout) -> TextIO:
    """Hold the data folder until the returned file is closed or this process dies.

    Raises:
        AlreadyRunningError: somebody else holds it.
    """
    layout.data.mkdir(parents=True, exist_ok=True)
    lock = layout.lock.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise AlreadyRunningError(_read(_path(layout))) from None
    return lock


def write_note(layout: Layout, base_url: str, invoke_url: str, endpoints: dict[str, str]) -> None:
    """Say where this machine can be reached; only true while the lock is held."""
    content = {"base_url": base_url, "invoke_url": invoke_url, "endpoints": endpoints}
    replace_file(_path(layout), json.dumps(content, indent=2) + "\n", sync=False)


def remove_note(layout: Layout) -> None:
    _path(layout).unlink(missing_ok=True)


def _path(layout: Layout) -> Path:
    return layout.data / "run.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content
