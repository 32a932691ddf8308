"""Moving the sandbox clock and receiving callbacks."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from control.sandbox.models import LARGEST_BODY, Behaviour, ClockView, Received
from control.sandbox.repository import InboxRepository
from tollgate import clock, sandbox_clock
from tollgate.errors import TooLarge
from tollgate.http.message import Request
from tollgate.store.table import Table


class ClockService:
    """The one clock. After a move, everything that has a schedule runs before the caller hears of it."""

    def __init__(self, table: Table, lambda_client: Any, scheduled: Sequence[str]) -> None:
        self._table = table
        self._lambda = lambda_client
        self._scheduled = scheduled

    def read(self, ran: Sequence[str] = ()) -> ClockView:
        item = self._table.get(*sandbox_clock.KEY)
        offset = item["offset_seconds"] if item else 0
        return {"now": clock.iso(clock.now()), "offset_seconds": offset, "ran": list(ran)}

    def advance(self, seconds: int) -> ClockView:
        sandbox_clock.advance(self._table, seconds)
        for name in self._scheduled:
            self._lambda.invoke(
                FunctionName=name,
                InvocationType="RequestResponse",
                Payload=json.dumps({"source": "tollgate.sandbox", "time": clock.iso(clock.now())}),
            )
        return self.read(self._scheduled)


class InboxService:
    """A receiver that remembers, and misbehaves on request."""

    def __init__(self, repository: InboxRepository) -> None:
        self._repository = repository

    def receive(self, name: str, request: Request) -> dict[str, Any] | None:
        """Remember a request and answer how to behave (None: 200), after the delay asked for."""
        self._repository.add(name, _received(request))
        behaviour = self._repository.next_behaviour(name)
        if behaviour and behaviour["delay_seconds"]:
            clock.pause(behaviour["delay_seconds"])
        return behaviour

    def list(self, name: str) -> list[Received]:
        return self._repository.all(name)

    def clear(self, name: str) -> None:
        self._repository.clear(name)

    def behave(self, name: str, behaviour: Behaviour) -> None:
        self._repository.behave(name, behaviour)


def _received(request: Request) -> Received:
    body = request.raw_body()
    if len(body) > LARGEST_BODY:
        raise TooLarge(f"An inbox takes bodies of up to {LARGEST_BODY} bytes")
    try:
        text, encoded = body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    path = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
    return {
        "received_at": clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "method": request.method,
        "path": path,
        "headers": dict(request.headers),
        "body": text,
        "body_is_base64": encoded,
    }
