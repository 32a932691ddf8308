"""The offset of the sandbox clock, read at the start of every invocation where there is a sandbox, and nowhere else.

Access pattern (`pk`, `sk`): the clock  `CLOCK`, `#`  with `offset_seconds`

A production function has no `SANDBOX_TABLE`, so `refresh` costs it nothing and cannot move its time.
"""

from __future__ import annotations

from functools import cache

from tollgate import aws, clock, config
from tollgate.config import Settings
from tollgate.store.table import Table

KEY = ("CLOCK", "#")


@cache
def _table() -> Table | None:
    name = config.load(Settings).sandbox_table
    return Table(name, aws.dynamodb()) if name else None


def refresh() -> None:
    """Take over the sandbox's present offset."""
    table = _table()
    if table is not None:
        item = table.get(*KEY)
        clock.set_offset(item["offset_seconds"] if item else 0)


def advance(table: Table, seconds: int) -> int:
    """Move the clock forward for everyone; answers the new offset in seconds."""
    after = table.update(*KEY, "ADD offset_seconds :seconds", values={":seconds": seconds})
    clock.set_offset(after["offset_seconds"])
    return int(after["offset_seconds"])
