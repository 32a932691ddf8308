"""What can go wrong when an operator asks for upkeep."""

from __future__ import annotations

from tollgate.errors import NotFound


class NoSuchOwner(NotFound):
    """The account has no data keys: it does not exist, or nothing was ever sealed for it."""

    default_message = "The account has no data keys"
