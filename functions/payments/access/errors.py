"""What can go wrong with accounts, spaces, users, keys and roles."""

from __future__ import annotations

from tollgate.errors import Contended, NotFound


class NumberTaken(Contended):
    """Another process made the same number in the same millisecond; sent again it gets another."""


class UserNotFound(NotFound):
    """No user of this kind has this id, or it is another tenant's."""

    default_message = "The user was not found"


class KeyNotFound(NotFound):
    """The user has no authentication key of this id."""

    default_message = "The authentication key was not found"
