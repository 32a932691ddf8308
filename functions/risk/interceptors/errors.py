"""What can go wrong with interceptors beyond what the request itself shows."""

from __future__ import annotations

from tollgate.errors import Conflict, Forbidden, NotFound


class InterceptorNotFound(NotFound):
    """No interceptor of the caller's account has this id, or no active one this reference."""

    default_message = "The interceptor was not found"


class NotDraft(Conflict):
    """Only a draft can be changed or activated."""

    default_message = "Only an interceptor DRAFT can be changed or activated"


class NotInactive(Conflict):
    """Only what was active before can be rolled back to."""

    default_message = "Only an interceptor INACTIVE can be rolled back to"


class TooManyInterceptors(Forbidden):
    """The account has as many references as it may have."""

    default_message = "An interceptor has at most 1000 versions"


class Overtaken(Exception):
    """Another writer was first; read again."""


class MappingFailed(Exception):
    """A request cannot be made a decision of. `reason` is one of a few words, fit for a log, with nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
