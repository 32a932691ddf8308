"""What can go wrong at the issuer's page."""

from __future__ import annotations

from tollgate.errors import Conflict, NotFound


class ChallengeUnknown(NotFound):
    """The CReq is none, or of no transaction of this server."""

    default_message = "The challenge was not found"


class ChallengeEnded(Conflict):
    """It was completed before, or its time is over."""

    default_message = "The challenge has ended"


class SessionMoved(Exception):
    """Another request or the clock moved the session; read again."""
