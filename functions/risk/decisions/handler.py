"""The HTTP door of the decision resource: routes and composition, nothing else."""

from __future__ import annotations

from risk.decisions.models import CreateDecision, DecisionLogEntry, DecisionView, ResolutionView, ResolveDecision
from risk.decisions.public import DecidingSettings, decisions_of, risk_keyring
from tollgate import aws, config
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.risk import BEARER, RISK, Authenticator, instance_of
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.idempotency import Claim
from tollgate.store.table import Table

_settings = config.load(DecidingSettings)
_identity = Table(_settings.identity_table, aws.dynamodb())
_platform = Keyring(_identity, Kms(aws.kms(), _settings.platform_key_id), "platform")
_table = Table(_settings.risk_table, aws.dynamodb())
_keyring = risk_keyring(_settings)
_service = decisions_of(_settings, _keyring)


def create_decision(request: Request) -> Answer:
    """Decide on a payment."""
    made = _service.decide(instance_of(request), request.parse(CreateDecision), request.once)
    request.notes["decision_id"] = made["id"]
    request.notes["outcome"] = made["decision"]
    return Answer(200, made)


def read_decision(request: Request) -> Answer:
    """One decision by its id."""
    return Answer(200, _service.read(instance_of(request), request.parameters["id"]))


def resolve_decision(request: Request) -> Answer:
    """End the review of a decision, once."""
    instance = instance_of(request)
    record = _service.require(instance.account_id, request.parameters["id"])
    wanted = request.parse(ResolveDecision)
    return Answer(200, _service.resolve(instance, record, wanted.action, request.once))


ROUTES = (
    Route(
        "POST", "/api/decisions", create_decision, "Create a decision", BEARER, body=CreateDecision,
        answer=DecisionView, idempotent=True, failures=(401, 403, 409, 413, 415, 422), tag="Decisions",
        description="Evaluates the active ruleset of the context. The card number is never kept.",
    ),
    Route(
        "GET", "/api/decisions/{id}", read_decision, "Get a decision", BEARER, answer=DecisionLogEntry,
        failures=(401, 403, 404), tag="Decisions",
    ),
    Route(
        "POST", "/api/decisions/{id}/resolve", resolve_decision, "Resolve a decision", BEARER, body=ResolveDecision,
        answer=ResolutionView, idempotent=True, failures=(401, 403, 404, 409, 413, 415, 422), tag="Decisions",
        description="Only a decision REVIEW, and only once.",
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    RISK,
    ROUTES,
    authenticate=Authenticator(_identity, _platform),
    journal=Journal("decisions", _settings.log_level),
    claim=_claim,
)
