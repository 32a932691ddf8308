"""The HTTP door of the merchant resource: routes and composition, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from tollgate import aws, config
from tollgate.auth.identity import Identity
from tollgate.config import CallerSettings
from tollgate.countries import ALPHA2, ALPHA2_BY_ALPHA3
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.vault import API_KEY_OR_BEARER, LIMIT, PAGE, VAULT, Authenticator, envelope_of_texts
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, comma_list, first_moment, last_moment, ordered, read, sort_order
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.idempotency import Claim
from tollgate.store.listing import Selection
from tollgate.store.table import Table
from vault.merchants.models import CreatedMerchant, MerchantPage, MerchantView
from vault.merchants.models.bodies import CreateMerchant, UpdateMerchant
from vault.merchants.repository import MerchantRepository, public_forms
from vault.merchants.service import MerchantService


@dataclass(frozen=True)
class Settings(CallerSettings):
    """What the merchant function needs."""

    vault_table: str
    vault_key_id: str


_settings = config.load(Settings)
_table = Table(_settings.vault_table, aws.dynamodb())
_keyring = Keyring(_table, Kms(aws.kms(), _settings.vault_key_id), "cards")
_service = MerchantService(MerchantRepository(_table), _keyring)

_COUNTRIES = {code.casefold(): code for code in ALPHA2} | {
    long.casefold(): code for long, code in ALPHA2_BY_ALPHA3.items()
}
_DAY = {"type": "string", "description": "A date (YYYY-MM-DD) or an RFC 3339 date-time"}
_LIST_QUERY = (
    LIMIT,
    PAGE,
    Parameter(
        "sort", sort_order(["legal_name", "created_at"]),
        {"type": "string", "examples": ["legal_name+asc", "created_at+desc"]},
        "Order by legal_name or created_at; newest first unless said otherwise", ("created_at", True),
    ),
    Parameter("from", first_moment, _DAY, "Return only merchants created from this date, inclusive"),
    Parameter("to", last_moment, _DAY, "Return only merchants created up to this date, inclusive"),
    Parameter(
        "country_code", comma_list(_COUNTRIES, "ISO 3166-1 country codes"),
        {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z]{2,3}$"}},
        "Country codes in list format", extra={"style": "form", "explode": False},
    ),
)  # fmt: skip


def create_merchant(request: Request) -> Answer:
    """Onboard a merchant."""
    made = _service.create(request.account_id, request.parse(CreateMerchant), request.once)
    request.notes["merchant_id"] = made["id"]
    return Answer(200, made)


def list_merchants(request: Request) -> Answer:
    """A page of the account's merchants."""
    asked = read(request.raw_query, _LIST_QUERY)
    ordered(asked, "from", "to")
    field, descending = asked["sort"]
    selection = Selection(
        limit=asked["limit"],
        page=asked["page"],
        descending=descending,
        facets=asked["country_code"],
        created_from=asked["from"],
        created_to=asked["to"],
    )
    page = _service.page(request.account_id, selection, by_name=field == "legal_name")
    return Answer(200, envelope_of_texts(public_forms(page), page, selection))


def read_merchant(request: Request) -> Answer:
    """One merchant by its id."""
    return Answer(200, _service.read(request.account_id, request.parameters["id"]))


def update_merchant(request: Request) -> Answer:
    """Change a merchant; looked up before the body is read, so a foreign one is 404 whatever is sent."""
    merchant = _service.require(request.account_id, request.parameters["id"])
    return Answer(200, _service.update(request.account_id, merchant.id, request.parse(UpdateMerchant)))


def delete_merchant(request: Request) -> Answer:
    """Remove a submerchant."""
    _service.delete(request.account_id, request.parameters["id"])
    return Answer(204)


ROUTES = (
    Route(
        "POST", "/merchants", create_merchant, "Create a merchant", API_KEY_OR_BEARER, body=CreateMerchant,
        answer=CreatedMerchant, idempotent=True, failures=(401, 403, 409, 413, 415, 422), tag="Merchants",
        description="The first merchant of an account is its primary one. The encryption key is shown here only.",
    ),
    Route(
        "GET", "/merchants", list_merchants, "Get merchants", API_KEY_OR_BEARER, query=_LIST_QUERY,
        answer=MerchantPage, failures=(401, 403, 422), tag="Merchants",
    ),
    Route(
        "GET", "/merchants/{id}", read_merchant, "Get merchant details", API_KEY_OR_BEARER, answer=MerchantView,
        failures=(401, 403, 404, 422), tag="Merchants",
    ),
    Route(
        "PATCH", "/merchants/{id}", update_merchant, "Update merchant details", API_KEY_OR_BEARER,
        body=UpdateMerchant, answer=MerchantView, failures=(401, 403, 404, 409, 413, 415, 422), tag="Merchants",
    ),
    Route(
        "DELETE", "/merchants/{id}", delete_merchant, "Delete a merchant", API_KEY_OR_BEARER, status=204,
        failures=(401, 403, 404, 409, 422), tag="Merchants", description="This action is irreversible.",
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    VAULT,
    ROUTES,
    authenticate=Authenticator(Identity.of(_settings)),
    journal=Journal("merchants", _settings.log_level),
    claim=_claim,
)
