"""The HTTP door of interceptors: their versions, and requests that pass through. Routes and composition."""

from __future__ import annotations

import re
from typing import Final

from risk.decisions.public import DecidingSettings, decisions_of, risk_keyring
from risk.interceptors.clients.destination import DestinationClient
from risk.interceptors.models import (
    CreateInterceptor,
    InterceptorPage,
    InterceptorView,
    Passing,
    UpdateInterceptor,
)
from risk.interceptors.repository import InterceptorRepository
from risk.interceptors.rules.headers import AUTHORIZATION, DECISION_HEADER, PAYMENT_TYPE
from risk.interceptors.service.passing import Outcome, PassingService
from risk.interceptors.service.versions import InterceptorService
from tollgate import aws, config
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.risk import AFTER, BEARER, LIMIT, RISK, Authenticator, envelope, instance_of, place_of
from tollgate.egress import Egress
from tollgate.errors import Invalid
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import read
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.cursor import Cursors
from tollgate.store.idempotency import NOT_CLAIMED, Claim, Once
from tollgate.store.table import Table

_settings = config.load(DecidingSettings)
_identity = Table(_settings.identity_table, aws.dynamodb())
_platform = Keyring(_identity, Kms(aws.kms(), _settings.platform_key_id), "platform")
_table = Table(_settings.risk_table, aws.dynamodb())
_keyring = risk_keyring(_settings)
_journal = Journal("interceptors", _settings.log_level)
_repository = InterceptorRepository(_table)
_destinations = DestinationClient(Egress(_settings.sandbox_allow_targets if _settings.is_sandbox else ()))
_service = InterceptorService(_repository, _destinations.check)
_passing = PassingService(
    _repository,
    decisions_of(_settings, _keyring),
    _keyring,
    _destinations,
    lambda fault: _journal.fault(None, fault),
)
_cursors = Cursors(_keyring, "interceptors")

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_TYPE: Final = re.compile(r"[a-z][a-z_]{0,31}")


def create_interceptor(request: Request) -> Answer:
    """Put something in the way of requests to an acquirer."""
    made = _service.create(request.account_id, request.parse(CreateInterceptor), request.once)
    request.notes["interceptor_id"] = made["id"]
    return Answer(201, made)


def list_interceptors(request: Request) -> Answer:
    """A page of the account's versions, oldest first."""
    asked = read(request.raw_query, (LIMIT, AFTER))
    after = place_of(_cursors, request.account_id, asked["after"])
    data, last = _service.page(request.account_id, after, asked["limit"])
    cursor = _cursors.make(request.account_id, last) if last else None
    return Answer(200, envelope(request, data, cursor, asked["limit"]))


def read_interceptor(request: Request) -> Answer:
    """One version by its id."""
    return Answer(200, _service.show(_service.require(request.account_id, request.parameters["id"])))


def update_interceptor(request: Request) -> Answer:
    """Change a draft."""
    before = _service.require(request.account_id, request.parameters["id"])
    return Answer(200, _service.update(before, request.parse(UpdateInterceptor)))


def delete_interceptor(request: Request) -> Answer:
    """Remove a version."""
    _service.delete(request.account_id, request.parameters["id"])
    return Answer(204)


def activate_interceptor(request: Request) -> Answer:
    """Put a draft in force."""
    return Answer(200, _service.activate(request.account_id, request.parameters["id"], request.once))


def rollback_interceptor(request: Request) -> Answer:
    """Put a former version in force again."""
    return Answer(200, _service.rollback(request.account_id, request.parameters["id"], request.once))


def execute_interceptor(request: Request) -> Answer:
    """Decide on a request and let it go on, or not."""
    interceptor = _passing.require(request.account_id, request.parameters["ref"])
    passing = Passing(dict(request.headers), request.raw_body(), _payment_type(request))
    outcome = _passing.pass_through(instance_of(request), interceptor, passing, _once(request))
    request.notes.update(interceptor_id=interceptor.id, bytes=len(passing.body))
    if outcome.decision_id is not None:
        request.notes.update(decision_id=outcome.decision_id, outcome=outcome.decision)
    if outcome.reason is not None:
        request.notes["reason"] = outcome.reason
    return _answer(request, outcome)


def _answer(request: Request, outcome: Outcome) -> Answer:
    decided = {DECISION_HEADER: outcome.decision_id} if outcome.decision_id is not None else {}
    if outcome.failure is not None:
        request.notes["failure"] = type(outcome.failure).__name__
        refused = RISK.answer_to(outcome.failure)
        return Answer(refused.status, refused.body, {**refused.headers, **decided})
    relayed = outcome.relayed
    if relayed is None:
        return Answer(outcome.status, outcome.body, decided)
    return Answer(
        relayed.status, relayed.body, {**relayed.headers, **decided}, relayed.content_type,
        cookies=relayed.cookies, as_bytes=True,
    )  # fmt: skip


def _payment_type(request: Request) -> str | None:
    given = request.header(PAYMENT_TYPE)
    if given is not None and not _TYPE.fullmatch(given):
        raise Invalid.at(f"header.{PAYMENT_TYPE}", "must be 1 to 32 lower-case letters and underscores")
    return given


def _once(request: Request) -> Once:
    """The key is the destination's and goes on to it; what it is to us is that the decision is made once."""
    key = request.header("idempotency-key")
    if key is None or not _KEY.fullmatch(key):
        return NOT_CLAIMED
    return _claim(request, f"POST {request.path.lower()}", key)


_TAG = "Interceptors"
_RELAY_TEXT = (
    "The body goes on to the destination byte for byte where the decision is ALLOW, with the request's headers but "
    "those of the connection and `Authorization`, which is ours. The answer is then the destination's, marked by "
    "`x-tollgate-relayed`. For BLOCK and REVIEW it is the configured one and the destination is not called. "
    "`x-specter-decision-id` is on every answer to a request that was decided. A request that cannot be mapped goes "
    "on undecided."
)
ROUTES = (
    Route(
        "POST", "/api/admin/interceptors", create_interceptor, "Create an interceptor", BEARER,
        body=CreateInterceptor, answer=InterceptorView, status=201, idempotent=True,
        failures=(401, 403, 409, 413, 415, 422, 503), tag=_TAG,
    ),
    Route(
        "GET", "/api/admin/interceptors", list_interceptors, "List interceptors", BEARER, query=(LIMIT, AFTER),
        answer=InterceptorPage, failures=(401, 403, 422), tag=_TAG,
    ),
    Route(
        "GET", "/api/admin/interceptors/{id}", read_interceptor, "Get an interceptor", BEARER,
        answer=InterceptorView, failures=(401, 403, 404), tag=_TAG,
    ),
    Route(
        "PATCH", "/api/admin/interceptors/{id}", update_interceptor, "Update an interceptor", BEARER,
        body=UpdateInterceptor, answer=InterceptorView, failures=(401, 403, 404, 409, 413, 415, 422, 503), tag=_TAG,
        description="Only a draft can be changed.",
    ),
    Route(
        "DELETE", "/api/admin/interceptors/{id}", delete_interceptor, "Delete an interceptor", BEARER, status=204,
        failures=(401, 403, 404, 409), tag=_TAG,
    ),
    Route(
        "POST", "/api/admin/interceptors/{id}/activate", activate_interceptor, "Activate an interceptor", BEARER,
        answer=InterceptorView, idempotent=True, failures=(401, 403, 404, 409, 422), tag=_TAG,
    ),
    Route(
        "POST", "/api/admin/interceptors/{id}/rollback", rollback_interceptor, "Roll back to an interceptor", BEARER,
        answer=InterceptorView, idempotent=True, failures=(401, 403, 404, 409, 422), tag=_TAG,
    ),
    Route(
        "POST", "/api/interceptors/{ref}", execute_interceptor, "Execute an interceptor", BEARER, body={},
        body_required=False, answer={}, failures=(401, 403, 404, 409, 413, 422, 502, 503, 504), tag=_TAG,
        description=_RELAY_TEXT,
        headers={
            PAYMENT_TYPE: (
                False, {"type": "string", "pattern": "^[a-z][a-z_]{0,31}$"},
                "Declared type of the payment: `authorization` and `sale` set its first state",
            ),
            AUTHORIZATION: (False, {"type": "string"}, "Goes to the destination as its `Authorization`"),
        },
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    RISK,
    ROUTES,
    authenticate=Authenticator(_identity, _platform),
    journal=_journal,
    claim=_claim,
)
