"""What can go wrong with a lifecycle event beyond what the request itself shows."""

from __future__ import annotations

from tollgate.errors import Conflict, NotFound


class EventNotFound(NotFound):
    """No event of the caller's account has this id; a foreign one is not told apart."""

    default_message = "The event was not found"


class TooManyEvents(Conflict):
    """A decision names its events; their number is bounded."""

    default_message = "A decision has at most 200 events"


class AlreadyKnown(Exception):
    """Another request with the same event was first; read it."""
