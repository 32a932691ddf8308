"""The HTTP door of the ruleset resource: routes and composition, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from risk.rulesets.models import CREATE_RULESET, UPDATE_RULESET, RulesetPage, RulesetView, view
from risk.rulesets.public import rulesets_of
from tollgate import aws, config
from tollgate.config import Settings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.risk import AFTER, BEARER, LIMIT, RISK, Authenticator, envelope, instance_of, place_of
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import read
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.cursor import Cursors
from tollgate.store.idempotency import Claim
from tollgate.store.table import Table


@dataclass(frozen=True)
class RulesetSettings(Settings):
    """What this function needs."""

    identity_table: str
    platform_key_id: str
    risk_table: str


_settings = config.load(RulesetSettings)
_identity = Table(_settings.identity_table, aws.dynamodb())
_kms = Kms(aws.kms(), _settings.platform_key_id)
_table = Table(_settings.risk_table, aws.dynamodb())
_keyring = Keyring(_table, _kms, "risk")
_service = rulesets_of(_table)
_cursors = Cursors(_keyring, "rulesets")

DEEPEST_BODY = 64
"""Sixteen levels of a condition are twice as many of JSON."""


def create_ruleset(request: Request) -> Answer:
    """Draft a ruleset."""
    made = _service.create(instance_of(request), request.caller.subject, request.json(DEEPEST_BODY), request.once)
    request.notes["ruleset_id"] = made["id"]
    return Answer(201, made)


def list_rulesets(request: Request) -> Answer:
    """A page of the account's rulesets, oldest first."""
    asked = read(request.raw_query, (LIMIT, AFTER))
    after = place_of(_cursors, request.account_id, asked["after"])
    data, last = _service.page(request.account_id, after, asked["limit"])
    cursor = _cursors.make(request.account_id, last) if last else None
    return Answer(200, envelope(request, data, cursor, asked["limit"]))


def read_ruleset(request: Request) -> Answer:
    """One ruleset by its id."""
    return Answer(200, view(_service.require(request.account_id, request.parameters["id"])))


def update_ruleset(request: Request) -> Answer:
    """Change a draft."""
    before = _service.require(request.account_id, request.parameters["id"])
    return Answer(200, _service.update(instance_of(request), before, request.json(DEEPEST_BODY)))


def activate_ruleset(request: Request) -> Answer:
    """Make a draft the active ruleset of its context."""
    return Answer(200, _service.activate(instance_of(request), request.parameters["id"], request.once))


def rollback_ruleset(request: Request) -> Answer:
    """Make a former ruleset active again."""
    return Answer(200, _service.rollback(instance_of(request), request.parameters["id"], request.once))


_TAG = "Rulesets"
ROUTES = (
    Route(
        "POST", "/api/admin/rulesets", create_ruleset, "Create a ruleset", BEARER, body=CREATE_RULESET,
        answer=RulesetView, status=201, idempotent=True, failures=(401, 403, 409, 413, 415, 422), tag=_TAG,
    ),
    Route(
        "GET", "/api/admin/rulesets", list_rulesets, "List rulesets", BEARER, query=(LIMIT, AFTER),
        answer=RulesetPage, failures=(401, 403, 422), tag=_TAG,
    ),
    Route(
        "GET", "/api/admin/rulesets/{id}", read_ruleset, "Get a ruleset", BEARER, answer=RulesetView,
        failures=(401, 403, 404), tag=_TAG,
    ),
    Route(
        "PATCH", "/api/admin/rulesets/{id}", update_ruleset, "Update a ruleset", BEARER, body=UPDATE_RULESET,
        answer=RulesetView, failures=(401, 403, 404, 409, 413, 415, 422), tag=_TAG,
    ),
    Route(
        "POST", "/api/admin/rulesets/{id}/activate", activate_ruleset, "Activate a ruleset", BEARER,
        answer=RulesetView, idempotent=True, failures=(401, 403, 404, 409, 422), tag=_TAG,
        description="The former active ruleset of the context becomes INACTIVE. Rules that can never fire are refused.",
    ),
    Route(
        "POST", "/api/admin/rulesets/{id}/rollback", rollback_ruleset, "Roll back to a ruleset", BEARER,
        answer=RulesetView, idempotent=True, failures=(401, 403, 404, 409, 422), tag=_TAG,
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    RISK,
    ROUTES,
    authenticate=Authenticator(_identity, Keyring(_identity, _kms, "platform")),
    journal=Journal("rulesets", _settings.log_level),
    claim=_claim,
)
