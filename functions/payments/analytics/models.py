"""Shapes of analytics: a query and its states, the order that travels on the queue, what came of carrying it out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from tollgate import clock

State = Literal["PROCESSING", "SUCCESS", "FAILED", "CANCELLED"]

KEPT: Final = timedelta(days=30)
"""How long a query and its result are kept; the bucket's lifecycle says the same."""

GIVEN_UP_AFTER: Final = timedelta(hours=1)
"""A query that is still in work then has failed: three workers have ended over it, or none ever heard of it."""

MOST_ATTEMPTS: Final = 2
MOST_SPACES: Final = 500
MOST_SQL: Final = 100_000
LEAST_SQL: Final = 3


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was submitted.

    `spaces` and `tables` are what its submitter might read at that moment. The members from `scanned_bytes` on are
    known once it has come to an end; `object` stays empty where the result has no rows.
    """

    account: int
    token: str
    external_id: str
    sql: str
    created_at: str
    spaces: tuple[int, ...]
    tables: tuple[str, ...]
    expires: int
    state: State = "PROCESSING"
    attempts: int = 0
    downloads: int = 0
    scanned_bytes: int = 0
    result_bytes: int = 0
    execution_ms: int = 0
    object: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What carrying out came to. `failure` is set where it came to nothing."""

    scanned_bytes: int = 0
    result_bytes: int = 0
    execution_ms: int = 0
    object: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A query to carry out, as it travels on the queue."""

    account: int
    token: str

    def to_text(self) -> str:
        return json.dumps({"account": self.account, "token": self.token}, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Order:
        """Raises ValueError for what is no order."""
        members: Any = json.loads(text)
        if not isinstance(members, dict) or set(members) != {"account", "token"}:
            raise ValueError("not an order")
        if not isinstance(members["account"], int) or not isinstance(members["token"], str):
            raise ValueError("not an order")
        return cls(**members)


def age(query: Query) -> timedelta:
    """How long ago a query was submitted."""
    return clock.now() - datetime.fromisoformat(query.created_at)


def view(query: Query) -> dict[str, Any]:
    """The public form of a query. `failureMessage` is beyond the published model: without it nobody learns why."""
    shown = {
        "accountId": query.account,
        "createdTimestamp": query.created_at,
        "downloadRequests": query.downloads,
        "originalQuery": query.sql,
        "portalQueryToken": query.token,
        "queryExternalId": query.external_id,
        "resultFileBytes": query.result_bytes,
        "scannedBytes": query.scanned_bytes,
        "status": query.state,
        "totalBilledExecutionTimeMs": query.execution_ms,
    }
    return {**shown, "failureMessage": query.failure} if query.failure else shown
