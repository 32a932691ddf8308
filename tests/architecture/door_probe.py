"""Imports every door in a process of its own and reports what that loaded and which settings it read.

Run as a program by test_doors.py. The third-party packages are loaded once, then each door gets a fork, so that a
door is alone with its imports and a hundred of them take seconds.
Reads `{door: {variable: value}}` from standard input; answers `{door: {"modules": […], "settings": […], "error": …}}`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from dataclasses import fields
from typing import Any


def probe(door: str, environment: dict[str, str], families: frozenset[str]) -> dict[str, Any]:
    """Import one door under exactly this environment."""
    from tollgate import config

    read: set[str] = set()
    load = config.load

    def noting(cls: type[Any], *arguments: Any) -> Any:
        read.update(field.name.upper() for field in fields(cls))
        return load(cls, *arguments)

    config.__dict__["load"] = noting
    os.environ.update(environment)
    try:
        importlib.import_module(door)
        error = None
    except Exception:
        error = traceback.format_exc()
    modules = [name for name in sys.modules if name.split(".")[0] in families]
    return {"modules": sorted(modules), "settings": sorted(read), "error": error}


def in_a_fork(door: str, environment: dict[str, str], families: frozenset[str]) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as out:
            json.dump(probe(door, environment, families), out)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return dict(json.loads(text))


def main() -> None:
    asked: dict[str, dict[str, str]] = json.load(sys.stdin)
    families = frozenset(door.split(".")[0] for door in asked)
    importlib.import_module("tollgate.aws")
    json.dump({door: in_a_fork(door, environment, families) for door, environment in asked.items()}, sys.stdout)


if __name__ == "__main__":
    main()
