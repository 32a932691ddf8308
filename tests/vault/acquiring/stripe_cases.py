"""What tests of the Stripe connector share: operations, cards, and where things are at Stripe."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from tests.support.environment import DEPLOYMENT
from tests.vault.acquiring.stripe_peer import StripePeer
from tollgate import aws
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.egress import Egress
from tollgate.store.table import Table
from vault.acquirer_stripe.public import StripeConnector
from vault.acquirer_stripe.repository import StripeBooks
from vault.acquirers import CardOnFile, Operation, Outcome

METHODS = "/v1/payment_methods"
INTENTS = "/v1/payment_intents"
CONFIRM = r"/v1/payment_intents/pi_\w+/confirm"
CAPTURE = r"/v1/payment_intents/pi_\w+/capture"
CANCEL = r"/v1/payment_intents/pi_\w+/cancel"
REFUNDS = "/v1/refunds"
CHARGED, DECLINED, ASKING = "4242424242424242", "4000000000000341", "4000000000003220"
PATHS = {"capture": CAPTURE, "void": CANCEL, "refund": REFUNDS}
SEVERAL = {
    "id": "ch_1", "amount": 10000, "payment_method_details": {"card": {"multicapture": {"status": "available"}}},
}  # fmt: skip


def vault_table() -> Table:
    return Table(DEPLOYMENT.tables["VaultTable"].name, aws.dynamodb())


def keyring(table: Table) -> Keyring:
    return Keyring(table, Kms(aws.kms(), "alias/cards"), "cards")


def books() -> StripeBooks:
    """What the connector has written down."""
    table = vault_table()
    return StripeBooks(table, keyring(table))


def connector(base: str, *, is_sandbox: bool = True) -> StripeConnector:
    table = vault_table()
    return StripeConnector(table, keyring(table), Egress({base.removeprefix("http://")}), base, is_sandbox=is_sandbox)


def asked(account_id: str, **changes: Any) -> Operation:
    made = Operation(account_id, "authorise", str(uuid.uuid4()), 10000, "EUR", credential="shop")
    return replace(made, **changes)


def card(number: str = CHARGED, **changes: Any) -> CardOnFile:
    return replace(CardOnFile(number, 12, 2040, "Jane Doe", "737"), **changes)


def authorised(acquirer: StripeConnector, account_id: str, **changes: Any) -> Operation:
    made = asked(account_id, **changes)
    assert acquirer.authorise(made, card()).status == "approved"
    return made


def later(first: Operation, kind: Any, amount: int = 10000, **changes: Any) -> Operation:
    made = replace(
        first, kind=kind, reference=str(uuid.uuid4()), amount=amount, parent=first.reference, credential=None
    )
    return replace(made, **changes)


def payment_of(peer: StripePeer, outcome: Outcome) -> Any:
    return peer.read(f"{INTENTS}/{outcome.processor_reference}?expand[]=latest_charge")


def is_of(intent: Any, operation: Operation) -> bool:
    return bool(intent["metadata"].get("tollgate_reference") == operation.reference)
