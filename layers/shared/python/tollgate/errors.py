"""The kinds of failure, told apart by what a caller or a queue can do about them.

A kind knows nothing of HTTP. A *dialect* turns kinds into a family's answers and `tollgate.queue` turns the same
kinds into retry or give up, both through the class hierarchy, so an endpoint group adds an error by subclassing
a kind and edits no table::

    Failure
    ├── Malformed             the request cannot be read (bad JSON, bad encoding)
    ├── Invalid               it can be read and breaks a rule; carries the path of every fault
    │   └── IdempotencyMismatch   the key was used before with another request
    ├── Unauthenticated       no credential, or one that does not hold
    ├── Forbidden             a good credential that may not do this
    ├── NotFound              not there, or another tenant's
    │   └── NoSuchRoute
    ├── MethodNotAllowed
    ├── TooLarge              over a stated limit of size
    ├── UnsupportedMedia
    ├── Conflict              the state does not allow it (any more)
    │   ├── StillRunning      the first request with this idempotency key has not ended
    │   └── Contended         lost against other writers more often than we retry; safe to send again
    ├── Throttled             over a rate; carries when to come back
    ├── Upstream              another party failed
    │   ├── UpstreamRefused   it answered something unusable
    │   └── UpstreamTimeout   it did not answer in time; the outcome there is unknown
    └── Unavailable           we cannot serve this now

Messages are for people and are shown to them: they never contain a value that a caller sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule: `path` points at the member (`$.schemes[0].name`, `query.limit`, `header.x-…`)."""

    path: str
    message: str


class Failure(Exception):
    """Root of every failure that a caller may be told about."""

    default_message: ClassVar[str] = "The request could not be served"

    def __init__(self, message: str | None = None, *, code: str | None = None) -> None:
        self.message = message or self.default_message
        self.code = code
        super().__init__(self.message)


class Malformed(Failure):
    default_message = "The request could not be read"

    def __init__(self, message: str | None = None, *, path: str = "$", code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.faults: tuple[Fault, ...] = (Fault(path, self.message),)


class Invalid(Failure):
    default_message = "The request is not valid"

    def __init__(self, faults: Sequence[Fault] = (), message: str | None = None, *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.faults: tuple[Fault, ...] = tuple(faults)

    @classmethod
    def at(cls, path: str, message: str) -> Invalid:
        return cls([Fault(path, message)])


class IdempotencyMismatch(Invalid):
    default_message = "The idempotency key was used before with another request"


class Unauthenticated(Failure):
    default_message = "No valid means of authentication was provided"


class Forbidden(Failure):
    default_message = "This credential does not permit the operation"


class NotFound(Failure):
    default_message = "The resource was not found"


class NoSuchRoute(NotFound):
    default_message = "There is nothing at this path"


class MethodNotAllowed(Failure):
    default_message = "The method is not allowed at this path"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__()
        self.allowed: tuple[str, ...] = tuple(allowed)


class TooLarge(Failure):
    default_message = "The request is larger than the limit"


class UnsupportedMedia(Failure):
    default_message = "The content type is not supported"


class Conflict(Failure):
    default_message = "The state of the resource does not allow this"


class StillRunning(Conflict):
    default_message = "The first request with this idempotency key is still running"


class Contended(Conflict):
    default_message = "Too many simultaneous changes; the request had no effect and can be sent again"


class Throttled(Failure):
    default_message = "Too many requests"

    def __init__(self, retry_after_seconds: int, message: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Upstream(Failure):
    default_message = "Another party failed"


class UpstreamRefused(Upstream):
    default_message = "A non-processable response was received from the upstream server"


class UpstreamTimeout(Upstream):
    default_message = "The server did not receive any response in time from the upstream server"


class Unavailable(Failure):
    default_message = "The server is currently not able to handle the request"
