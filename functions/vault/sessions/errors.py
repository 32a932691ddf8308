"""What can go wrong with a session beyond what the request itself shows."""

from __future__ import annotations

from typing import Literal

from tollgate.errors import Conflict, NotFound

ReasonCode = Literal[
    "invalid_card_number", "invalid_expiry_date", "invalid_security_code", "invalid_test_card", "invalid_payload"
]


class SessionNotFound(NotFound):
    """There is no such session, or its time is over; the two are not told apart."""

    default_message = "The session was not found"


class SessionOver(Conflict):
    """The session made its token, or used up its attempts."""

    default_message = "The session has ended"


class CardRefused(Exception):
    """The card cannot be taken. No failure of the request: the session answers 200 and says why."""

    def __init__(self, reason_code: ReasonCode) -> None:
        super().__init__(reason_code)
        self.reason_code: ReasonCode = reason_code
