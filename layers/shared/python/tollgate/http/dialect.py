"""A dialect is how one family talks: credentials, error body, headers. Declared once, used by all groups of the family.

It is data and a few functions. Which status and which code a *kind* of failure has is a table, looked up through the
class hierarchy, so a group's own errors need no entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tollgate.errors import Failure, MethodNotAllowed, Throttled
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route


class Authenticator(Protocol):
    """Proves who is calling, by one of the credentials that the route accepts."""

    def __call__(self, request: Request, route: Route) -> None:
        """Set `request.caller_`; raise Unauthenticated, Forbidden or Invalid."""


@dataclass(frozen=True)
class Kind:
    """How a dialect says a kind of failure."""

    status: int
    code: str


KindTable = Mapping[type[Failure], Kind]


@dataclass(frozen=True)
class Dialect:
    """One family's conventions.

    `kinds` must hold `Failure` itself, the answer to everything unforeseen. `render` makes the error body from the kind
    and the failure (None for an unforeseen error). `negotiate` reads and checks version headers before anything else;
    `headers` are added to every answer, errors included. `canonical_path` maps a path as sent to the one that routes
    declare, for a family that has a second base path; `post_updates_items` lets POST on an item's path mean PATCH.
    """

    name: str
    kinds: KindTable
    render: Callable[[Kind, Failure | None], Any]
    negotiate: Callable[[Request], None]
    headers: Callable[[Request], Mapping[str, str]]
    idempotency_header: str
    replay_header: str
    canonical_path: Callable[[str], str] = str
    post_updates_items: bool = False

    def kind_of(self, failure: Failure | None) -> Kind:
        """The nearest entry along the failure's class hierarchy."""
        if failure is not None:
            for cls in type(failure).__mro__:
                if cls in self.kinds and cls is not Failure:
                    return self.kinds[cls]
        return self.kinds[Failure]

    def error_body(self, failure: Failure) -> Any:
        """The family's error body alone, for doors that are not HTTP."""
        return self.render(self.kind_of(failure), failure)

    def answer_to(self, failure: Failure | None) -> Answer:
        """The family's answer to a failure, or to an unforeseen error when there is none to name."""
        kind = self.kind_of(failure)
        headers: dict[str, str] = {}
        if isinstance(failure, MethodNotAllowed):
            headers["allow"] = ", ".join(failure.allowed)
        if isinstance(failure, Throttled):
            headers["retry-after"] = str(failure.retry_after_seconds)
        if kind.status in (401, 407):
            challenge = "www-authenticate" if kind.status == 401 else "proxy-authenticate"
            headers[challenge] = 'Bearer realm="tollgate"' if kind.status == 401 else 'ApiKey realm="tollgate"'
        return Answer(kind.status, self.render(kind, failure), headers)
