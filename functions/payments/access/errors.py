"""What can go wrong with accounts, spaces, users, keys and roles."""

from __future__ import annotations

from tollgate.errors import Contended, Forbidden, Invalid, NotFound


class NumberTaken(Contended):
    """Another process made the same number in the same millisecond; sent again it gets another."""


class UserNotFound(NotFound):
    """No user of this kind has this id, or it is another tenant's."""

    default_message = "The user was not found"


class KeyNotFound(NotFound):
    """The user has no authentication key of this id."""

    default_message = "The authentication key was not found"


class RoleNotAssigned(NotFound):
    """The user does not have this role there."""

    default_message = "The role is not assigned to the user"


class MoreThanOwn(Forbidden):
    """Nobody can hand out what they do not have."""

    default_message = "The role holds a permission that the user lacks there"


class NotEmpty(Invalid):
    """An account with spaces or accounts below it is not deleted (422)."""

    default_message = "The account still has spaces or accounts below it"

    def __init__(self) -> None:
        super().__init__(code="account_not_empty")


class Unchangeable(Invalid):
    """The tenant's root account and the roles it came with stay as they are (422)."""

    default_message = "The object came with the tenant and stays as it is"

    def __init__(self) -> None:
        super().__init__(code="object_protected")


class LimitReached(Invalid):
    """There are as many as there may be (422)."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__((), f"There may be at most {most} {what}", code="limit_reached")


class NotActive(Invalid):
    """The account to put something into is not active, or full (422)."""
