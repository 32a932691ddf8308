"""How an outgoing request can fail, as kinds that every dialect and queue already knows.

Each failure says in `sent` whether the other side may have seen any of the request: False is certain and makes another
attempt safe; True means nobody here knows. `reason` is one of a fixed set of words for logs. Neither the message nor
the reason contains anything of the URL, the headers, the body or the answer.
"""

from __future__ import annotations

from typing import ClassVar

from tollgate import errors


class EgressFailure(errors.Failure):
    """Root of what the guard raises, beside its kind. `reason` never goes to a caller: it tells rules apart."""

    def __init__(self, reason: str, *, sent: bool = False) -> None:
        super().__init__()
        self.reason = reason
        self.sent = sent


class TargetRefused(errors.Forbidden, EgressFailure):
    """The destination may not be called. One message for every rule, so that nobody can map our network with it."""

    default_message: ClassVar[str] = "The destination is not permitted"


class RequestRefused(EgressFailure, errors.Malformed):
    """The method or a header cannot be sent as it is (line breaks, a header that belongs to the connection)."""

    default_message: ClassVar[str] = "The request to the destination is not valid"


class TimedOut(errors.UpstreamTimeout, EgressFailure):
    """The deadline passed: while connecting, sending, waiting, or reading."""


class BadAnswer(errors.UpstreamRefused, EgressFailure):
    """No connection, no trusted certificate, no readable HTTP, or an answer over the limit of size."""


class ResolverDown(errors.Unavailable, EgressFailure):
    """Names cannot be resolved at the moment."""
