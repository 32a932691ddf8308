"""The Runtime API for one worker: the four calls by which Lambda's own runtime client fetches events and answers them.

One listening socket per worker, so that the socket tells which worker calls. Knows nothing of pools or processes.
Source: the Lambda developer guide, "Using the Lambda runtime API".
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from local.http_server import HttpServer, Limits, Request, Response

_PREFIX = b"/2018-06-01/runtime/"
MAXIMUM_PAYLOAD = 6 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function returned (JSON), or the error it raised (`errorType`, `errorMessage`, `stackTrace`)."""

    payload: bytes
    is_error: bool


@dataclass(slots=True)
class _Invocation:
    request_id: str
    payload: bytes
    deadline_ms: int
    answer: asyncio.Future[Answer]


class RuntimeApi:
    """Serves one worker. `ready` is set when the worker first asks for an event."""

    def __init__(self, function_arn: str) -> None:
        self._arn = function_arn.encode()
        self._server = HttpServer(self._handle, Limits(body=2 * MAXIMUM_PAYLOAD))
        self._waiting: asyncio.Queue[_Invocation] = asyncio.Queue()
        self._current: _Invocation | None = None
        self.ready = asyncio.Event()
        self.start_error: bytes | None = None

    async def start(self) -> int:
        await self._server.start()
        return self._server.port

    async def stop(self) -> None:
        await self._server.stop()

    def submit(self, request_id: str, payload: bytes, timeout_seconds: float) -> asyncio.Future[Answer]:
        """Hand over one event; the future gets the function's answer."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        deadline = int((time.time() + timeout_seconds) * 1000)
        self._waiting.put_nowait(_Invocation(request_id, payload, deadline, answer))
        return answer

    async def _handle(self, request: Request) -> Response:
        action = request.target.removeprefix(_PREFIX)
        if action == b"invocation/next":
            return await self._next()
        if action == b"init/error":
            self.start_error = request.body
            return _accepted()
        _, _, rest = action.partition(b"invocation/")
        request_id, _, verb = rest.partition(b"/")
        return self._answer(request_id.decode("latin-1"), verb, request.body)

    async def _next(self) -> Response:
        self.ready.set()
        self._current = invocation = await self._waiting.get()
        headers = [
            (b"content-type", b"application/json"),
            (b"lambda-runtime-aws-request-id", invocation.request_id.encode()),
            (b"lambda-runtime-deadline-ms", b"%d" % invocation.deadline_ms),
            (b"lambda-runtime-invoked-function-arn", self._arn),
        ]
        return Response(200, headers, invocation.payload)

    def _answer(self, request_id: str, verb: bytes, body: bytes) -> Response:
        invocation = self._current
        if invocation is None or invocation.request_id != request_id or verb not in {b"response", b"error"}:
            return Response(400)
        self._current = None
        if not invocation.answer.done():
            invocation.answer.set_result(_bounded(body, is_error=verb == b"error"))
        return _accepted()


def _bounded(body: bytes, *, is_error: bool) -> Answer:
    if len(body) <= MAXIMUM_PAYLOAD:
        return Answer(body, is_error)
    text = b'{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"The answer is over 6 MB"}'
    return Answer(text, is_error=True)


def _accepted() -> Response:
    return Response(202, [(b"content-type", b"application/json")], b'{"status":"OK"}')
