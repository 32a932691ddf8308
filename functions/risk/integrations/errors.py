"""What can go wrong with integrations beyond what the request itself shows."""

from __future__ import annotations

from tollgate.errors import Conflict, Forbidden, NotFound


class IntegrationNotFound(NotFound):
    """No integration of the caller's account has this id; a foreign one is not told apart."""

    default_message = "The integration was not found"


class NeedsConnect(NotFound):
    """On the Core edition these endpoints are not there."""

    default_message = "Integrations need the Connect edition"


class SlugTaken(Conflict):
    """A slug names one integration of an account."""

    default_message = "Another integration has this slug"


class TooManyIntegrations(Forbidden):
    """The account has as many integrations as it may have."""

    default_message = "An account has at most 50 integrations"


class Overtaken(Exception):
    """Another writer was first; read again."""


class WorkTaken(Exception):
    """Somebody else has begun or ended this work."""
