"""What a message says. Pure.

Source: fact file 2.11. Members stand in alphabetical order and without spaces, as the published sample that its
signature is checked with; `state` is there for who takes signed messages and for nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from payments.announcements import ENTITIES, Change
from payments.engine import documents
from payments.webhooks.models import Listening


def message(change: Change, to: Listening) -> str:
    """The body that a listener gets."""
    at = datetime.fromisoformat(change.created_at)
    said: Mapping[str, Any] = {
        "entityId": change.entity_id,
        "eventId": change.number,
        "listenerEntityId": ENTITIES[change.name],
        "listenerEntityTechnicalName": change.name,
        "spaceId": change.space_id,
        **({"state": change.state} if to.is_signed and change.state else {}),
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "webhookListenerId": to.listener_id,
    }
    return documents.encode(said)
