"""Shapes of a simulation. The reference has no such route; docs/decisions/0026-time-machine.md says what this is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypedDict

MOST_DECISIONS: Final = 100_000
MOST_SAMPLES: Final = 20
LONGEST_PERIOD: Final = timedelta(days=31)

_MOMENT: Final = {"type": "string", "description": "A date (YYYY-MM-DD) or an RFC 3339 date-time"}
SIMULATE: Final[dict[str, Any]] = {
    "title": "Simulate",
    "type": "object",
    "required": ["from", "to"],
    "properties": {
        "from": {**_MOMENT, "description": "The first moment: a date or an RFC 3339 date-time"},
        "to": {**_MOMENT, "description": "The last moment, at most 31 days later; a date means its end"},
        "limit": {
            "type": "integer", "minimum": 1, "maximum": MOST_DECISIONS, "default": MOST_DECISIONS,
            "description": "How many decisions to compare at most",
        },
        "after": {
            "type": ["string", "null"], "minLength": 1, "maxLength": 512,
            "description": "`after` of an answer that was not complete: go on there",
        },
    },
    "example": {"from": "2026-06-01", "to": "2026-06-07"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """A period, how many decisions of it, and the place to go on behind."""

    first: datetime
    last: datetime
    limit: int
    after: str | None


class Past(NamedTuple):
    """A decision as it was made. `members` is its record (`risk.decisions.models.DecisionRecord`)."""

    id: str
    at: datetime
    decision: str
    members: Mapping[str, Any]


class AmountView(TypedDict):
    """A sum in the minor unit of its currency."""

    currency: str
    amount: int


class DifferenceView(TypedDict):
    """Decisions that would have come out otherwise. `samples` are ids of the first of them."""

    decisions: int
    amounts: list[AmountView]
    samples: list[str]


class OutcomeView(TypedDict):
    """How many decisions came out as `before` and would have come out as `after`."""

    before: str
    after: str
    decisions: int


class RuleView(TypedDict):
    """How often a rule would have fired."""

    rule_id: str
    name: str
    live: bool
    fired: int


class SimulationView(TypedDict):
    """What a ruleset would have made of a period.

    `decisions` were compared, `others` are not the ruleset's to decide. `reconstructed` are the counts (as in
    conditions) that the past did not keep for all decisions and that were counted anew, from `counted_from` on. If not
    `complete`, ask again with `after` and add up.
    """

    ruleset_id: str
    ruleset_version: int
    decisions: int
    others: int
    outcomes: list[OutcomeView]
    newly_blocked: DifferenceView
    newly_reviewed: DifferenceView
    newly_allowed: DifferenceView
    rules: list[RuleView]
    reconstructed: list[dict[str, Any]]
    counted_from: str | None
    complete: bool
    after: str | None
