"""What can go wrong in provisioning."""

from __future__ import annotations

from tollgate.errors import Invalid, NotFound


class AccountNotFound(NotFound):
    """No account has this id."""

    default_message = "The account was not found"


class AudienceTaken(Invalid):
    """Another account's risk instance has this name."""

    default_message = "The audience belongs to another account"
