"""The HTTP door of authentications: the merchant's routes, the cardholder's page, and the directory server's messages.

The merchant's routes take an API key. The page takes no credential beside the session's id. A result (RReq) counts only
with the transaction ids that the directory server and the issuer have; in production its transport is the directory
server's business (mutual TLS in front of this API).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from threeds import dates, emv
from threeds.addresses import CHALLENGES_PATH, RESULTS_PATH, addresses
from threeds.authentications.clients.directory_server import DirectoryServer
from threeds.authentications.clients.vault import CardVault, TokenData
from threeds.authentications.models import (
    DEFAULT_PREFERENCE,
    TYPES,
    AuthenticationPage,
    AuthenticationType,
    AuthenticationView,
    CofAuthentication,
    InstallmentAuthentication,
    Purchase,
    RecurringAuthentication,
    SubsequentAuthentication,
)
from threeds.authentications.repository import FACETS, Attempt, AuthenticationRepository, public_forms
from threeds.authentications.service.authentications import AuthenticationService, Endpoints
from threeds.authentications.service.challenges import ChallengeService
from threeds.authentications.service.settlement import Settlement
from threeds.emv import Message, ProtocolFault
from threeds.pages import HTML, Pages, read_form
from tollgate import aws, clock, config
from tollgate.auth.identity import Identity
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.vault import API_KEY, LIMIT, PAGE, VAULT, Authenticator, envelope_of_texts
from tollgate.errors import Fault, Invalid
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, comma_list, read
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.listing import Selection
from tollgate.store.table import Table
from vault.merchants.public import merchants_of
from vault.network_tokens.public import NetworkTokenSettings, payment_data_of
from vault.tokens.public import card_keyring, tokens_of


@dataclass(frozen=True)
class Settings(NetworkTokenSettings):
    """What the function needs. `directory_server_url` is empty where none is connected (a sandbox then has its own),
    `base_url` where the gateway's own address is good."""

    threeds_table: str
    directory_server_url: str
    base_url: str


_settings = config.load(Settings)
_table = Table(_settings.threeds_table, aws.dynamodb())
_keyring = Keyring(_table, Kms(aws.kms(), _settings.vault_key_id), "authentications")
_cards = card_keyring(_settings)
_tokens = tokens_of(_settings, _cards)
_merchants = merchants_of(Table(_settings.vault_table, aws.dynamodb()), _cards)
_repository = AuthenticationRepository(_table)
_settlement = Settlement(_repository, TokenData(payment_data_of(_settings, _cards), _tokens, _merchants).of)
_service = AuthenticationService(
    _repository,
    _settlement,
    CardVault(_tokens, _merchants),
    DirectoryServer(_settings.sandbox_allow_targets if _settings.is_sandbox else ()),
)
_challenges = ChallengeService(_repository, _settlement)
_pages = Pages(_settings.is_sandbox)

_ANYONE: Final[frozenset[str]] = frozenset()
_LIST_QUERY = (
    LIMIT,
    PAGE,
    Parameter(
        "type", comma_list({each.casefold(): each for each in TYPES}, "authentication types"),
        {"type": "array", "items": {"type": "string", "enum": list(TYPES)}},
        "Requested types in list format", extra={"style": "form", "explode": False},
    ),
)  # fmt: skip

_OUTCOMES: Final = {
    "COMPLETED": ("You are authenticated", "The shop can go on with your payment. You can close this page."),
    "FAILED": ("You were not authenticated", "The shop will tell you how you can pay. You can close this page."),
    "PROCESSING": ("Your bank is still checking", "The shop will hear the result. You can close this page."),
}


# ------------------------------------------------------------------ the merchant's routes


def authenticate_cof(request: Request) -> Answer:
    """Authenticate a payment with a credential on file."""
    return _authenticate(request, "COF_PAYMENT", request.parse(CofAuthentication))


def authenticate_recurring(request: Request) -> Answer:
    """Authenticate the first of a series of payments."""
    return _authenticate(request, "INITIAL_RECURRING", request.parse(RecurringAuthentication))


def authenticate_installment(request: Request) -> Answer:
    """Authenticate the first of a number of instalments."""
    return _authenticate(request, "INITIAL_INSTALLMENT", request.parse(InstallmentAuthentication))


def authenticate_subsequent(request: Request) -> Answer:
    """Authenticate a further payment of a series, without the cardholder."""
    wanted = request.parse(SubsequentAuthentication)
    made = _service.authenticate_again(request.account_id, wanted, _endpoints(request), request.once)
    return _made(request, made)


def list_authentications(request: Request) -> Answer:
    """A page of the account's authentications, newest first."""
    asked = read(request.raw_query, _LIST_QUERY)
    types = asked["type"]
    selection = Selection(
        limit=asked["limit"],
        page=asked["page"],
        facets=None if types is None else frozenset(FACETS[each] for each in types),
    )
    page = _service.page(request.account_id, selection)
    return Answer(200, envelope_of_texts(public_forms(page), page, selection))


def read_authentication(request: Request) -> Answer:
    """One authentication by its id."""
    return Answer(200, _service.read(request.account_id, request.parameters["id"]))


def _authenticate(request: Request, kind: AuthenticationType, wanted: CofAuthentication) -> Answer:
    purchase = _purchase(kind, wanted)
    return _made(request, _service.authenticate(request.account_id, purchase, _endpoints(request), request.once))


def _purchase(kind: AuthenticationType, wanted: CofAuthentication) -> Purchase:
    """What is wanted, with defaults filled in; the dates must make sense together."""
    members: dict[str, Any] = wanted.model_dump()
    members["purchase_date"] = wanted.purchase_date or dates.write_moment(clock.now())
    members["challenge_preference"] = wanted.challenge_preference or DEFAULT_PREFERENCE
    if isinstance(wanted, RecurringAuthentication) and wanted.recurring_expiry < members["purchase_date"][:8]:
        raise Invalid([Fault("$.recurring_expiry", "must not be before the purchase date")])
    return Purchase(type=kind, **members)


def _made(request: Request, made: AuthenticationView) -> Answer:
    request.notes |= {"authentication_id": made["id"], "outcome": made["status"]}
    return Answer(200, made)


def _endpoints(request: Request) -> Endpoints:
    """Where we are reached, and the directory server: the one connected, in a sandbox else the sandbox's own."""
    own = addresses(_settings.base_url, request.event)
    return Endpoints(own, _settings.directory_server_url or (own.directory if _settings.is_sandbox else ""))


# ------------------------------------------------------------------ the cardholder's browser


def open_challenge(request: Request) -> Answer:
    """Send the cardholder's browser to the issuer's challenge."""
    to = _challenges.hand_over(request.parameters["session_id"])
    return _pages.send_off("To your bank", "Your bank wants to know that it is you.", to.acs_url, {"creq": to.creq})


def close_challenge(request: Request) -> Answer:
    """Take the browser back from the issuer, and say how it went."""
    cres = read_form(request).get("cres")
    if not cres:
        raise Invalid.at("$.cres", "is required")
    record = _challenges.come_back(request.parameters["session_id"], cres)
    request.notes |= {"authentication_id": record.id, "outcome": record.status}
    if record.return_url is not None:
        return Answer(303, headers={"location": record.return_url, "referrer-policy": "no-referrer"})
    title, text = _OUTCOMES[record.status]
    return _pages.show(title, f"<p>{text}</p>")


# ------------------------------------------------------------------ the directory server


def receive_result(request: Request) -> Answer:
    """Take an RReq and answer an RRes; what is wrong with it is said in an Erro, as the standard has it."""
    message: Message | None = None
    try:
        message = emv.read(request.raw_body(), "RReq")
        answer, record = _challenges.receive_result(message)
    except ProtocolFault as fault:
        request.notes["error_code"] = fault.code
        answer = emv.error_message(fault, "S", message)
    else:
        request.notes |= {"authentication_id": record.id, "outcome": record.status}
    return Answer(200, emv.encode(answer), content_type=emv.CONTENT_TYPE)


_FAILURES: Final = (401, 404, 409, 413, 415, 422)
_CHALLENGE: Final = f"{CHALLENGES_PATH}/{{session_id}}"
_TAG: Final = "Authentications"
_IN_PARTS: Final = (
    "The answer is final (`COMPLETED`, `FAILED`) or `PROCESSING`; with an `action_requirement` the cardholder has to "
    "open its `target_url` in a browser."
)

ROUTES = (
    Route(
        "POST", "/authentications/cof", authenticate_cof, "Authenticate a COF payment", API_KEY,
        body=CofAuthentication, answer=AuthenticationView, idempotent=True, failures=_FAILURES, tag=_TAG,
        description=f"Authenticate a payment using credentials on file. {_IN_PARTS}",
    ),
    Route(
        "POST", "/authentications/recurring", authenticate_recurring, "Authenticate a recurring payment", API_KEY,
        body=RecurringAuthentication, answer=AuthenticationView, idempotent=True, failures=_FAILURES, tag=_TAG,
        description=_IN_PARTS,
    ),
    Route(
        "POST", "/authentications/installment", authenticate_installment, "Authenticate an installment payment",
        API_KEY, body=InstallmentAuthentication, answer=AuthenticationView, idempotent=True, failures=_FAILURES,
        tag=_TAG, description=_IN_PARTS,
    ),
    Route(
        "POST", "/authentications/subsequent", authenticate_subsequent, "Authenticate a subsequent payment", API_KEY,
        body=SubsequentAuthentication, answer=AuthenticationView, idempotent=True, failures=_FAILURES, tag=_TAG,
        description="A further payment of a recurring or installment series, initiated by the merchant (3RI). What the "
        "series does not permit is answered with 200, `status` `FAILED` and the reason.",
    ),
    Route(
        "GET", "/authentications", list_authentications, "Get authentications", API_KEY, query=_LIST_QUERY,
        answer=AuthenticationPage, failures=(401, 422), tag=_TAG,
    ),
    Route(
        "GET", "/authentications/{id}", read_authentication, "Get authentication details", API_KEY,
        answer=AuthenticationView, failures=(401, 404, 422), tag=_TAG,
    ),
    Route(
        "GET", _CHALLENGE, _pages.readable(open_challenge), "Open a challenge", _ANYONE, answer=str,
        media_type=HTML.partition(";")[0], failures=(404, 409), tag=_TAG,
        description="For the cardholder's browser: a page that posts the CReq to the issuer.",
    ),
    Route(
        "POST", _CHALLENGE, _pages.readable(close_challenge), "Close a challenge", _ANYONE, answer=str,
        media_type=HTML.partition(";")[0], failures=(404, 413, 422), tag=_TAG,
        description="For the cardholder's browser, which the issuer sends back with a form field `cres`.",
    ),
    Route(
        "POST", RESULTS_PATH, receive_result, "Receive a result", _ANYONE, answer=dict[str, Any],
        failures=(413,), tag=_TAG,
        description="For the directory server: EMV 3-D Secure RReq, answered with RRes or Erro.",
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Attempt:
    return Attempt(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    VAULT,
    ROUTES,
    authenticate=Authenticator(Identity.of(_settings)),
    journal=Journal("authentications", _settings.log_level),
    claim=_claim,
)
