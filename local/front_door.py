"""The front door: turns HTTP requests into invocations and their results into answers, as an HTTP API does.

It adds nothing and hides nothing of a request; a function's failure becomes API Gateway's neutral text and its details
stay in the function's log.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from local.http_server import Limits, Request, Response
from local.payload import BadAnswerError, event_of, message, response_of
from local.routes import RouteTable
from local.runtime_api import MAXIMUM_PAYLOAD
from local.workers import Ending, Outcome

# Sizes and times of API Gateway: 10 KB of head, 10 MB of body, 30 s for an answer.
LIMITS = Limits(head=10 * 1024, body=10_000_000, idle=75.0, head_wait=10.0, body_wait=30.0)
ANSWER_WITHIN = 30.0

# Runs a function (by logical id) on an event.
Invoke = Callable[[str, bytes], Awaitable[Outcome]]
Log = Callable[[str, str], None]


class FrontDoor:
    """The handler of the public port."""

    def __init__(self, routes: RouteTable, invoke: Invoke, log: Log, answer_within: float = ANSWER_WITHIN) -> None:
        self._routes = routes
        self._invoke = invoke
        self._log = log
        self._answer_within = answer_within
        self._running: set[asyncio.Future[Outcome]] = set()

    async def handle(self, request: Request) -> Response:
        target = _origin_form(request.target)
        if target is None:
            return message(400, "Bad Request")
        raw_path, _, raw_query = target.partition("?")
        match = self._routes.match(request.method, raw_path)
        if match is None:
            return message(404, "Not Found")
        event = event_of(request, match, raw_path, raw_query)
        payload = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        if len(payload) > MAXIMUM_PAYLOAD:
            return message(413, "Request Too Long")
        return await self._answer(match.route.function, payload, event["requestContext"]["requestId"])

    async def _answer(self, function: str, payload: bytes, request_id: str) -> Response:
        running = asyncio.ensure_future(self._invoke(function, payload))
        self._running.add(running)  # a function runs to its end even when nobody waits for its answer any more
        running.add_done_callback(self._running.discard)
        try:
            async with asyncio.timeout(self._answer_within):
                outcome = await asyncio.shield(running)
        except TimeoutError:
            return message(503, "Service Unavailable")
        if outcome.ending is Ending.TIMED_OUT:
            return message(504, "Internal Server Error")
        if outcome.is_error:
            return message(500, "Internal Server Error")
        try:
            return response_of(outcome.payload, request_id)
        except BadAnswerError as error:
            self._log(function, f"The answer cannot be sent: {error}")
            return message(500, "Internal Server Error")


def refusal(status: int) -> Response:
    """The answer to a request that the server itself refuses."""
    texts = {408: "Request Timeout", 413: "Request Too Long", 431: "Request Header Fields Too Large"}
    return message(status, texts.get(status, "Bad Request"))


def _origin_form(target: bytes) -> str | None:
    """Path and query as sent, without scheme and host of an absolute target; None for what an API has no use for."""
    text = target.decode("ascii")
    if text.lower().startswith(("http://", "https://")):
        authority = text.split("://", 1)[1]
        cut = min((index for index in (authority.find("/"), authority.find("?")) if index >= 0), default=len(authority))
        text = authority[cut:]
        if not text.startswith("/"):
            text = "/" + text
    return text if text.startswith("/") and "#" not in text else None
