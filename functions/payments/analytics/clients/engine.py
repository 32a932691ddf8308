"""Starts a process for one statement, waits for it, and ends it when its time is over or nobody wants it any more."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from payments.analytics.errors import QueryRefused

MOST_ROWS: Final = 1_000_000
MOST_BYTES: Final = 256 * 1024 * 1024
SECONDS: Final = 300
_MEMORY_MEGABYTES: Final = 1_200
_ADDRESS_BYTES: Final = 3_000 * 1024 * 1024
_LOOKS_EVERY_SECONDS: Final = 2
_MODULE: Final = "payments.analytics.clients.sandboxed"


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table to load: its columns as (name, type), the file of its lines, and how an empty cell is written."""

    name: str
    path: Path
    columns: list[tuple[str, str]]
    null: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a statement may take."""

    rows: int = MOST_ROWS
    bytes: int = MOST_BYTES
    seconds: int = SECONDS
    memory_megabytes: int = _MEMORY_MEGABYTES
    address_bytes: int = _ADDRESS_BYTES


class Engine:
    """Carries out statements, each in a process of its own."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def carry_out(
        self, sql: str, schema: str, tables: list[TableFile], result: Path, is_wanted: Callable[[], bool]
    ) -> int:
        """Write the result of a statement to a file; answers its number of rows.

        Raises:
            QueryRefused: it failed, took too much of something, or is no longer wanted.
        """
        verdict = self._verdict(json.dumps(self._plan(sql, schema, tables, result)), is_wanted)
        if "failure" in verdict:
            raise QueryRefused(verdict["failure"])
        return int(verdict["rows"])

    def _plan(self, sql: str, schema: str, tables: list[TableFile], result: Path) -> dict[str, Any]:
        limits = self._limits
        return {
            "sql": sql,
            "schema": schema,
            "tables": [
                {"name": each.name, "path": str(each.path), "columns": each.columns, "null": each.null}
                for each in tables
            ],
            "result": str(result),
            "most_rows": limits.rows,
            "most_bytes": limits.bytes,
            "memory_megabytes": limits.memory_megabytes,
            "address_bytes": limits.address_bytes,
            "file_bytes": 2 * limits.bytes,
            "seconds": 2 * limits.seconds,
        }

    def _verdict(self, plan: str, is_wanted: Callable[[], bool]) -> dict[str, Any]:
        process = subprocess.Popen(  # noqa: S603 -- a program and arguments of our own; the statement goes to its input
            [sys.executable, "-I", "-S", "-c", _start()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment(), text=True,
        )  # fmt: skip
        sent: str | None = plan
        for _ in range(max(self._limits.seconds // _LOOKS_EVERY_SECONDS, 1)):
            try:
                said, _ignored = process.communicate(sent, timeout=min(_LOOKS_EVERY_SECONDS, self._limits.seconds))
            except subprocess.TimeoutExpired:
                sent = None
                if is_wanted():
                    continue
                _end(process)
                raise QueryRefused("The query was cancelled") from None
            return _read(said, process.returncode)
        _end(process)
        raise QueryRefused(f"The query takes longer than {self._limits.seconds} seconds")


def _start() -> str:
    """A program that finds the engine where this process finds it, and nothing through the environment."""
    return f"import runpy, sys; sys.path[:] = {sys.path!r}; runpy.run_module({_MODULE!r}, run_name='__main__')"


def _environment() -> dict[str, str]:
    """Nothing but where the interpreter's own library lies: no credential, no address, no name of anything."""
    return {"LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR"))}


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _read(said: str, code: int) -> dict[str, Any]:
    """The verdict of a process; one that died without any has taken more than the system gave it."""
    if code != 0 or not said:
        return {"failure": "The query needs more memory or time than it may have"}
    verdict: dict[str, Any] = json.loads(said)
    return verdict
