"""The HTTP door of lifecycle events: routes and composition, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from risk.blacklist.public import blacklist_of
from risk.decisions.public import DecisionRepository, RiskSettings, access_of, risk_keyring
from risk.events.models import CreateEvent, EventView
from risk.events.repository import EventRepository
from risk.events.service import EventService
from risk.rulesets.public import rulesets_of
from tollgate import aws, config
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.risk import BEARER, RISK, Authenticator, instance_of
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.table import Table


@dataclass(frozen=True)
class EventSettings(RiskSettings):
    """What this function needs: also a way to the backends that are told."""

    sandbox_allow_targets: tuple[str, ...]


_settings = config.load(EventSettings)
_identity = Table(_settings.identity_table, aws.dynamodb())
_table = Table(_settings.risk_table, aws.dynamodb())
_keyring = risk_keyring(_settings)
_service = EventService(
    EventRepository(_table),
    DecisionRepository(_table, _keyring),
    rulesets_of(_table),
    blacklist_of(_table, _keyring),
    _keyring,
    access_of(_settings, _keyring, _settings.sandbox_allow_targets).notifier,
)


def create_event(request: Request) -> Answer:
    """Say what became of a payment."""
    made = _service.record(instance_of(request), request.parse(CreateEvent))
    request.notes["event_id"], request.notes["decision_id"] = made["id"], made["decision_id"]
    return Answer(200, made)


def read_event(request: Request) -> Answer:
    """One event by its id."""
    return Answer(200, _service.read(instance_of(request), request.parameters["id"]))


_TAG = "Lifecycle events"
ROUTES = (
    Route(
        "POST", "/api/events", create_event, "Create a lifecycle event", BEARER, body=CreateEvent, answer=EventView,
        failures=(401, 403, 404, 409, 413, 415, 422), tag=_TAG,
        description="The same event sent again (same type, decision, moment and data) is stored once and answered as "
        "the first time. Events may come in any order; the payment's state is that of the last one to have occurred.",
    ),
    Route(
        "GET", "/api/events/{id}", read_event, "Get a lifecycle event", BEARER, answer=EventView,
        failures=(401, 403, 404), tag=_TAG,
    ),
)  # fmt: skip

handler = App(
    RISK,
    ROUTES,
    authenticate=Authenticator(_identity, Keyring(_identity, Kms(aws.kms(), _settings.platform_key_id), "platform")),
    journal=Journal("lifecycle-events", _settings.log_level),
)
