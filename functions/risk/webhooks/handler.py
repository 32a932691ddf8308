"""The HTTP door of the webhook resource: routes and composition, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from control.notifications.public import NotificationSettings, subscriptions_of
from risk.webhooks.models import CreateWebhook, NewWebhookView, UpdateWebhook, WebhookPage, WebhookView, view
from risk.webhooks.repository import WebhookRepository
from risk.webhooks.service import WebhookService
from tollgate import aws, config
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.risk import AFTER, BEARER, LIMIT, RISK, Authenticator, envelope, place_of
from tollgate.egress import Egress
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import read
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.cursor import Cursors
from tollgate.store.table import Table


@dataclass(frozen=True)
class WebhookSettings(NotificationSettings):
    """What this function needs."""

    risk_table: str


_settings = config.load(WebhookSettings)
_identity = Table(_settings.identity_table, aws.dynamodb())
_kms = Kms(aws.kms(), _settings.platform_key_id)
_table = Table(_settings.risk_table, aws.dynamodb())
_egress = Egress(frozenset(_settings.sandbox_allow_targets if _settings.is_sandbox else ()))
_service = WebhookService(WebhookRepository(_table), subscriptions_of(_settings), _egress)
_cursors = Cursors(Keyring(_table, _kms, "risk"), "webhooks")


def create_webhook(request: Request) -> Answer:
    """Hear of decisions from now on."""
    made = _service.create(request.account_id, request.parse(CreateWebhook))
    request.notes["webhook_id"] = made["id"]
    return Answer(201, made)


def list_webhooks(request: Request) -> Answer:
    """A page of the account's webhooks, oldest first."""
    asked = read(request.raw_query, (LIMIT, AFTER))
    after = place_of(_cursors, request.account_id, asked["after"])
    data, last = _service.page(request.account_id, after, asked["limit"])
    cursor = _cursors.make(request.account_id, last) if last else None
    return Answer(200, envelope(request, data, cursor, asked["limit"]))


def read_webhook(request: Request) -> Answer:
    """One webhook by its id."""
    return Answer(200, view(_service.require(request.account_id, request.parameters["id"])))


def update_webhook(request: Request) -> Answer:
    """Change where notifications go, or of which events."""
    before = _service.require(request.account_id, request.parameters["id"])
    return Answer(200, _service.update(before, request.parse(UpdateWebhook)))


def delete_webhook(request: Request) -> Answer:
    """Hear of nothing any more."""
    _service.delete(_service.require(request.account_id, request.parameters["id"]))
    return Answer(204)


_TAG = "Webhooks"
_ITEM = "/api/admin/webhooks/{id}"
ROUTES = (
    Route(
        "POST", "/api/admin/webhooks", create_webhook, "Create a webhook", BEARER, body=CreateWebhook,
        answer=NewWebhookView, status=201, failures=(401, 403, 409, 413, 415, 422), tag=_TAG,
        description="`hmac_key` is in this answer and in no other. Every notification is signed with it: "
        "`x-hmac-signature` is the HMAC-SHA256 of the body. 2xx acknowledges; everything else is tried again.",
    ),
    Route(
        "GET", "/api/admin/webhooks", list_webhooks, "List webhooks", BEARER, query=(LIMIT, AFTER),
        answer=WebhookPage, failures=(401, 403, 422), tag=_TAG,
    ),
    Route(
        "GET", _ITEM, read_webhook, "Get a webhook", BEARER, answer=WebhookView, failures=(401, 403, 404), tag=_TAG,
    ),
    Route(
        "PATCH", _ITEM, update_webhook, "Update a webhook", BEARER, body=UpdateWebhook, answer=WebhookView,
        failures=(401, 403, 404, 409, 413, 415, 422), tag=_TAG,
    ),
    Route(
        "DELETE", _ITEM, delete_webhook, "Delete a webhook", BEARER, status=204, failures=(401, 403, 404, 409),
        tag=_TAG,
    ),
)  # fmt: skip

handler = App(
    RISK,
    ROUTES,
    authenticate=Authenticator(_identity, Keyring(_identity, _kms, "platform")),
    journal=Journal("webhooks", _settings.log_level),
)
