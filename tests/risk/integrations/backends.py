"""A Link instance for tests: on loopback, with backends that answer as told, and everything that it was asked kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import risk.decisions.handler as decisions_door
import risk.events.handler as events_door
import risk.integrations.handler as integrations_door
import risk.settlements.worker as worker_door
from risk.integrations.clients.gateway import Gateway
from risk.integrations.clients.simulator import BASE_URL, Simulator
from tests.risk.instances import Instance
from tests.shared.egress.peers import Peer, Visit
from tollgate.egress import Egress

NOTIFIED = [f"notify.{kind}" for kind in ("authorization", "chargeback", "resolution")]


@dataclass(frozen=True)
class Asked:
    """A request that the instance got."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any
    raw: bytes

    @property
    def backend(self) -> str:
        return self.query.get("backend", [""])[0]

    @property
    def action(self) -> str:
        return self.path.rpartition("/")[2]


def verdict(value: str, **more: Any) -> tuple[int, Any]:
    return 200, {"type": "enum", "value": value, "backend_reference": f"ref-{value.lower()}", **more}


@dataclass
class LinkServer:
    """What each backend answers to `assess`: (status, body), None for no answer at all."""

    peer: Peer = field(init=False)
    answers: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    described: list[Any] | None = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    headers: list[str] = field(default_factory=lambda: ["x-link-execution: exec-1", "server-timing: total;dur=12.6"])
    gate: threading.Barrier | None = None

    def play(self, visit: Visit) -> None:
        asked = _asked(visit.request)
        self.asked.append(asked)
        if asked.path.endswith("/backends"):
            answer: Any = (404, {}) if self.described is None else (200, {"backends": self.described})
        elif asked.action == "assess":
            if self.gate is not None:
                self.gate.wait(10)
            answer = self.answers.get(asked.backend, verdict("ALLOW"))
        else:
            answer = self.told.get(asked.backend, (200, {}))
        if answer is None:
            visit.hang()
            return
        status, body = answer
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = "".join(f"{each}\r\n" for each in [*self.headers, f"content-length: {len(data)}"])
        visit.send(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + data)

    def describe(self, *ids: str, **members: Any) -> None:
        """Backends with these ids; `members` of each."""
        usual = {"enabled": True, "actions": ["assess", *NOTIFIED], "required_fields": []}
        self.described = [{"id": each, **usual, **members} for each in ids]

    def of(self, action: str) -> list[Asked]:
        return [each for each in self.asked if each.action == action]


def _asked(request: bytes) -> Asked:
    head, _, raw = request.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    method, target, _ = line.split(" ")
    parts = urlsplit(target)
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
    return Asked(method, parts.path, parse_qs(parts.query), headers, json.loads(raw) if raw else None, raw)


@contextmanager
def serving(patch: Callable[[Any, str, Any], None]) -> Iterator[LinkServer]:
    """A running instance that all doors may call."""
    made = LinkServer()
    with Peer(made.play) as made.peer:
        peer = made.peer
        egress = Egress({peer.listed})

        def open_link(base_url: str, token: str | None) -> Any:
            return Simulator() if base_url == BASE_URL else Gateway(egress, base_url, token)

        for access in (decisions_door._service._access, integrations_door._access, worker_door._service._access):
            assert access is not None
            patch(access.directory, "_open_link", open_link)
        patch(events_door._service._notifier._directory, "_open_link", open_link)
        patch(integrations_door._service, "_check", lambda url: None)
        yield made


def connected(instance: Instance, base_url: str = BASE_URL, **members: Any) -> dict[str, Any]:
    """The instance with an integration `link`."""
    sent = {"name": "Link", "slug": "link", "type": "link", "base_url": base_url, **members}
    answer = instance.send("POST", "/api/admin/integrations", json_body=sent)
    assert answer.status == 201, answer.body
    return dict(answer.json)


def rule(backend: str = "link/acme", **members: Any) -> dict[str, Any]:
    return {"id": "b", "type": "backend", "backend": backend, **members}


def group(*members: Any, strategy: str = "fallback", **more: Any) -> dict[str, Any]:
    named = [each if isinstance(each, dict) else {"backend": each} for each in members]
    return {"id": "g", "type": "backend_group", "members": named, "strategy": strategy, **more}
