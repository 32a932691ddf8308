"""The network between the components of 3-D Secure, in the process: what one of them sends, the door of its path takes.

The messages are the same bytes as over HTTP; only the socket is missing. Each door runs in a thread of its own, as a
function of its own would, so that its calls are counted as its own. `sent` holds every request in order; `when` puts
something in the way of requests to a path.
"""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from local.routes import RouteTable
from tests.support.environment import DEPLOYMENT
from tests.support.http import event
from tollgate.egress import Answer, BadAnswer, TimedOut

ROUTES = RouteTable(DEPLOYMENT.routes)

Obstacle = Callable[[Callable[[], Answer]], Answer]
"""Stands in for a request: may make it, may not, may raise."""


@dataclass(frozen=True)
class Sent:
    """One request that left a component."""

    path: str
    message: dict[str, Any]


@dataclass
class Network:
    """Stands in for `Egress.request`."""

    sent: list[Sent] = field(default_factory=list)
    _obstacles: dict[str, list[Obstacle]] = field(default_factory=dict)

    def request(self, method: str, url: str, headers: Any = (), body: bytes | None = None, **limits: Any) -> Answer:
        assert limits["deadline_seconds"] > 0
        assert limits["max_response_bytes"] > 0
        path = urlsplit(url).path
        self.sent.append(Sent(path, json.loads(body or b"{}")))
        waiting = self._obstacles.get(path)

        def go() -> Answer:
            return _at_the_door(method, path, dict(headers), body)

        return waiting[0](go) if waiting else go()

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """Every message of a type that was sent so far."""
        return [each.message for each in self.sent if each.message.get("messageType") == kind]

    @contextmanager
    def when(self, path: str, obstacle: Obstacle) -> Iterator[None]:
        """Within the block, requests to a path meet this."""
        waiting = self._obstacles.setdefault(path, [])
        waiting.insert(0, obstacle)
        try:
            yield
        finally:
            waiting.remove(obstacle)


def _at_the_door(method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
    match = ROUTES.match(method, path)
    assert match is not None
    module, _, name = DEPLOYMENT.functions[match.route.function].handler.rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    asked = event(method, path, headers={"host": "tollgate.test", **headers}, body=body)
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(handler, asked, object()).result()
    text = answer.get("body", "")
    raw = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    return Answer(answer["statusCode"], list(answer["headers"].items()), raw)


def unreachable(go: Callable[[], Answer]) -> Answer:
    """No connection."""
    raise BadAnswer("connect")


def silent(go: Callable[[], Answer]) -> Answer:
    """It was sent, and nothing came back; nobody acted on it."""
    raise TimedOut("deadline", sent=True)


def loses_the_answer(go: Callable[[], Answer]) -> Answer:
    """It was acted on, and the answer got lost."""
    go()
    raise TimedOut("deadline", sent=True)


def answers(status: int = 200, body: bytes | dict[str, Any] = b"") -> Obstacle:
    """Somebody else answers."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda go: Answer(status, [], content)


def with_changes(**changes: Any) -> Obstacle:
    """The right answer, with elements changed; None takes one out."""

    def change(go: Callable[[], Answer]) -> Answer:
        answer = go()
        message = {**json.loads(answer.body), **changes}
        kept = {name: value for name, value in message.items() if value is not None}
        return Answer(answer.status, answer.headers, json.dumps(kept).encode())

    return change
