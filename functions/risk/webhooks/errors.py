"""What can go wrong with a webhook beyond what the request itself shows."""

from __future__ import annotations

from tollgate.errors import Conflict, NotFound


class WebhookNotFound(NotFound):
    """No webhook of the caller's account has this id; a foreign one is not told apart."""

    default_message = "The webhook was not found"


class TooManyWebhooks(Conflict):
    """Every decision writes one record per webhook that wants it, so their number is bounded."""

    default_message = "An account has at most 10 webhooks"


class Overtaken(Exception):
    """Another writer was first; read again."""
