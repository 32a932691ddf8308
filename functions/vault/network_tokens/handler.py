"""The HTTP door of network tokens: cryptograms for payments."""

from __future__ import annotations

from tollgate import aws, config
from tollgate.auth.identity import Identity
from tollgate.dialects.vault import API_KEY, VAULT, Authenticator
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.idempotency import Claim
from tollgate.store.table import Table
from vault.network_tokens.models import PaymentDataRequest, PaymentDataView
from vault.network_tokens.public import NetworkTokenSettings, payment_data_of
from vault.tokens.public import card_keyring

_settings = config.load(NetworkTokenSettings)
_table = Table(_settings.vault_table, aws.dynamodb())
_keyring = card_keyring(_settings)
_service = payment_data_of(_settings, _keyring)


def create_payment_data(request: Request) -> Answer:
    """A cryptogram for one payment; the token is looked up before the body is read."""
    token = _service.require_token(request.account_id, request.parameters["id"])
    request.notes["token_id"] = token.id
    made = _service.create(token, request.parse(PaymentDataRequest), request.once)
    request.notes.update(merchant_id=made["merchant_id"], outcome="given out" if made["success"] else "none")
    return Answer(200, made)


ROUTES = (
    Route(
        "POST", "/tokens/{id}/payment-data", create_payment_data, "Request a cryptogram", API_KEY,
        body=PaymentDataRequest, answer=PaymentDataView, idempotent=True,
        failures=(401, 403, 404, 409, 413, 415, 422, 502, 503, 504), tag="Network Tokens",
        description=(
            "A cryptogram (TAVV) for a token with an active network token, in a compact JWE (dir, A256GCM) that the "
            "merchant's encryption key opens. Without an active network token the answer is 200 with success false."
        ),
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    VAULT,
    ROUTES,
    authenticate=Authenticator(Identity.of(_settings)),
    journal=Journal("network-tokens", _settings.log_level),
    claim=_claim,
)
"""The Lambda entry point."""
