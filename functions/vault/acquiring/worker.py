"""The door for functions outside the card zone: an invocation with one action, and a plain answer. No public route.

A card number comes in here and nowhere goes out; answers hold the token's id and the masked number. A refusal is an
answer too (`failure`, and `faults` for a card that breaks a rule), so that the caller can tell what was not sent from
what nobody knows (`UpstreamTimeout`). Whoever may invoke the function acts for any account; the account is the caller's
business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from tollgate import aws, clock, config, sandbox_clock
from tollgate.egress import Egress
from tollgate.errors import Failure, Invalid, Malformed
from tollgate.log import Journal
from tollgate.store.table import Table
from vault import cards
from vault.acquirer_simulator.public import simulated_acquirer
from vault.acquirer_stripe.public import StripeConnector
from vault.acquirers import KINDS, Acquirer, Authentication, Operation
from vault.acquiring.service import AcquiringService
from vault.tokens.public import Token, TokenSettings, card_keyring, tokens_of


@dataclass(frozen=True)
class AcquiringSettings(TokenSettings):
    """`stripe_api_base` is where the Stripe API is; empty for its own address."""

    stripe_api_base: str


def compose(settings: AcquiringSettings) -> AcquiringService:
    """The use cases of a function with these settings."""
    keyring = card_keyring(settings)
    egress = Egress(frozenset(settings.sandbox_allow_targets if settings.is_sandbox else ()))
    table = Table(settings.vault_table, aws.dynamodb())
    stripe = StripeConnector(table, keyring, egress, settings.stripe_api_base, is_sandbox=settings.is_sandbox)
    acquirers: dict[str, Acquirer] = {"stripe": stripe}
    if settings.is_sandbox:
        acquirers["test"] = simulated_acquirer(settings.sandbox_table)
    return AcquiringService(tokens_of(settings, keyring), acquirers, {"stripe": stripe})


_settings = config.load(AcquiringSettings)
_journal = Journal("acquiring", _settings.log_level)
_service = compose(_settings)


def keep(event: Mapping[str, Any]) -> dict[str, Any]:
    """`card` in the vault's own terms; `lasting` for one that is to be charged again."""
    card = cards.read_card(event["card"], clock.now(), "$.cardData")
    return _described(_service.keep(event["account_id"], card, lasting=bool(event.get("lasting"))))


def describe(event: Mapping[str, Any]) -> dict[str, Any]:
    return _described(_service.describe(event["account_id"], event["token_id"]))


def forget(event: Mapping[str, Any]) -> dict[str, Any]:
    _service.forget(event["account_id"], event["token_id"])
    return {}


def authorise(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(_service.authorise(event["connector"], event["token_id"], _operation(event)))


def carry_out(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(_service.carry_out(event["connector"], _operation(event)))


def ask(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(_service.ask(event["connector"], event["account_id"], event["reference"]))


def connect(event: Mapping[str, Any]) -> dict[str, Any]:
    """`secret` is the merchant's access to an acquirer, from now on to be named as `credential`."""
    _service.connect(event["connector"], event["account_id"], event["credential"], event["secret"])
    return {}


def disconnect(event: Mapping[str, Any]) -> dict[str, Any]:
    _service.disconnect(event["connector"], event["account_id"], event["credential"])
    return {}


_ACTIONS: Final = {
    "keep": keep,
    "describe": describe,
    "forget": forget,
    "authorise": authorise,
    "capture": carry_out,
    "void": carry_out,
    "refund": carry_out,
    "ask": ask,
    "connect": connect,
    "disconnect": disconnect,
}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Carry out one action; the answer is its result or a `failure`."""
    sandbox_clock.refresh()
    action = _ACTIONS.get(event.get("action", ""))
    if action is None:
        raise ValueError("no such action")
    try:
        return action(event)
    except Failure as failure:
        _journal.note("refused", failure=type(failure).__name__)
        return _refusal(failure)


def _operation(event: Mapping[str, Any]) -> Operation:
    kind = next(each for each in KINDS if each == event["action"])
    authentication = event.get("authentication")
    return Operation(
        account_id=event["account_id"],
        kind=kind,
        reference=event["reference"],
        amount=event["amount"],
        currency=event["currency"],
        parent=event.get("parent"),
        authentication=Authentication(**authentication) if authentication else None,
        merchant_initiated=bool(event.get("merchant_initiated")),
        capture=bool(event.get("capture")),
        final=bool(event.get("final")),
        credential=event.get("credential"),
    )


def _described(token: Token) -> dict[str, Any]:
    return {
        "token_id": token.id,
        "masked_account_number": token.masked_account_number,
        "issuer_identification_number": token.issuer_identification_number,
        "scheme": token.scheme,
        "expiry_month": token.expiry_month,
        "expiry_year": token.expiry_year,
        "fingerprint": token.fingerprint,
    }


def _refusal(failure: Failure) -> dict[str, Any]:
    kinds = [kind.__name__ for kind in type(failure).__mro__ if issubclass(kind, Failure)]
    faults = failure.faults if isinstance(failure, (Invalid, Malformed)) else ()
    return {"failure": kinds, "message": failure.message, "faults": [asdict(each) for each in faults]}
