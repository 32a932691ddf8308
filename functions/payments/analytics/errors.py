"""What can go wrong with a query, before it is carried out and while it is."""

from __future__ import annotations

from tollgate.dialects.payments import StateInvalid
from tollgate.errors import Invalid, NotFound

__all__ = ["QueryNotFound", "QueryRefused", "SettledBefore", "StateInvalid", "TooManySpaces"]


class QueryNotFound(NotFound):
    """No query of the account has this token or external id (any more)."""

    default_message = "The query was not found"


class TooManySpaces(Invalid):
    """The account has more spaces below it than one query reads."""

    default_message = "The account has more spaces than a query can read"


class QueryRefused(Exception):
    """A query that is not carried out, or not to its end; `message` is for its owner and repeats nothing of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettledBefore(Exception):
    """The query came to its end in another way: cancelled, or carried out by another worker."""
