"""What can go wrong with a blacklist entry beyond what the request itself shows."""

from __future__ import annotations

from tollgate.errors import NotFound


class EntryNotFound(NotFound):
    """No entry of the caller's account has this id (any more); a foreign one is not told apart."""

    default_message = "The blacklist entry was not found"


class Overtaken(Exception):
    """Another writer was first; read again."""
