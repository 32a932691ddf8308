"""The HTTP door of token sessions: routes and composition, nothing else.

The merchant's server opens a session with its API key. The client's half (`/sessions/…`) takes no credential beside the
session's id and is open to pages of any origin; nothing else of the platform is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tollgate import aws, config
from tollgate.auth.identity import Identity
from tollgate.dialects import vault
from tollgate.dialects.vault import API_KEY, VAULT, Authenticator
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.models.fields import validated
from tollgate.store.idempotency import Claim
from tollgate.store.table import Table
from vault.sessions.models import CompleteAction, CreateSession, SessionAnswer, SessionCreated, SessionView
from vault.sessions.repository import SessionRepository
from vault.sessions.service import SessionService
from vault.tokens.public import TokenSettings, card_keyring, tokens_of

_settings = config.load(TokenSettings)
_table = Table(_settings.vault_table, aws.dynamodb())
_keyring = card_keyring(_settings)
_service = SessionService(
    SessionRepository(Table(_settings.vault_ephemeral_table, aws.dynamodb())),
    tokens_of(_settings, _keyring),
    _keyring,
    takes_test_cards=_settings.is_sandbox,
)

_ANYONE: Final[frozenset[str]] = frozenset()
_SESSION: Final = "/sessions/{id}"
_COMPLETE: Final = "/sessions/{id}/complete-action"
_PREFLIGHT_SECONDS: Final = 7200  # the longest that browsers keep
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


def create_token_session(request: Request) -> Answer:
    """Open a session for one card."""
    wish = validated(CreateSession, request.json() if request.raw_body() else {})
    return Answer(200, _service.open(request.account_id, wish, request.once))


def read_session(request: Request) -> Answer:
    """What the client has to do next, and the key to encrypt for."""
    session = _service.find(request.parameters["id"])
    request.notes["account_id"] = session.account_id
    return Answer(200, _service.view(session, _base_url(request)))


def complete_session_action(request: Request) -> Answer:
    """Hand over the encrypted card; the session is looked up first, so an unknown one is 404 whatever is sent."""
    session = _service.find_open(request.parameters["id"])
    request.notes["account_id"] = session.account_id
    answer = _service.complete(session, request.parse(CompleteAction).result.enc_payload)
    request.notes["outcome"] = answer["status"]
    request.notes |= {name: answer["data"].get(name) for name in ("token_id", "reason_code") if name in answer["data"]}
    return Answer(200, answer)


def preflight_session(request: Request) -> Answer:
    """Tell a browser that pages of any origin may read a session."""
    return _preflight("GET")


def preflight_session_action(request: Request) -> Answer:
    """Tell a browser that pages of any origin may complete a session."""
    return _preflight("POST")


def _preflight(method: str) -> Answer:
    headers = {
        "access-control-allow-methods": f"{method}, OPTIONS",
        "access-control-allow-headers": f"content-type, {vault.VERSION_HEADER}",
        "access-control-max-age": str(_PREFLIGHT_SECONDS),
    }
    return Answer(204, headers=headers)


def _headers(request: Request) -> Mapping[str, str]:
    """The family's headers, and on the client's half, errors included, the leave to read the answer.

    No credential of a browser is involved, so every origin may be named at once.
    """
    if not request.path.startswith("/sessions/"):
        return vault.headers(request)
    shown = f"{vault.VERSION_HEADER}, x-request-id"
    return {**vault.headers(request), "access-control-allow-origin": "*", "access-control-expose-headers": shown}


def _base_url(request: Request) -> str:
    """Where the client called: the gateway's word for the scheme, the client's own for the host."""
    host = request.header("host") or ""
    if not _HOST.fullmatch(host):
        host = request.event["requestContext"].get("domainName", "")
    return f"{'http' if request.header('x-forwarded-proto') == 'http' else 'https'}://{host}"


ROUTES = (
    Route(
        "POST", "/tokens/session", create_token_session, "Request a token session", API_KEY, body=CreateSession,
        body_required=False, answer=SessionCreated, idempotent=True, failures=(401, 403, 409, 413, 415, 422),
        tag="Tokens", description="Opens a session for one card: good for 30 minutes and for one token.",
    ),
    Route(
        "GET", _SESSION, read_session, "Read a session", _ANYONE, answer=SessionView, failures=(404, 422),
        tag="Sessions", description="For clients: the session's id is the credential. Open to pages of any origin.",
    ),
    Route(
        "POST", _COMPLETE, complete_session_action, "Complete a session's action", _ANYONE, body=CompleteAction,
        answer=SessionAnswer, failures=(404, 409, 413, 415, 422), tag="Sessions",
        description="For clients: hands over the card as a JWE (RSA-OAEP-256, A256GCM). A card that is refused is "
        "answered with 200, `status` `failed` and the reason; it may be corrected and sent again, five times in all.",
    ),
    Route("OPTIONS", _SESSION, preflight_session, "Ask for leave to read a session", _ANYONE, status=204,
          tag="Sessions"),
    Route("OPTIONS", _COMPLETE, preflight_session_action, "Ask for leave to complete a session's action", _ANYONE,
          status=204, tag="Sessions"),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    replace(VAULT, headers=_headers),
    ROUTES,
    authenticate=Authenticator(Identity.of(_settings)),
    journal=Journal("sessions", _settings.log_level),
    claim=_claim,
)
