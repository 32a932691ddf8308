"""The HTTP door of webhooks: URLs, listeners, identities, public keys."""

from __future__ import annotations

from dataclasses import dataclass

from control.notifications.public import NotificationSettings, subscriptions_of
from payments.engine import parameters, shapes
from payments.engine.repository import Objects
from payments.engine.routes import Engine, object_id, route
from payments.resources.webhooks import WEBHOOK_IDENTITY
from payments.webhooks.service.subscribing import WebhookService
from tollgate import aws, config
from tollgate.config import PaymentsSettings
from tollgate.dialects.payments import PAYMENTS, Authenticator, accepts
from tollgate.egress import Egress
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.log import Journal
from tollgate.store.table import Table


@dataclass(frozen=True)
class WebhookSettings(PaymentsSettings, NotificationSettings):
    """The family's, and where listeners' targets are kept."""


_settings = config.load(WebhookSettings)
_engine = Engine(Objects(Table(_settings.payments_table, aws.dynamodb())))
_egress = Egress(frozenset(_settings.sandbox_allow_targets if _settings.is_sandbox else ()))
_service = WebhookService(_engine.objects, subscriptions_of(_settings), _egress)


def encryption_key(request: Request) -> Answer:
    """The public key that a message's signature is checked with."""
    public_key = _service.identities.public_key(request.parameters["id"])
    if accepts(request, "text/plain"):
        return Answer(200, public_key.encode(), content_type="text/plain;charset=utf-8")
    return Answer(200, public_key)


def rotate_key(request: Request) -> Answer:
    """An identity signs with a new key."""
    context, identity_id = _engine.context(request), object_id(request)
    _service.known_identities.read(context, identity_id)
    tree = _engine.expand(request, WEBHOOK_IDENTITY)
    return _engine.reply(request, _service.identities.rotate(context, identity_id), tree)


ROUTES = (
    *_engine.routes_of(_service.urls),
    *_engine.routes_of(_service.listeners),
    *_engine.routes_of(_service.known_identities),
    route(
        "POST", "/webhooks/identities/{id}/rotate-key", rotate_key, "Give a webhook identity a new key",
        permission="webhookListener.update", tag="WebhookIdentities", query=parameters.READ,
        answer=shapes.answer(WEBHOOK_IDENTITY),
        description="Messages are signed with the new key from the next attempt on. Former public keys stay readable. "
        "An operation of ours; the published ones have none.",
    ),
    route(
        "GET", "/webhooks/encryption-keys/{id}", encryption_key, "Retrieve a webhook encryption key",
        permission="", scope="", tag="WebhookEncryptionKeys", media_type="text/plain", answer={"type": "string"},
        description="The public key of `keyId` in a message's `x-signature`: SubjectPublicKeyInfo in base64. It never "
        "changes, so it may be remembered for good.",
    ),
)  # fmt: skip

handler = App(
    PAYMENTS,
    ROUTES,
    authenticate=Authenticator.of(_settings),
    journal=Journal("webhooks", _settings.log_level),
)
