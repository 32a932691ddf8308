"""The door for functions outside the card zone that have a payer authenticated: an invocation with one action, and a
plain answer. No public route.

The requestor is the caller's (a space), not a merchant of the vault. The id of an authentication is the caller's too,
written down before it asks, so that asking twice authenticates once. A result goes to who knows the id and the
reference that it was asked under. A refusal is an answer (`failure`), so that the caller can tell what was not sent
from what nobody knows. Whoever may invoke the function acts for any account; the account is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from threeds.authentications.public import (
    MERCHANT_NAMES,
    Addresses,
    Authentication,
    Browser,
    Checkout,
    Endpoints,
    Purchase,
    Requestor,
    authentications_of,
    write_moment,
)
from tollgate import clock, config, ids, sandbox_clock
from tollgate.errors import Failure
from tollgate.log import Journal
from vault.tokens.public import TokenSettings


@dataclass(frozen=True)
class PayerSettings(TokenSettings):
    """The vault's and the table of authentications; `base_url` and `directory_server_url` as with authentications."""

    threeds_table: str
    directory_server_url: str
    base_url: str


_settings = config.load(PayerSettings)
_journal = Journal("payer-authentication", _settings.log_level)
_service = authentications_of(_settings, _settings.threeds_table)
_BROWSER: Final = frozenset(each.name for each in fields(Browser))


def authenticate(event: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for an authentication. `amount` in minor units, `requestor` {id, name, url, country and, per scheme or for
    all, the acquirer's registration}, `base_url` where this deployment was called at."""
    if not ids.is_uuid(event["id"]):
        raise ValueError("the id must be a UUID")
    purchase = Purchase(
        type="COF_PAYMENT",
        amount=event["amount"],
        currency_code=event["currency"],
        token_id=event["token_id"],
        challenge_preference="NO_PREFERENCE",
        purchase_date=write_moment(clock.now()),
    )
    browser = Browser(**{name: value for name, value in event["browser"].items() if name in _BROWSER})
    checkout = Checkout(
        event["id"], event["reference"], _requestor(event["requestor"]), event["return_url"], browser
    )  # fmt: skip
    return _told(_service.authenticate_payer(event["account_id"], purchase, checkout, _endpoints(event["base_url"])))


def read(event: Mapping[str, Any]) -> dict[str, Any]:
    """What became of an authentication."""
    return _told(_service.require_for(event["account_id"], event["id"], event["reference"]))


_ACTIONS: Final = {"authenticate": authenticate, "read": read}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Carry out one action; the answer is its result or a `failure`."""
    sandbox_clock.refresh()
    action = _ACTIONS.get(event.get("action", ""))
    if action is None:
        raise ValueError("no such action")
    try:
        answer = action(event)
    except Failure as failure:
        _journal.note("refused", failure=type(failure).__name__)
        return {"failure": [kind.__name__ for kind in type(failure).__mro__ if issubclass(kind, Failure)]}
    _journal.note(event["action"], authentication_id=answer["id"], outcome=answer["status"])
    return answer


def _requestor(given: Mapping[str, Any]) -> Requestor:
    """A space as a requestor that is registered with every scheme."""
    registration = dict(given.get("registration") or {})
    names = (sorted(each)[0] for each in MERCHANT_NAMES.values())
    return Requestor(
        id=given["id"],
        legal_name=given["name"],
        website_url=given["url"],
        country_code=given["country"],
        three_ds_enabled=True,
        default_merchant_id=given["id"],
        schemes=tuple({**registration, "name": name} for name in names),
    )


def _endpoints(base_url: str) -> Endpoints:
    own = Addresses((_settings.base_url or base_url).rstrip("/"))
    return Endpoints(own, _settings.directory_server_url or (own.directory if _settings.is_sandbox else ""))


def _told(record: Authentication) -> dict[str, Any]:
    """What the caller needs of an authentication; `target_url` is where the payer's browser has to go now."""
    data = record.cardholder_data
    return {
        "id": record.id,
        "reference": record.reference,
        "status": record.status,
        "amount": record.amount,
        "currency": record.currency_code,
        "token_id": record.token_id,
        "target_url": record.target_url if record.step == "challenge" else None,
        "transaction_status": data["transaction_status"] if data else None,
        "eci": data["eci"] if data else None,
        "value": data["authentication_value"] if data else None,
        "ds_transaction_id": data["ds_transaction_id"] if data else None,
        "version": data["version"] if data else None,
        "reasons": [each["reason"] for each in record.failures],
    }
