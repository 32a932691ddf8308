"""Shapes of the webhook resource ("Webhooks" in the reference)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypedDict, get_args

from pydantic import Field

from tollgate.models.fields import HttpUrl, RequestModel

EventType = Literal[
    "decision.allow", "decision.block", "decision.review", "decision.provisional",
    "decision.async.allow", "decision.async.block", "decision.async.review",
]  # fmt: skip
EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
MOST_WEBHOOKS: Final = 10
SHOWN_OF_KEY: Final = 5

Events = Annotated[list[EventType], Field(min_length=1, max_length=50)]


class CreateWebhook(RequestModel):
    """Where to send notifications (https), and of which events."""

    url: HttpUrl
    events: Events


class UpdateWebhook(RequestModel):
    """What is given takes the place of the former; naming the URL again takes one back that was given up."""

    url: HttpUrl | None = None
    events: Events | None = None


class WebhookView(TypedDict):
    """A webhook. Of its key the beginning is shown."""

    id: str
    url: str
    events: list[EventType]
    masked_hmac_key: str
    inserted_at: str
    updated_at: str


class NewWebhookView(TypedDict):
    """A webhook as it is made: the one time that `hmac_key` is shown."""

    id: str
    url: str
    events: list[EventType]
    hmac_key: str
    inserted_at: str
    updated_at: str


class WebhookLinks(TypedDict):
    next: str | None


class WebhookPage(TypedDict):
    data: list[WebhookView]
    links: WebhookLinks


@dataclass(frozen=True, slots=True)
class Webhook:
    """A stored webhook; its key is kept sealed where notifications are sent. Ids follow the order of making."""

    id: str
    account_id: str
    url: str
    events: tuple[EventType, ...]
    masked_hmac_key: str
    inserted_at: str
    updated_at: str


def in_order(events: list[EventType]) -> tuple[EventType, ...]:
    """Each once, in the order of the reference."""
    return tuple(each for each in EVENT_TYPES if each in events)


def view(webhook: Webhook) -> WebhookView:
    """The public form, member by member."""
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.events),
        "masked_hmac_key": webhook.masked_hmac_key,
        "inserted_at": webhook.inserted_at,
        "updated_at": webhook.updated_at,
    }


def new_view(webhook: Webhook, hmac_key: str) -> NewWebhookView:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.events),
        "hmac_key": hmac_key,
        "inserted_at": webhook.inserted_at,
        "updated_at": webhook.updated_at,
    }
