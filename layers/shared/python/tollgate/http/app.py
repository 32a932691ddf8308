"""Runs one request through its route: negotiate, authenticate, claim the idempotency key, call, answer, log.

Checks come in the order that gives nothing away: credential (401), permission (403), tenant-scoped lookup (404),
content (422); the last two are the endpoint's, which looks up before it parses. Every answer, framework errors
included, is in the dialect of the family. An unforeseen error is logged by its type and place, never by its text, and
answered neutrally.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tollgate import sandbox_clock
from tollgate.errors import Failure, Invalid, MethodNotAllowed, Unauthenticated, Unavailable
from tollgate.http.dialect import Authenticator, Dialect
from tollgate.http.message import Answer, Request, to_event
from tollgate.http.route import Route, Router
from tollgate.log import Journal
from tollgate.store.idempotency import AlreadyAnswered, Claim

Claimant = Callable[[Request, str, str], Claim]
"""Makes the claim of a request: (request, operation, key) → claim. Given by groups that have idempotent routes."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_CAPACITY = frozenset({"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"})


class App:
    """The HTTP door of one endpoint group."""

    def __init__(
        self,
        dialect: Dialect,
        routes: Sequence[Route],
        *,
        journal: Journal,
        authenticate: Authenticator | None = None,
        claim: Claimant | None = None,
    ) -> None:
        self.dialect = dialect
        self.router = Router(routes)
        self._authenticate = authenticate
        self._journal = journal
        self._claim = claim

    def __call__(self, event: Mapping[str, Any], context: object) -> dict[str, Any]:
        started = time.perf_counter()
        sandbox_clock.refresh()
        request = Request.from_event(event)
        route, answer = self._answer(request)
        duration_ms = (time.perf_counter() - started) * 1000
        self._journal.request(request, route.path if route else "-", answer.status, duration_ms)
        headers = {
            **self.dialect.headers(request),
            "cache-control": "no-store",
            "x-request-id": request.request_id,
            "server-timing": f"app;dur={duration_ms:.1f}",
            "strict-transport-security": "max-age=63072000",
            "x-content-type-options": "nosniff",
        }
        return to_event(answer, headers)

    def _answer(self, request: Request) -> tuple[Route | None, Answer]:
        route: Route | None = None
        try:
            route = self._route(request)
            return route, self._serve(request, route)
        except AlreadyAnswered as earlier:
            return route, Answer(route.status if route else 200, earlier.body, {self.dialect.replay_header: "true"})
        except Failure as failure:
            request.notes["failure"] = type(failure).__name__
            if hasattr(failure, "reason"):  # words of ours, fit for a log and kept from the caller
                request.notes["reason"] = failure.reason
            return route, self.dialect.answer_to(failure)
        except (BotoCoreError, ClientError) as error:
            self._journal.fault(request, error)
            return route, self.dialect.answer_to(_unavailable(error))
        except Exception as error:  # the door is where an unforeseen error has to stop
            self._journal.fault(request, error)
            return route, self.dialect.answer_to(None)

    def _route(self, request: Request) -> Route:
        path = self.dialect.canonical_path(request.path)
        try:
            route, request.parameters = self.router.find(request.method, path)
        except MethodNotAllowed as refused:
            if not (self.dialect.post_updates_items and request.method == "POST" and "PATCH" in refused.allowed):
                raise
            route, request.parameters = self.router.find("PATCH", path)
            if not route.path.endswith("}"):
                raise
        return route

    def _serve(self, request: Request, route: Route) -> Answer:
        if route.access:
            if self._authenticate is None:
                raise Unauthenticated
            self._authenticate(request, route)
        self.dialect.negotiate(request)
        if route.idempotent:
            self._claim_key(request, route)
        return route.endpoint(request)

    def _claim_key(self, request: Request, route: Route) -> None:
        """Turn the idempotency header, if there, into a claim; answer at once what was answered before."""
        key = request.header(self.dialect.idempotency_header)
        if key is None or self._claim is None:
            return
        if not _KEY.fullmatch(key):
            raise Invalid.at(f"header.{self.dialect.idempotency_header}", "must be 1 to 255 visible ASCII characters")
        claim = self._claim(request, f"{route.method} {request.path}", key)
        earlier = claim.find()
        if earlier is not None:
            raise AlreadyAnswered(earlier)
        request.once = claim


def _unavailable(error: Exception) -> Failure | None:
    """A store that is out of reach or out of capacity is a matter of time; anything else it says is our fault."""
    if isinstance(error, ClientError):
        return Unavailable() if error.response["Error"]["Code"] in _CAPACITY else None
    return Unavailable()


def where(error: BaseException) -> str:
    """The innermost frame of an error, as `file:line function`: enough to find it, nothing of its content."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "-"
    frame = frames[-1]
    return f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
