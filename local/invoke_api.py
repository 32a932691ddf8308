"""Lambda's Invoke API on an internal loopback port: functions call functions through it with the real SDK.

RequestResponse, Event (with Lambda's two retries and the on-failure queue) and DryRun. Nothing else of Lambda's API.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from local.http_server import Request, Response
from local.runtime_api import MAXIMUM_PAYLOAD
from local.template import Deployment, Function
from local.workers import Outcome, Workers

_PREFIX = "/2015-03-31/functions/"
_EVENT_LIMIT = 256 * 1024
# Lambda waits one and two minutes; a laptop's user should not have to.
RETRY_AFTER = (1.0, 4.0)

# Reports an event given up on: the on-failure queue's ARN, the message.
SendTo = Callable[[str, str], Awaitable[None]]


class InvokeApi:
    """The handler of the internal port, and asynchronous invocation for whoever else needs it."""

    def __init__(self, deployment: Deployment, workers: Workers, send_to: SendTo) -> None:
        self._deployment = deployment
        self._workers = workers
        self._send_to = send_to
        self._running: set[asyncio.Task[Outcome]] = set()

    async def handle(self, request: Request) -> Response:
        path = unquote(request.target.decode("ascii").partition("?")[0])
        if request.method != "POST" or not path.startswith(_PREFIX) or not path.endswith("/invocations"):
            return _refuse(404, "UnknownOperationException", "Only Invoke is served here")
        function = self._deployment.find_function(path[len(_PREFIX) : -len("/invocations")])
        if function is None:
            return _refuse(404, "ResourceNotFoundException", "Function not found")
        kind = (request.header(b"x-amz-invocation-type") or b"RequestResponse").decode("latin-1")
        payload = request.body or b"{}"
        refused = _check_payload(payload, kind)
        return refused or await self._run(function, payload, kind)

    async def _run(self, function: Function, payload: bytes, kind: str) -> Response:
        if kind == "DryRun":
            return Response(204)
        if kind == "Event":
            self.start(function, payload)
            return Response(202, [(b"x-amz-executed-version", b"$LATEST")])
        outcome = await self._workers.invoke(function, payload, nested=True)
        headers = [(b"content-type", b"application/json"), (b"x-amz-executed-version", b"$LATEST")]
        if outcome.is_error:
            headers.append((b"x-amz-function-error", b"Unhandled"))
        return Response(200, headers, outcome.payload)

    def start(self, function: Function, payload: bytes) -> asyncio.Task[Outcome]:
        """Invoke asynchronously: at once, again after failures, and to the on-failure queue in the end."""
        task = asyncio.create_task(self._persist(function, payload))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def close(self) -> None:
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _persist(self, function: Function, payload: bytes) -> Outcome:
        outcome = await self._workers.invoke(function, payload, nested=True)
        for attempt in range(function.retries):
            if not outcome.is_error:
                return outcome
            await asyncio.sleep(RETRY_AFTER[min(attempt, len(RETRY_AFTER) - 1)])
            outcome = await self._workers.invoke(function, payload, nested=True)
        if outcome.is_error and function.on_failure_arn:
            await self._send_to(function.on_failure_arn, _failure_message(function, payload, outcome))
        return outcome


def _failure_message(function: Function, payload: bytes, outcome: Outcome) -> str:
    return json.dumps(
        {
            "version": "1.0",
            "requestContext": {
                "functionArn": f"{function.arn}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": function.retries + 1,
            },
            "requestPayload": json.loads(payload),
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": json.loads(outcome.payload),
        }
    )


def _check_payload(payload: bytes, kind: str) -> Response | None:
    if kind not in {"RequestResponse", "Event", "DryRun"}:
        return _refuse(400, "InvalidParameterValueException", "Unknown invocation type")
    if len(payload) > (_EVENT_LIMIT if kind == "Event" else MAXIMUM_PAYLOAD):
        return _refuse(413, "RequestTooLargeException", "The payload is too large")
    try:
        json.loads(payload)
    except ValueError:
        return _refuse(400, "InvalidRequestContentException", "The payload is not JSON")
    return None


def _refuse(status: int, kind: str, text: str) -> Response:
    headers = [(b"content-type", b"application/json"), (b"x-amzn-errortype", kind.encode())]
    return Response(status, headers, json.dumps({"Type": "User", "Message": text}).encode())
