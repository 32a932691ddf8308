"""Shapes of notifications: what the delivery log shows (typed dictionaries) and what is stored (frozen records).

Moments are texts in UTC to the microsecond, in one width, so that they sort; `stamp` makes them. No shape here has a
member for what a receiver answered beyond its status: that is somebody else's content.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypedDict

from tollgate.dialects.vault import Pagination

Status = Literal["pending", "delivered", "dead", "not_sent"]
STATUSES: Final[tuple[Status, ...]] = ("pending", "delivered", "dead", "not_sent")

MOST_REPLAYED: Final = 100
"""Notifications that one replay sends again."""

RETENTION_DAYS: Final = 30

REPLAY: Final[dict[str, Any]] = {
    "title": "Replay",
    "type": "object",
    "required": ["from", "to"],
    "properties": {
        "from": {"type": "string", "description": "A date or an RFC 3339 date-time, compared with `queued_at`"},
        "to": {"type": "string", "description": "As `from`; a date means its last moment"},
        "status": {
            "type": "array",
            "items": {"type": "string", "enum": [each for each in STATUSES if each != "pending"]},
            "minItems": 1,
            "description": "Replay only those in these states",
        },
        "page": {
            "type": "integer",
            "minimum": 1,
            "default": 1,
            "description": f"Which {MOST_REPLAYED} of the range, oldest first",
        },
    },
    "example": {"from": "2026-06-01T12:00:00Z", "to": "2026-06-01T14:30:00Z"},
}


class NotificationView(TypedDict):
    """One entry of the delivery log. `sequence` counts the account's events without a gap, from 1."""

    id: str
    event_type: str
    subject: str
    sequence: int
    created_at: str
    queued_at: str
    status: Status
    attempt_count: int
    next_attempt_at: str | None
    delivered_at: str | None


class AttemptView(TypedDict):
    """One attempt. `status_code` is absent where no answer came; `error` says what kept it from being a success."""

    number: int
    at: str | None
    status_code: int | None
    duration_ms: int | None
    error: str | None


class NotificationDetail(NotificationView):
    """With the body, byte for byte as it is sent at every attempt, and the latest attempts, oldest first."""

    body: str
    attempts: list[AttemptView]


class NotificationPage(TypedDict):
    """A page of the delivery log."""

    data: list[NotificationView]
    pagination: Pagination
    current_page: int
    page_size: int
    total_items: int
    total_pages: int


class EndpointView(TypedDict):
    """Where notifications go and how that is going. `last_sequence` is the number of the newest event."""

    url: str | None
    state: Literal["none", "enabled", "disabled"]
    last_sequence: int
    failing_since: str | None
    disabled_at: str | None


class ReplayAnswer(TypedDict):
    """How many of this page are sent again, and how many were on their way anyhow."""

    resent: int
    skipped: int
    pagination: Pagination


class Reference(NamedTuple):
    """Where an outbox record lies."""

    table: str
    pk: str
    sk: str


@dataclass(frozen=True, slots=True)
class Notification:
    """An event that is ours to deliver.

    `tries` counts the attempts of the present round, `attempts` all ever begun; both go up before an attempt is made.
    While pending it is in exactly one of four places: due (`due_at`), in hand (`due_at` and a lease that runs), parked
    (its endpoint is disabled), or waiting for an earlier one of its subject (none of these, `in_lane`). The lease runs
    on real time, which no sandbox moves. `version` guards every change.
    """

    id: str
    account_id: str
    event_type: str
    subject: str
    sequence: int
    created_at: str
    queued_at: str
    body: str
    status: Status
    version: int = 1
    attempts: int = 0
    tries: int = 0
    in_lane: bool = False
    parked: bool = False
    due_at: str | None = None
    leased_until: str | None = None
    delivered_at: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is known of an account's endpoint beside its URL: numbers given out, and its health."""

    account_id: str
    last_sequence: int = 0
    last_at: str = ""
    event_types: frozenset[str] = frozenset()
    failing_since: str | None = None
    last_failed_at: str | None = None
    disabled_at: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went. `error` None is a success."""

    status_code: int | None
    error: str | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that came to an end."""

    number: int
    at: str
    outcome: Outcome


def view(notification: Notification) -> NotificationView:
    """The public form, member by member, so that nothing is published by accident."""
    return {
        "id": notification.id,
        "event_type": notification.event_type,
        "subject": notification.subject,
        "sequence": notification.sequence,
        "created_at": notification.created_at,
        "queued_at": notification.queued_at,
        "status": notification.status,
        "attempt_count": notification.attempts,
        "next_attempt_at": notification.due_at,
        "delivered_at": notification.delivered_at,
    }


def stamp(moment: datetime) -> str:
    """UTC to the microsecond, in a width that sorts as text."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
