"""What is sent, when it is sent again, and when an endpoint is given up. Pure.

Sources: the reference's token master notification (body, `x-hmac-signature`, exactly 200 is success), Standard Webhooks
1.0 (`webhook-*` headers), docs/decisions/0010-notifications.md for what both leave open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from control.notifications.models import Endpoint, Notification, stamp
from tollgate.crypto.signatures import Sign
from tollgate.events import Event
from tollgate.http.message import encode

T = TypeVar("T")

RETRY_SECONDS: Final = (10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400)
"""From one attempt to the next; after the last the notification is dead."""

WHOLE: Final = 1_000_000
LEAST: Final = 800_000
"""Jitter: a delay is at least this part of a million of what the table says. It only shortens, so that the attempt is
due when the table's delay has passed."""

FAILING_FOR: Final = timedelta(days=3)
STRETCH: Final = timedelta(hours=25)
"""Failures further apart are two stretches, unless what failed before is still being tried."""

CREATION: Final = ".created"


def body_of(event: Event) -> str:
    """The reference's envelope: id, created_at, event_type, and the object under its resource's name; or the message
    that the family has written itself."""
    if event.body is not None:
        return event.body
    envelope = {"id": event.id, "created_at": event.created_at, "event_type": event.type, **event.payload}
    return encode(envelope).decode()


def headers(
    keys: Sequence[bytes], notification: Notification, sent_at: datetime, sign: Sign | None = None
) -> list[tuple[str, str]]:
    """What goes beside the body. `sent_at` is real time: receivers compare it with their clock.

    Each signature header carries a value per key, the present key's first. A target without shared keys has none of
    them, and at most the signature that `sign` makes.
    """
    body, seconds = notification.body.encode(), str(int(sent_at.timestamp()))
    made = [("content-type", "application/json"), ("user-agent", "Tollgate-Notifications/1")]
    if keys:
        signed = b".".join((notification.id.encode(), seconds.encode(), body))
        made += [
            ("x-hmac-signature", ",".join(_mac(key, body).hex() for key in keys)),
            ("webhook-id", notification.id),
            ("webhook-timestamp", seconds),
            ("webhook-signature", " ".join(f"v1,{base64.b64encode(_mac(key, signed)).decode()}" for key in keys)),
        ]
    if sign is not None:
        made.append(("x-signature", sign(body)))
    return [*made, ("x-tollgate-sequence", str(notification.sequence))]


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def next_attempt_at(tries: int, now: datetime, millionths: int) -> str | None:
    """When to try again after `tries` failures in a row, this part of the full delay from now; None: no more."""
    if tries > len(RETRY_SECONDS):
        return None
    return stamp(now + timedelta(seconds=RETRY_SECONDS[tries - 1]) * millionths / WHOLE)


def is_disabled(endpoint: Endpoint, url_set_at: str | None) -> bool:
    """Disabled, and the URL was not named again since."""
    return endpoint.disabled_at is not None and (url_set_at is None or url_set_at <= endpoint.disabled_at)


def is_late(endpoint: Endpoint, now: datetime) -> bool:
    """Whether nothing failed for so long that a further failure may be a new beginning."""
    return endpoint.last_failed_at is not None and endpoint.last_failed_at < stamp(now - STRETCH)


def after_failure(endpoint: Endpoint, url_set_at: str | None, now: datetime, pending_since: str | None) -> Endpoint:
    """The endpoint's health after another failed attempt. `pending_since` is when the oldest notification was queued
    that is not done; it matters where the failure is late."""
    at, since, last = stamp(now), endpoint.failing_since, endpoint.last_failed_at
    if since is None or last is None or (url_set_at is not None and url_set_at > since):
        return replace(endpoint, failing_since=at, last_failed_at=at, disabled_at=None)
    if is_late(endpoint, now) and (pending_since is None or pending_since > last):
        return replace(endpoint, failing_since=at, last_failed_at=at)
    gives_up = endpoint.disabled_at is None and since <= stamp(now - FAILING_FOR)
    return replace(endpoint, last_failed_at=at, disabled_at=at if gives_up else endpoint.disabled_at)


def after_success(endpoint: Endpoint) -> Endpoint:
    """The endpoint's health after a delivery."""
    return replace(endpoint, failing_since=None, last_failed_at=None, disabled_at=None)


def fairly(rows: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """The (account, …) rows with accounts taking turns, each account's own in the order given."""
    lines: defaultdict[str, deque[tuple[str, T]]] = defaultdict(deque)
    for row in rows:
        lines[row[0]].append(row)
    waiting = deque(lines.values())
    while waiting:
        line = waiting.popleft()
        yield line.popleft()
        if line:
            waiting.append(line)
