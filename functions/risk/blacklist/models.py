"""Shapes of the blacklist resource ("Blacklist" in the reference)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypedDict

from pydantic import Field

from risk.rules import LONGEST_TTL_SECONDS
from tollgate.models.fields import RequestModel, Text


class CreateEntry(RequestModel):
    """A value of a field to be refused; `ttl_seconds` null is for good."""

    field_path: Annotated[str, Text(200)]
    value: Annotated[str, Text(1024)]
    ttl_seconds: Annotated[int, Field(ge=1, le=LONGEST_TTL_SECONDS)] | None = None
    display_hint: Annotated[str, Text(64)] | None = None


class EntryView(TypedDict):
    """An entry. `expires_at` is null for one that stays; `source_decision_id` names the decision that made it."""

    id: str
    field_path: str
    value: str
    ttl_seconds: int | None
    expires_at: str | None
    display_hint: str | None
    source_decision_id: str | None
    inserted_at: str
    updated_at: str


class EntryLinks(TypedDict):
    next: str | None


class EntryPage(TypedDict):
    data: list[EntryView]
    links: EntryLinks


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored entry; its id follows from the field and the value. `expires` in seconds since 1970."""

    id: str
    account_id: str
    field_path: str
    value: str
    inserted_at: str
    updated_at: str
    revision: int = 1
    ttl_seconds: int | None = None
    expires: int | None = None
    expires_at: str | None = None
    display_hint: str | None = None
    source_decision_id: str | None = None


def view(entry: Entry) -> EntryView:
    """The public form, member by member."""
    return {
        "id": entry.id,
        "field_path": entry.field_path,
        "value": entry.value,
        "ttl_seconds": entry.ttl_seconds,
        "expires_at": entry.expires_at,
        "display_hint": entry.display_hint,
        "source_decision_id": entry.source_decision_id,
        "inserted_at": entry.inserted_at,
        "updated_at": entry.updated_at,
    }
