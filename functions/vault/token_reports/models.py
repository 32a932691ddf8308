"""Shapes of the reconciliation report, of its records and of its announcement."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

KEPT_DAILY_DAYS: Final = 90
KEPT_ON_REQUEST_DAYS: Final = 1


class ReportView(TypedDict):
    """A written report as it is announced: what to ask for (`GET /reports/tokens?report=<name>`) and what to expect."""

    name: str
    type: Literal["tokens"]
    created_at: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was asked for. `name` is a date for a daily one and a UUID for one on request.

    The members from `rows` on are known once it is written.
    """

    account_id: str
    name: str
    requested_at: str
    daily: bool
    state: Literal["pending", "ready"] = "pending"
    created_at: str | None = None
    object: str | None = None
    rows: int = 0
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing a report."""

    object: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Order:
    """A report to write, as it travels on the queue."""

    account_id: str
    name: str

    def to_text(self) -> str:
        return json.dumps({"account_id": self.account_id, "name": self.name}, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Order:
        """Raises ValueError for what is no order."""
        members: Any = json.loads(text)
        if not isinstance(members, dict) or set(members) != {"account_id", "name"}:
            raise ValueError("not an order")
        if not all(isinstance(each, str) for each in members.values()):
            raise ValueError("not an order")
        return cls(**members)


def view(report: Report) -> ReportView:
    """The public form of a written report."""
    return {
        "name": report.name,
        "type": "tokens",
        "created_at": report.created_at or report.requested_at,
        "rows": report.rows,
        "bytes": report.bytes,
        "sha256": report.sha256,
    }
