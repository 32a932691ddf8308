"""What can go wrong with notifications: refusals that a caller sees, and races that the service settles itself."""

from __future__ import annotations

from tollgate.errors import Conflict, NotFound


class NotificationNotFound(NotFound):
    """No notification of the caller's account has this id (any more); a foreign one is not told apart."""

    default_message = "The notification was not found"


class NoEndpoint(Conflict):
    """There is nowhere to send to."""

    default_message = "The account has no notification URL"


class EndpointDisabled(Conflict):
    """Sending is suspended."""

    default_message = "The notification endpoint is disabled; enable it first"


class WaitsItsTurn(Conflict):
    """An earlier one of the same object has to be done first."""

    default_message = "The notification waits for an earlier one of the same object"


class Changed(Exception):
    """Another writer changed the notification since it was read."""


class Overtaken(Exception):
    """Another writer gave out sequence numbers, or the order of an object's notifications changed, since they were
    read; read again."""


class AlreadyTaken(Exception):
    """Another worker made the event a notification first."""


class Unreadable(Exception):
    """A message or an outbox record that no worker will ever understand; it belongs in the dead-letter queue."""
