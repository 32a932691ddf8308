"""The HTTP door of imports, and of the endpoint that cards are forwarded to: routes and composition, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from tollgate import aws, config
from tollgate.auth.identity import Identity
from tollgate.config import CallerSettings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.vault import API_KEY_OR_BEARER, LIMIT, PAGE, VAULT, Authenticator, envelope
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import read
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.idempotency import Claim
from tollgate.store.listing import Selection
from tollgate.store.table import Table
from vault.imports.clients.objects import ObjectStore
from vault.imports.clients.steps import StepQueue
from vault.imports.models import (
    CREATE_IMPORT,
    FORWARDED_REQUEST,
    FailurePage,
    ForwardedCard,
    ImportView,
    failure_view,
)
from vault.imports.repository import ImportRepository
from vault.imports.service.forwarding import HEADER, Forwarding
from vault.imports.service.jobs import ImportService


@dataclass(frozen=True)
class ImportSettings(CallerSettings):
    """`stripe_api_base` is empty where there is no Stripe to ask: in a sandbox that means the simulator."""

    vault_table: str
    vault_key_id: str
    imports_bucket: str
    import_queue_url: str
    stripe_api_base: str


_settings = config.load(ImportSettings)
_journal = Journal("imports", _settings.log_level)
_table = Table(_settings.vault_table, aws.dynamodb())
_keyring = Keyring(_table, Kms(aws.kms(), _settings.vault_key_id), "cards")
_service = ImportService(
    ImportRepository(_table),
    _keyring,
    ObjectStore(aws.s3(), _settings.imports_bucket),
    StepQueue(aws.sqs(), _settings.import_queue_url),
    _journal.note,
    simulated=_settings.is_sandbox and not _settings.stripe_api_base,
)
_forwarding = Forwarding(_keyring)
_FAILURES_QUERY = (LIMIT, PAGE)


def create_import(request: Request) -> Answer:
    """Begin to import cards from another vault."""
    made = _service.create(request.account_id, request.json(), request.once)
    request.notes["import_id"] = made["id"]
    return Answer(200, made)


def read_import(request: Request) -> Answer:
    """An import and how far it is."""
    return Answer(200, _service.read(request.account_id, request.parameters["id"]))


def abort_import(request: Request) -> Answer:
    """End an import that is under way."""
    return Answer(200, _service.abort(request.account_id, request.parameters["id"]))


def list_import_failures(request: Request) -> Answer:
    """A page of the rows that did not become tokens."""
    asked = read(request.raw_query, _FAILURES_QUERY)
    selection = Selection(limit=asked["limit"], page=asked["page"], descending=False)
    page = _service.failures(request.account_id, request.parameters["id"], selection)
    return Answer(200, envelope([failure_view(row) for row in page.rows], page, selection))


def receive_forwarded_card(request: Request) -> Answer:
    """Seal a card that Stripe forwards, for the import that asked for it."""
    capability = request.header(HEADER)
    return Answer(200, _forwarding.receive(capability, request.json() if capability else None))


ROUTES = (
    Route(
        "POST", "/tokens/imports", create_import, "Request a token import", API_KEY_OR_BEARER, body=CREATE_IMPORT,
        answer=ImportView, idempotent=True, failures=(401, 403, 409, 413, 415, 422), tag="Token imports",
        description="Imports the cards of another vault in the background. One import of an account runs at a time. "
        "With `stripe.source` = `file` the answer (or a later one, once the account's key is made) says in `upload` "
        "where to put the encrypted export.",
    ),
    Route(
        "GET", "/tokens/imports/{id}", read_import, "Get import details", API_KEY_OR_BEARER, answer=ImportView,
        failures=(401, 403, 422), tag="Token imports",
    ),
    Route(
        "POST", "/tokens/imports/{id}/abort", abort_import, "Abort an import", API_KEY_OR_BEARER, answer=ImportView,
        failures=(401, 403, 422), tag="Token imports",
        description="Possible while it is not finished or aborted. What was imported until then stays.",
    ),
    Route(
        "GET", "/tokens/imports/{id}/failures", list_import_failures, "Get import failures", API_KEY_OR_BEARER,
        query=_FAILURES_QUERY, answer=FailurePage, failures=(401, 403, 422), tag="Token imports",
    ),
    Route(
        "POST", "/cde-import/stripe", receive_forwarded_card, "Receive a forwarded card", frozenset(),
        body=FORWARDED_REQUEST, answer=ForwardedCard, failures=(401, 413, 415, 422), tag="Token imports",
        headers={HEADER: (True, {"type": "string"}, "The capability that the import gave with its request")},
        description="For Stripe alone: the destination of the forwarded requests by which an import receives cards.",
    ),
)  # fmt: skip


def _claim(request: Request, operation: str, key: str) -> Claim:
    return Claim(_table, _keyring, request.account_id, operation, key, request.raw_body())


handler = App(VAULT, ROUTES, authenticate=Authenticator(Identity.of(_settings)), journal=_journal, claim=_claim)
