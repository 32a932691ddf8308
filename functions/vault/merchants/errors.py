"""What can go wrong with a merchant beyond what the request itself shows."""

from __future__ import annotations

from tollgate.errors import Forbidden, NotFound


class MerchantNotFound(NotFound):
    """No merchant of the caller's account has this id; a foreign one is not told apart."""

    default_message = "The merchant was not found"


class PrimaryStays(Forbidden):
    """The primary merchant carries the account and cannot be removed."""

    default_message = "The primary merchant cannot be deleted"
