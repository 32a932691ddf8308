"""Velocity: rolling counts per card, customer, device and IP, exact to the microsecond.

Per key there is a log of the latest decisions: when, with which outcome, how much of which currency, and a digest of
every value that a rule wants distinct ones of. A count is read off the log, this decision included, so a window
`(t - w, t]` slides and never jumps. A log keeps what lies within the longest window that an active ruleset asks for,
and of that the latest 1,000 decisions: no count is compared with a larger number, so that none comes out wrong by it;
a sum or a number of distinct values goes over these 1,000. Pure; the log is written where the decision is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from risk.conditions import MOST_COUNTED, Operand

_CODES: Final[Mapping[str, str]] = {"ALLOW": "A", "REVIEW": "R", "BLOCK": "B", "PROVISIONAL": "P"}
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision in a log: `at` in microseconds since 1970, amount in minor units, digests by field path."""

    at: int
    outcome: str
    currency: str
    amount: int
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted per key: how far back, and of which fields distinct values are wanted."""

    window_seconds: int
    of: tuple[str, ...]


def counted(operands: Iterable[Operand]) -> dict[str, Counted]:
    """What these operands need to be kept, by key."""
    found: dict[str, Counted] = {}
    for operand in operands:
        former = found.get(operand.key, Counted(0, ()))
        of = {*former.of, operand.of} if operand.aggregate == "distinct" and operand.of else set(former.of)
        found[operand.key] = Counted(max(former.window_seconds, operand.window_seconds), tuple(sorted(of)))
    return found


def merged(parts: Iterable[Mapping[str, Counted]]) -> dict[str, Counted]:
    """What several rulesets together need to be kept."""
    found: dict[str, Counted] = {}
    for part in parts:
        for key, wanted in part.items():
            former = found.get(key, Counted(0, ()))
            of = tuple(sorted({*former.of, *wanted.of}))
            found[key] = Counted(max(former.window_seconds, wanted.window_seconds), of)
    return found


def value_of(operand: Operand, log: Sequence[Entry], current: Entry) -> int:
    """The operand's value for the decision `current`, whose log so far is `log`.

    Decisions that another clock dated after this one count as simultaneous. A decision's own outcome is not known
    while it is made, so with `outcomes` only earlier ones count.
    """
    after = current.at - operand.window_seconds * _MICROSECONDS
    entries = [entry for entry in log if entry.at > after]
    if operand.outcomes:
        entries = [entry for entry in entries if entry.outcome in operand.outcomes]
    else:
        entries.append(current)
    if operand.aggregate == "count":
        return len(entries)
    if operand.aggregate == "sum":
        return sum(entry.amount for entry in entries if entry.currency == current.currency)
    digests = {entry.digests.get(operand.of or "") for entry in entries}
    return len(digests - {None})


def appended(log: Sequence[Entry], current: Entry, wanted: Counted) -> list[Entry]:
    """The log with this decision at its end, without what no window reaches any more."""
    after = current.at - wanted.window_seconds * _MICROSECONDS
    return [*(entry for entry in log if entry.at > after), current][-MOST_COUNTED:]


def dump(log: Iterable[Entry]) -> str:
    """A log as text."""
    rows = [[e.at, _CODES[e.outcome], e.currency, e.amount, *([dict(e.digests)] if e.digests else [])] for e in log]
    return json.dumps(rows, separators=(",", ":"))


_NAMES: Final = {code: outcome for outcome, code in _CODES.items()}


def load(text: str) -> list[Entry]:
    rows: list[list[Any]] = json.loads(text)
    return [Entry(row[0], _NAMES[row[1]], row[2], row[3], row[4] if len(row) > 4 else {}) for row in rows]


Digest = Callable[[str, str], str]
"""(path, value) → a short keyed digest of the value."""
