"""Keys of the notifications table, and an item's way to a record and back."""

from __future__ import annotations

import zlib
from dataclasses import fields
from typing import Any

from control.notifications.models import Attempt, AttemptView, Endpoint, Notification
from tollgate.store.items import Item

DUE_SHARDS = 16
HELD = "HELD"
RETAIN = "RETAIN"
_WIDTH = 12

_MEMBERS = tuple(field.name for field in fields(Notification))
_FLAGS = ("in_lane", "parked")
_HEALTH = ("failing_since", "last_failed_at", "disabled_at")


def notification(account_id: str, notification_id: str) -> tuple[str, str]:
    return f"N#{account_id}#{notification_id}", "#"


def attempt(of: Notification, number: int) -> tuple[str, str]:
    return notification(of.account_id, of.id)[0], f"A#{number:06d}"


def subject(of: Notification) -> tuple[str, str]:
    return f"SUBJECT#{of.account_id}#{of.subject}", order(of.sequence)


def due(of: Notification) -> tuple[str, str]:
    shard = zlib.crc32(of.account_id.encode()) % DUE_SHARDS
    return f"DUE#{shard:02d}", f"{of.due_at}#{of.account_id}#{of.id}"


def parked(of: Notification) -> tuple[str, str]:
    return f"PARKED#{of.account_id}", order(of.sequence)


def lane(account_id: str, of_subject: str) -> tuple[str, str]:
    return f"LANE#{account_id}#{of_subject}", "#"


def waiting(of: Notification) -> tuple[str, str]:
    return lane(of.account_id, of.subject)[0], order(of.sequence)


def endpoint(account_id: str) -> tuple[str, str]:
    return f"ENDPOINT#{account_id}", "#"


def order(sequence: int) -> str:
    return f"{sequence:0{_WIDTH}d}"


def facet(status: str, event_type: str) -> str:
    return f"{status}:{event_type}"


def facet_of(of: Notification) -> str:
    return facet(of.status, of.event_type)


def list_row(of: Notification) -> dict[str, Any]:
    return {"id": of.id, "created_at": of.queued_at}


def to_item(of: Notification) -> Item:
    pk, sk = notification(of.account_id, of.id)
    members = {name: getattr(of, name) for name in _MEMBERS}
    return {**members, **{name: members[name] or None for name in _FLAGS}, "pk": pk, "sk": sk}


def from_item(item: Item) -> Notification:
    values = {name: item.get(name) for name in _MEMBERS}
    return Notification(**{**values, **{name: bool(item.get(name)) for name in _FLAGS}})  # type: ignore[arg-type]


def changes(before: Notification, after: Notification) -> dict[str, Any]:
    """What to store of a change; None for what goes away."""
    changed = {name: getattr(after, name) for name in _MEMBERS if getattr(after, name) != getattr(before, name)}
    return {name: (value or None) if name in _FLAGS else value for name, value in changed.items()}


def endpoint_from(account_id: str, item: Item | None) -> Endpoint:
    if item is None:
        return Endpoint(account_id)
    return Endpoint(
        account_id,
        item.get("last_sequence", 0),
        item.get("last_at", ""),
        frozenset(item.get("event_types", ())),
        *(item.get(name) for name in _HEALTH),
    )


def attempt_item(of: Notification, made: Attempt, expires: int) -> Item:
    pk, sk = attempt(of, made.number)
    return {
        "pk": pk,
        "sk": sk,
        "at": made.at,
        "status_code": made.outcome.status_code,
        "duration_ms": made.outcome.duration_ms,
        "error": made.outcome.error,
        "expires": expires,
    }


def attempt_view(item: Item) -> AttemptView:
    return {
        "number": int(str(item["sk"]).removeprefix("A#")),
        "at": item["at"],
        "status_code": item.get("status_code"),
        "duration_ms": item["duration_ms"],
        "error": item.get("error"),
    }
