"""The HTTP door of the sandbox; the template deploys it only where `Environment=sandbox`."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from control.provisioning.public import Provisioning
from control.sandbox.models import Advance, Behaviour, ClockView, Inbox, ProvisioningAnswer, Received
from control.sandbox.repository import ClockRepository, InboxRepository
from control.sandbox.service import ClockService, InboxService
from tollgate import aws, clock, config
from tollgate.config import PaymentsSettings
from tollgate.dialects.vault import VAULT
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.table import Table

_ANYONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Settings(PaymentsSettings):
    """`scheduled_functions` run whenever the clock moves."""

    scheduled_functions: tuple[str, ...]


_settings = config.load(Settings)
_table = Table(_settings.sandbox_table, aws.dynamodb())
_clock = ClockService(ClockRepository(_table), aws.lambda_(), _settings.scheduled_functions)
_inbox = InboxService(InboxRepository(_table))
_provisioning = Provisioning.of(_settings)


def provision(request: Request) -> Answer:
    """The same payload as a direct invocation of the provisioning function, the same answer."""
    return Answer(200, _provisioning.carry_out(request.json()))


def read_clock(request: Request) -> Answer:
    """The time that every function sees."""
    return Answer(200, _clock.read())


def advance_clock(request: Request) -> Answer:
    """Move the clock forward; what falls due runs before the answer returns."""
    return Answer(200, _clock.advance(request.parse(Advance).advance_seconds))


def list_inbox(request: Request) -> Answer:
    """What the inbox received, oldest first."""
    return Answer(200, {"requests": _inbox.list(request.parameters["name"])})


def set_inbox_behaviour(request: Request) -> Answer:
    """Make the inbox's next answers fail in this way."""
    behaviour = request.parse(Behaviour)
    _inbox.behave(request.parameters["name"], behaviour)
    return Answer(200, behaviour.model_dump())


def empty_inbox(request: Request) -> Answer:
    """Forget what the inbox received and how it was to behave."""
    _inbox.clear(request.parameters["name"])
    return Answer(204)


def receive(request: Request) -> Answer:
    """Take whatever comes, and answer 200 or as the inbox was told to."""
    behaviour = _inbox.receive(request.parameters["name"], _received(request))
    if behaviour is None:
        return Answer(200, {"received": True})
    return Answer(behaviour["status"], behaviour["body"].encode(), content_type="text/plain; charset=utf-8")


def _received(request: Request) -> Received:
    """The request as an inbox shows it; a body that is not text becomes base64."""
    body = request.raw_body()
    try:
        text, encoded = body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    return {
        "received_at": clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "method": request.method,
        "path": f"{request.path}?{request.raw_query}" if request.raw_query else request.path,
        "headers": dict(request.headers),
        "body": text,
        "body_is_base64": encoded,
    }


ROUTES = (
    Route("POST", "/sandbox/provisioning", provision, "Provision", _ANYONE, answer=ProvisioningAnswer, tag="Sandbox"),
    Route("GET", "/sandbox/clock", read_clock, "Read the clock", _ANYONE, answer=ClockView, tag="Sandbox"),
    Route(
        "POST",
        "/sandbox/clock",
        advance_clock,
        "Move the clock",
        _ANYONE,
        body=Advance,
        answer=ClockView,
        tag="Sandbox",
    ),
    Route("GET", "/sandbox/inbox/{name}", list_inbox, "Read an inbox", _ANYONE, answer=Inbox, tag="Sandbox"),
    Route(
        "PUT",
        "/sandbox/inbox/{name}",
        set_inbox_behaviour,
        "Set how an inbox answers",
        _ANYONE,
        body=Behaviour,
        answer=Behaviour,
        tag="Sandbox",
    ),
    Route("DELETE", "/sandbox/inbox/{name}", empty_inbox, "Empty an inbox", _ANYONE, status=204, tag="Sandbox"),
)


class _SandboxApp(App):
    """Everything below an inbox's name, and any other method on it, is a request to receive."""

    def _serve(self, request: Request, route: Route) -> Answer:
        return route.endpoint(request)

    def _route(self, request: Request) -> Route:
        parts = request.path.split("/", 4)
        if len(parts) < 4 or parts[1:3] != ["sandbox", "inbox"] or not parts[3]:
            return super()._route(request)
        control = len(parts) == 4 and request.method in ("GET", "PUT", "DELETE")
        if control:
            return super()._route(request)
        request.parameters = {"name": parts[3]}
        return _RECEIVE


_RECEIVE = Route("POST", "/sandbox/inbox/{name}/{proxy+}", receive, "Receive", _ANYONE, tag="Sandbox")


handler = _SandboxApp(VAULT, ROUTES, journal=Journal("sandbox", _settings.log_level))
