"""Moving the sandbox clock and receiving callbacks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from control.sandbox.models import LARGEST_BODY, Behaviour, ClockView, Received
from control.sandbox.repository import ClockRepository, InboxRepository
from tollgate import clock
from tollgate.errors import TooLarge


class ClockService:
    """The one clock. After a move, everything that has a schedule runs before the caller hears of it."""

    def __init__(self, repository: ClockRepository, lambda_client: Any, scheduled: Sequence[str]) -> None:
        self._repository = repository
        self._lambda = lambda_client
        self._scheduled = scheduled

    def read(self, ran: Sequence[str] = ()) -> ClockView:
        return {"now": clock.iso(clock.now()), "offset_seconds": self._repository.offset(), "ran": list(ran)}

    def advance(self, seconds: int) -> ClockView:
        self._repository.advance(seconds)
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

    def receive(self, name: str, received: Received) -> dict[str, Any] | None:
        """Remember a request and answer how to behave (None: 200), after the delay asked for."""
        if len(received["body"]) > LARGEST_BODY:
            raise TooLarge(f"An inbox takes bodies of up to {LARGEST_BODY} bytes")
        self._repository.add(name, received)
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
