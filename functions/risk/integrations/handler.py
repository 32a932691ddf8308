"""The HTTP door of the integration resource: routes, the edition's gate and composition, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from risk.integrations.errors import NeedsConnect
from risk.integrations.models import (
    BackendList,
    CreateIntegration,
    IntegrationPage,
    IntegrationView,
    UpdateIntegration,
    view,
)
from risk.integrations.public import BackendAccess, integrations_of
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
class IntegrationSettings(Settings):
    """What this function needs."""

    identity_table: str
    platform_key_id: str
    risk_table: str
    sandbox_allow_targets: tuple[str, ...]


_settings = config.load(IntegrationSettings)
_identity = Table(_settings.identity_table, aws.dynamodb())
_kms = Kms(aws.kms(), _settings.platform_key_id)
_table = Table(_settings.risk_table, aws.dynamodb())
_keyring = Keyring(_table, _kms, "risk")
_access = BackendAccess(
    _table, _keyring, is_sandbox=_settings.is_sandbox, allow_targets=_settings.sandbox_allow_targets
)
_service = integrations_of(
    _access, _table, _keyring, is_sandbox=_settings.is_sandbox, allow_targets=_settings.sandbox_allow_targets
)
_cursors = Cursors(_keyring, "integrations")


def _require_connect(request: Request) -> None:
    if not instance_of(request).is_connect:
        raise NeedsConnect


def create_integration(request: Request) -> Answer:
    """Point at a Link instance."""
    _require_connect(request)
    made = _service.create(request.account_id, request.parse(CreateIntegration), request.once)
    request.notes["integration_id"] = made["id"]
    return Answer(201, made)


def list_integrations(request: Request) -> Answer:
    """A page of the account's integrations, oldest first."""
    _require_connect(request)
    asked = read(request.raw_query, (LIMIT, AFTER))
    after = place_of(_cursors, request.account_id, asked["after"])
    data, last = _service.page(request.account_id, after, asked["limit"])
    cursor = _cursors.make(request.account_id, last) if last else None
    return Answer(200, envelope(request, data, cursor, asked["limit"]))


def read_integration(request: Request) -> Answer:
    """One integration by its id."""
    _require_connect(request)
    return Answer(200, view(_service.require(request.account_id, request.parameters["id"])))


def list_backends(request: Request) -> Answer:
    """The backends that the Link instance has, asked for now."""
    _require_connect(request)
    integration = _service.require(request.account_id, request.parameters["id"])
    return Answer(200, {"data": _service.backends(integration)})


def update_integration(request: Request) -> Answer:
    """Change an integration."""
    _require_connect(request)
    before = _service.require(request.account_id, request.parameters["id"])
    wanted = request.parse(UpdateIntegration)
    return Answer(200, _service.update(before, request.json(), wanted))


def delete_integration(request: Request) -> Answer:
    """Forget an integration and its access token."""
    _require_connect(request)
    _service.delete(request.account_id, request.parameters["id"])
    return Answer(204)


_TAG = "Integrations"
ROUTES = (
    Route(
        "POST", "/api/admin/integrations", create_integration, "Create an integration", BEARER,
        body=CreateIntegration, answer=IntegrationView, status=201, idempotent=True,
        failures=(401, 403, 404, 409, 413, 415, 422, 503), tag=_TAG,
        description="Connect edition. `base_url` must be an https address that may be called.",
    ),
    Route(
        "GET", "/api/admin/integrations", list_integrations, "List integrations", BEARER, query=(LIMIT, AFTER),
        answer=IntegrationPage, failures=(401, 403, 404, 422), tag=_TAG,
    ),
    Route(
        "GET", "/api/admin/integrations/{id}", read_integration, "Get an integration", BEARER,
        answer=IntegrationView, failures=(401, 403, 404), tag=_TAG,
    ),
    Route(
        "GET", "/api/admin/integrations/{id}/backends", list_backends, "List an integration's backends", BEARER,
        answer=BackendList, failures=(401, 403, 404), tag=_TAG,
        description="As the Link instance says now; what was known before where it does not answer.",
    ),
    Route(
        "PATCH", "/api/admin/integrations/{id}", update_integration, "Update an integration", BEARER,
        body=UpdateIntegration, answer=IntegrationView, failures=(401, 403, 404, 409, 413, 415, 422, 503), tag=_TAG,
    ),
    Route(
        "DELETE", "/api/admin/integrations/{id}", delete_integration, "Delete an integration", BEARER, status=204,
        failures=(401, 403, 404, 409), tag=_TAG,
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    RISK,
    ROUTES,
    authenticate=Authenticator(_identity, Keyring(_identity, _kms, "platform")),
    journal=Journal("integrations", _settings.log_level),
    claim=_claim,
)
