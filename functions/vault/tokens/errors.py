"""What can go wrong with a token beyond what the request itself shows."""

from __future__ import annotations

from tollgate.errors import NotFound


class TokenNotFound(NotFound):
    """No token of the caller's account has this id (any more); a foreign one is not told apart."""

    default_message = "The token was not found"
