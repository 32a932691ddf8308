"""The HTTP door of the time machine: its route and composition, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from risk.blacklist.public import blacklist_of
from risk.decisions.public import RiskSettings, members_of, risk_keyring
from risk.rulesets.public import rulesets_of
from risk.simulations.models import LONGEST_PERIOD, MOST_DECISIONS, SIMULATE, SimulationView, Wanted
from risk.simulations.repository import PastRepository
from risk.simulations.service import SimulationService
from tollgate import aws, config
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.risk import BEARER, RISK, Authenticator, instance_of
from tollgate.errors import Fault, Invalid
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import first_moment, last_moment
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.cursor import Cursors
from tollgate.store.table import Table

_settings = config.load(RiskSettings)
_identity = Table(_settings.identity_table, aws.dynamodb())
_table = Table(_settings.risk_table, aws.dynamodb())
_keyring = risk_keyring(_settings)
_rulesets = rulesets_of(_table)
_service = SimulationService(PastRepository(_table, members_of), _rulesets, blacklist_of(_table, _keyring))
_cursors = Cursors(_keyring, "simulations")


def simulate_ruleset(request: Request) -> Answer:
    """What a ruleset would have made of the decisions of a period."""
    instance = instance_of(request)
    ruleset = _rulesets.require(request.account_id, request.parameters["id"])
    made, place = _service.simulate(instance, ruleset, _wanted(request))
    request.notes["ruleset_id"], request.notes["decisions"] = ruleset.id, made["decisions"]
    made["after"] = _cursors.make(request.account_id, place) if place else None
    return Answer(200, made)


def _wanted(request: Request) -> Wanted:
    """The period, every fault at once."""
    body = request.json()
    if not isinstance(body, Mapping):
        raise Invalid.at("$", "must be an object")
    faults: list[Fault] = []
    first = _moment(body, "from", first_moment, faults)
    last = _moment(body, "to", last_moment, faults)
    limit = body.get("limit", MOST_DECISIONS)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_DECISIONS:
        faults.append(Fault("$.limit", f"must be a whole number from 1 to {MOST_DECISIONS}"))
    after = _place(request.account_id, body.get("after"), faults)
    if not faults and first > last:
        faults.append(Fault("$.from", "must not be after to"))
    if not faults and last - first > LONGEST_PERIOD:
        faults.append(Fault("$.to", f"must be at most {LONGEST_PERIOD.days} days after from"))
    if faults:
        raise Invalid(faults)
    return Wanted(first, last, limit, after)


def _moment(body: Mapping[str, Any], name: str, reader: Callable[[str], datetime], faults: list[Fault]) -> Any:
    value = body.get(name)
    try:
        if isinstance(value, str):
            return reader(value)
        faults.append(Fault(f"$.{name}", "is required" if value is None else "must be a string"))
    except ValueError as error:
        faults.append(Fault(f"$.{name}", str(error)))
    return None


def _place(account_id: str, after: object, faults: list[Fault]) -> str | None:
    if after is None:
        return None
    try:
        if isinstance(after, str):
            return _cursors.reader(account_id)(after)
    except ValueError:
        pass
    faults.append(Fault("$.after", "must be what an answer of this account had as after"))
    return None


ROUTES = (
    Route(
        "POST", "/api/admin/rulesets/{id}/simulate", simulate_ruleset, "Simulate a ruleset", BEARER, body=SIMULATE,
        answer=SimulationView, failures=(401, 403, 404, 413, 415, 422), tag="Rulesets",
        description="Replays the decisions of a period against a ruleset of any status and answers what would have "
        "come out otherwise. Changes nothing. An answer that is not `complete` has an `after` to go on with.",
    ),
)  # fmt: skip

handler = App(
    RISK,
    ROUTES,
    authenticate=Authenticator(_identity, Keyring(_identity, Kms(aws.kms(), _settings.platform_key_id), "platform")),
    journal=Journal("simulations", _settings.log_level),
)
