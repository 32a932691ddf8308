"""The HTTP door of the blacklist: routes and composition, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from risk.blacklist.models import CreateEntry, EntryPage, EntryView, view
from risk.blacklist.public import blacklist_of
from tollgate import aws, config
from tollgate.config import Settings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.risk import AFTER, BEARER, LIMIT, RISK, Authenticator, envelope, place_of
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import read
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.cursor import Cursors
from tollgate.store.idempotency import Claim
from tollgate.store.table import Table


@dataclass(frozen=True)
class BlacklistSettings(Settings):
    """What this function needs."""

    identity_table: str
    platform_key_id: str
    risk_table: str


_settings = config.load(BlacklistSettings)
_identity = Table(_settings.identity_table, aws.dynamodb())
_kms = Kms(aws.kms(), _settings.platform_key_id)
_table = Table(_settings.risk_table, aws.dynamodb())
_keyring = Keyring(_table, _kms, "risk")
_service = blacklist_of(_table, _keyring)
_cursors = Cursors(_keyring, "blacklist")


def create_blacklist_entry(request: Request) -> Answer:
    """Refuse a value of a field; of one that is refused already, renew the entry."""
    made, is_new = _service.create(request.account_id, request.parse(CreateEntry), request.once)
    request.notes["entry_id"] = made["id"]
    return Answer(201 if is_new else 200, made)


def list_blacklist_entries(request: Request) -> Answer:
    """A page of the account's entries, oldest first."""
    asked = read(request.raw_query, (LIMIT, AFTER))
    after = place_of(_cursors, request.account_id, asked["after"])
    data, last = _service.page(request.account_id, after, asked["limit"])
    cursor = _cursors.make(request.account_id, last) if last else None
    return Answer(200, envelope(request, data, cursor, asked["limit"]))


def read_blacklist_entry(request: Request) -> Answer:
    """One entry by its id."""
    return Answer(200, view(_service.require(request.account_id, request.parameters["id"])))


def delete_blacklist_entry(request: Request) -> Answer:
    """Stop refusing a value."""
    _service.delete(request.account_id, request.parameters["id"])
    return Answer(204)


_TAG = "Blacklist"
ROUTES = (
    Route(
        "POST", "/api/admin/blacklist", create_blacklist_entry, "Create a blacklist entry", BEARER, body=CreateEntry,
        answer=EntryView, status=201, idempotent=True, failures=(401, 403, 409, 413, 415, 422), tag=_TAG,
        description="An entry for the same field and value is renewed and answered with 200.",
    ),
    Route(
        "GET", "/api/admin/blacklist", list_blacklist_entries, "List blacklist entries", BEARER,
        query=(LIMIT, AFTER), answer=EntryPage, failures=(401, 403, 422), tag=_TAG,
    ),
    Route(
        "GET", "/api/admin/blacklist/{id}", read_blacklist_entry, "Get a blacklist entry", BEARER, answer=EntryView,
        failures=(401, 403, 404), tag=_TAG,
    ),
    Route(
        "DELETE", "/api/admin/blacklist/{id}", delete_blacklist_entry, "Delete a blacklist entry", BEARER,
        status=204, failures=(401, 403, 404), tag=_TAG,
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(
    RISK,
    ROUTES,
    authenticate=Authenticator(_identity, Keyring(_identity, _kms, "platform")),
    journal=Journal("blacklist", _settings.log_level),
    claim=_claim,
)
