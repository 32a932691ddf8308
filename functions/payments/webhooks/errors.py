"""What can go wrong with webhooks beyond what the engine refuses."""

from __future__ import annotations

from tollgate.errors import Fault, Invalid, NotFound


class KeyNotFound(NotFound):
    """No webhook was ever signed with a key of this id."""

    default_message = "The encryption key was not found"


class TooManyListeners(Invalid):
    """As many listeners hear of this kind of objects as may."""

    def __init__(self, most: int) -> None:
        super().__init__([Fault("entity", f"has the {most} active listeners that it may have")], code="limit_reached")


class AlreadyTold(Exception):
    """Another worker handed the change on first."""
