"""The HTTP door of the token endpoint. Errors are RFC 6749's, word for word; everything here is `no-store`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from control.oauth.errors import InvalidClient, TokenRefused, invalid_request, unsupported_grant_type
from control.oauth.models import TOKEN_REQUEST, RefusalView, TokenView
from control.oauth.repository import ClientRepository
from control.oauth.service import TokenService
from tollgate import aws, config
from tollgate.auth.access_tokens import SigningKeys
from tollgate.auth.instances import Instances
from tollgate.config import Settings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects import risk
from tollgate.errors import Failure, Malformed, UnsupportedMedia
from tollgate.http.app import App
from tollgate.http.dialect import Dialect, Kind
from tollgate.http.message import Answer, Request, query_pairs
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.table import Table


@dataclass(frozen=True)
class OAuthSettings(Settings):
    """Where clients and signing keys are."""

    identity_table: str
    platform_key_id: str


_settings = config.load(OAuthSettings)
_table = Table(_settings.identity_table, aws.dynamodb())
_keyring = Keyring(_table, Kms(aws.kms(), _settings.platform_key_id), "platform")
_service = TokenService(ClientRepository(_table), Instances(_table), SigningKeys(_table, _keyring), _keyring)

_CODES = {401: "invalid_client", 405: "invalid_request", 413: "invalid_request", 415: "invalid_request"}


class OAuthDialect(Dialect):
    """As every dialect, with the challenge for HTTP Basic (RFC 6749, 5.2)."""

    def answer_to(self, failure: Failure | None) -> Answer:
        answer = super().answer_to(failure)
        if answer.status != 401:
            return answer
        return Answer(401, answer.body, {**answer.headers, "www-authenticate": 'Basic realm="tollgate"'})


def _render(kind: Kind, failure: Failure | None) -> dict[str, Any]:
    """`error` and `error_description` (RFC 6749, 5.2)."""
    code = failure.code if isinstance(failure, TokenRefused) and failure.code else _CODES.get(kind.status, kind.code)
    return {"error": code, "error_description": failure.message if failure else "An unexpected error occurred"}


_KINDS = {
    **{failure: Kind(kind.status, kind.code.lower()) for failure, kind in risk.KINDS.items()},
    Failure: Kind(500, "server_error"),
    TokenRefused: Kind(400, "invalid_request"),
    Malformed: Kind(400, "invalid_request"),
}


def _headers(request: Request) -> Mapping[str, str]:
    return {"pragma": "no-cache"}


OAUTH = OAuthDialect(
    name="oauth",
    kinds=_KINDS,
    render=_render,
    negotiate=risk.negotiate,
    headers=_headers,
    idempotency_header="idempotency-key",
    replay_header="idempotency-replayed",
)


def request_token(request: Request) -> Answer:
    """Exchange client credentials for an access token."""
    client = _service.authenticate(*_credentials(request))
    form = _form(request)
    if "grant_type" not in form:
        raise invalid_request("The parameter grant_type is required")
    if form["grant_type"] != "client_credentials":
        raise unsupported_grant_type()
    return Answer(200, _service.grant(client, form.get("scope"), form.get("audience")))


def _credentials(request: Request) -> tuple[str, str]:
    """Client id and secret of HTTP Basic, each form-encoded (RFC 6749, 2.3.1)."""
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidClient from None
    client_id, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise InvalidClient
    return unquote_plus(client_id), unquote_plus(secret)


def _form(request: Request) -> dict[str, str]:
    """The parameters of the body; one without a value is treated as absent (RFC 6749, 3.2)."""
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise UnsupportedMedia("The content type must be application/x-www-form-urlencoded")
    try:
        pairs = query_pairs(request.raw_body().decode())
    except UnicodeDecodeError:
        raise Malformed("The body could not be decoded") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise invalid_request("A parameter is given more than once")
    return {name: value for name, value in pairs if value}


ROUTES = (
    Route(
        "POST", "/oauth2/token", request_token, "Request an access token", frozenset({"client"}), body=TOKEN_REQUEST,
        answer=TokenView, failures=(400, 401), refusal=RefusalView, tag="OAuth 2.0",
        body_media_type="application/x-www-form-urlencoded",
        description="Client credentials (RFC 6749, 4.4). Errors are `{error, error_description}`.",
    ),
)  # fmt: skip


def _nothing_before(request: Request, route: Route) -> None:
    """The endpoint proves the client itself: what it is proved by is the endpoint's subject."""


handler = App(OAUTH, ROUTES, journal=Journal("oauth", _settings.log_level), authenticate=_nothing_before)
