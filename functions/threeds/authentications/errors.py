"""What can go wrong with an authentication beyond what its request shows, and the races that are settled inside."""

from __future__ import annotations

from tollgate.errors import Conflict, NotFound


class AuthenticationNotFound(NotFound):
    """No authentication of the caller's account has this id; a foreign one is not told apart."""

    default_message = "The authentication was not found"


class ChallengeNotFound(NotFound):
    """There is no challenge of this session."""

    default_message = "The challenge was not found"


class ChallengeOver(Conflict):
    """The challenge was completed before, or its time is over."""

    default_message = "The challenge has ended"


class AuthenticationChanged(Exception):
    """Another writer moved the authentication, or the series it belongs to; read again."""
