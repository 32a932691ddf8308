"""What can go wrong in provisioning."""

from __future__ import annotations

from tollgate.errors import NotFound


class AccountNotFound(NotFound):
    """No account has this id."""

    default_message = "The account was not found"
