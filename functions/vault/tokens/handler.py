"""The HTTP door of the token resource: routes and composition, nothing else."""

from __future__ import annotations

from tollgate import aws, clock, config
from tollgate.auth.identity import Identity
from tollgate.dialects.vault import API_KEY, API_KEY_OR_BEARER, LIMIT, PAGE, VAULT, Authenticator, envelope_of_texts
from tollgate.errors import Invalid
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, comma_list, first_moment, last_moment, ordered, plain_text, read, sort_order
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.idempotency import Claim
from tollgate.store.listing import Selection
from tollgate.store.table import Table
from vault import cards
from vault.tokenisation import STATUSES as NETWORK_TOKEN_STATUSES
from vault.tokens.models import IMPORT_CARD, LONGEST_BUSINESS_KEY, TokenPage, TokenView
from vault.tokens.public import NewCard, TokenSettings, card_keyring, tokens_of
from vault.tokens.repository import Filter, public_forms

_settings = config.load(TokenSettings)
_table = Table(_settings.vault_table, aws.dynamodb())
_keyring = card_keyring(_settings)
_service = tokens_of(_settings, _keyring)

_DAY = {"type": "string", "description": "A date (YYYY-MM-DD) or an RFC 3339 date-time"}
_LIST_QUERY = (
    LIMIT,
    PAGE,
    Parameter("from", first_moment, _DAY, "Return only tokens created from this date, inclusive"),
    Parameter("to", last_moment, _DAY, "Return only tokens created up to this date, inclusive"),
    Parameter(
        "sort", sort_order(["created_at"]), {"type": "string", "examples": ["created_at+asc", "created_at+desc"]},
        "Order by created_at, newest first unless said otherwise", ("created_at", True),
    ),
    Parameter(
        "network_token_status",
        comma_list({each: each for each in NETWORK_TOKEN_STATUSES}, "network token statuses"),
        {"type": "array", "items": {"type": "string", "enum": list(NETWORK_TOKEN_STATUSES)}},
        "Requested statuses in list format", extra={"style": "form", "explode": False},
    ),
    Parameter(
        "scheme", comma_list({each.casefold(): each for each in cards.SCHEMES}, "card schemes"),
        {"type": "array", "items": {"type": "string", "enum": list(cards.SCHEMES)}},
        "Requested card schemes in list format, in any case", extra={"style": "form", "explode": False},
    ),
    Parameter(
        "business_key", plain_text(LONGEST_BUSINESS_KEY),
        {"type": "string", "minLength": 1, "maxLength": LONGEST_BUSINESS_KEY},
        "Exact match of the original id under which the card was stored on the system it was imported from",
    ),
)  # fmt: skip


def import_card(request: Request) -> Answer:
    """Exchange a card for a token."""
    body = request.json()
    if not isinstance(body, dict):
        raise Invalid.at("$", "must be an object")
    card = cards.read_card(body, clock.now())
    made = _service.tokenise(request.account_id, NewCard(card), request.once)
    request.notes["token_id"] = made["id"]
    return Answer(200, made)


def list_tokens(request: Request) -> Answer:
    """A page of the account's tokens."""
    asked = read(request.raw_query, _LIST_QUERY)
    ordered(asked, "from", "to")
    chosen = Filter(asked["scheme"], asked["network_token_status"], asked["business_key"])
    selection = Selection(
        limit=asked["limit"],
        page=asked["page"],
        descending=asked["sort"][1],
        facets=chosen.facets(),
        created_from=asked["from"],
        created_to=asked["to"],
    )
    page = _service.page(request.account_id, selection, chosen)
    return Answer(200, envelope_of_texts(public_forms(page), page, selection))


def read_token(request: Request) -> Answer:
    """One token by its id."""
    return Answer(200, _service.read(request.account_id, request.parameters["id"]))


def delete_token(request: Request) -> Answer:
    """Remove a token and destroy its card."""
    _service.delete(request.account_id, request.parameters["id"])
    return Answer(204)


ROUTES = (
    Route(
        "POST", "/cde-import", import_card, "Import cardholder data", API_KEY, body=IMPORT_CARD, answer=TokenView,
        idempotent=True, failures=(401, 409, 413, 415, 422), tag="Tokens",
        description="Import PAN data in exchange for a token. Each import makes a new token.",
    ),
    Route(
        "GET", "/tokens", list_tokens, "Get tokens", API_KEY_OR_BEARER, query=_LIST_QUERY, answer=TokenPage,
        failures=(401, 403, 422), tag="Tokens",
    ),
    Route(
        "GET", "/tokens/{id}", read_token, "Get token details", API_KEY_OR_BEARER, answer=TokenView,
        failures=(401, 403, 404, 422), tag="Tokens",
    ),
    Route(
        "DELETE", "/tokens/{id}", delete_token, "Delete a token", API_KEY_OR_BEARER, status=204,
        failures=(401, 403, 404, 422), tag="Tokens",
        description="Cannot be undone. The card is destroyed, the name anonymised; the token is gone from every list.",
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    VAULT,
    ROUTES,
    authenticate=Authenticator(Identity.of(_settings)),
    journal=Journal("tokens", _settings.log_level),
    claim=_claim,
)
