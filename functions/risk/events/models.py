"""Shapes of lifecycle events ("Lifecycle events" in the reference)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, NotRequired, TypedDict

from tollgate.models.fields import Instant, RequestModel, UuidStr

EventType = Literal["authorization", "capture", "refund", "void", "chargeback", "fraud_report", "failed"]
PaymentState = Literal["authorized", "captured", "voided", "fraud_reported", "chargedback", "failed"]

MOST_EVENTS: Final = 200
LARGEST_DATA_BYTES: Final = 65_536


class CreateEvent(RequestModel):
    """Something that happened to the payment of a decision. `data` is free-form; no card number in it is kept."""

    type: EventType
    decision_id: UuidStr
    occurred_at: Instant
    data: dict[str, Any]


class BackendNotification(TypedDict):
    """What became of telling a backend. `skipped`: it does not take events of this type, which is no error."""

    backend: str
    status: Literal["delivered", "skipped", "failed", "pending"]
    error: str | None


class EventView(TypedDict):
    """An event. `backend_notifications` is there on the Connect edition only."""

    id: str
    type: EventType
    decision_id: str
    occurred_at: str
    processed_at: str
    data: dict[str, Any]
    backend_notifications: NotRequired[list[BackendNotification]]


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """A stored event; its id follows from all that it says. `notifications` None: backends were not told yet."""

    id: str
    account_id: str
    type: EventType
    decision_id: str
    occurred_at: str
    processed_at: str
    data: dict[str, Any] = field(repr=False)
    notifications: list[BackendNotification] | None = None


def view(event: LifecycleEvent, *, connect: bool) -> EventView:
    """The public form, member by member."""
    shown: EventView = {
        "id": event.id,
        "type": event.type,
        "decision_id": event.decision_id,
        "occurred_at": event.occurred_at,
        "processed_at": event.processed_at,
        "data": event.data,
    }
    if connect:
        shown["backend_notifications"] = event.notifications or []
    return shown


def entry(event: LifecycleEvent) -> dict[str, str]:
    """The event as its decision shows it."""
    return {
        "id": event.id,
        "type": event.type,
        "occurred_at": event.occurred_at,
        "processed_at": event.processed_at,
    }
