"""The books of operations at Stripe, and the merchants' keys, in the vault table.

Access patterns (`pk`, `sk`):
    an operation by our reference   `STRIPE#<account>#<reference>`,   `#`
    a merchant's secret key         `STRIPE-KEY#<account>`,           `<credential>`

An operation is written down before anything is sent. Its stage only goes forward, each step under a condition, so that
of several who send, ask or give up on the same operation one decides and the others learn of it.
"""

from __future__ import annotations

from typing import Any

from tollgate import clock
from tollgate.crypto.keyring import CannotOpen, Keyring
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction
from vault.acquirer_stripe.models import RETENTION_SECONDS, Booked, Stage
from vault.acquirers import Operation, Outcome


class Decided(Exception):
    """Another was first; the operation has come this far already."""


class StripeBooks:
    """Operations and keys of all accounts. No card data is kept, and no key but sealed."""

    def __init__(self, table: Table, keyring: Keyring) -> None:
        self._table = table
        self._keyring = keyring

    # ------------------------------------------------------------------ operations

    def begin(self, operation: Operation, credential: str, stage: Stage, intent: str | None = None) -> Booked | None:
        """Write an operation down; None if it was, and is this caller's to carry out, otherwise what is there."""
        item = {
            "pk": _pk(operation.account_id, operation.reference), "sk": "#", "kind": operation.kind,
            "amount": operation.amount, "currency": operation.currency, "parent": operation.parent,
            "credential": credential, "stage": stage, "intent": intent, "begun_at": clock.epoch(), "captured": 0,
            "several": False, "expires": clock.epoch() + RETENTION_SECONDS,
        }  # fmt: skip
        try:
            self._table.put(item, unless_exists=True)
        except ConditionFailed as there:
            return _booked(operation.account_id, operation.reference, there.item)
        return None

    def find(self, account_id: str, reference: str) -> Booked | None:
        item = self._table.get(_pk(account_id, reference), "#")
        return _booked(account_id, reference, item) if item else None

    def send(self, account_id: str, reference: str, intent: str) -> None:
        """Note the payment that an authorisation is about to confirm.

        Raises:
            Decided: it was given up meanwhile, and must not be confirmed.
        """
        self._step(
            account_id, reference, "SET stage = :sent, intent = :intent", "stage = :begun",
            {":sent": "sent", ":intent": intent, ":begun": "begun"},
        )  # fmt: skip

    def give_up(self, account_id: str, reference: str, stage: Stage) -> None:
        """Settle that an operation never arrived and will not be sent.

        Raises:
            Decided: it is not at this stage (any more).
        """
        self._step(
            account_id, reference, "SET stage = :never", "stage = :stage", {":never": "never", ":stage": stage}
        )  # fmt: skip

    def rule_out(self, account_id: str, reference: str) -> None:
        """Settle the same for an operation that is not in the books.

        Raises:
            Decided: now it is.
        """
        item = {
            "pk": _pk(account_id, reference), "sk": "#", "stage": "never", "kind": "none",
            "expires": clock.epoch() + RETENTION_SECONDS,
        }  # fmt: skip
        try:
            self._table.put(item, unless_exists=True)
        except ConditionFailed:
            raise Decided from None

    def decide(self, booked: Booked, outcome: Outcome, *, captured: int = 0, several: bool = False) -> Outcome:
        """Write down what became of an operation; answers what was written first. What was given up and yet happened is
        what happened."""
        values: dict[str, Any] = {
            ":decided": "decided", ":status": outcome.status, ":payment": outcome.processor_reference,
            ":several": several, ":captured": captured if not booked.parent else 0,
        }  # fmt: skip
        expression = "SET stage = :decided, #status = :status, payment = :payment, several = :several, "
        expression += "captured = :captured"
        if outcome.reason is not None:
            expression, values[":reason"] = f"{expression}, reason = :reason", outcome.reason
        transaction = Transaction(self._table.client)
        transaction.update(
            self._table, _pk(booked.account_id, booked.reference), "#", expression,
            names={"#status": "status"}, values=values, condition="stage <> :decided", refusal=_Earlier,
        )  # fmt: skip
        if booked.parent and captured:
            transaction.update(
                self._table, _pk(booked.account_id, booked.parent), "#", "SET captured = captured + :amount",
                values={":amount": captured}, condition="attribute_exists(pk)", refusal=lambda _: Decided(),
            )  # fmt: skip
        try:
            transaction.commit()
        except _Earlier as earlier:
            return _outcome(earlier.item)
        return outcome

    def _step(self, account_id: str, reference: str, expression: str, condition: str, values: dict[str, Any]) -> None:
        try:
            self._table.update(_pk(account_id, reference), "#", expression, values=values, condition=condition)
        except ConditionFailed:
            raise Decided from None

    # ------------------------------------------------------------------ keys

    def keep_key(self, account_id: str, credential: str, secret: str) -> None:
        sealed = self._keyring.seal(account_id, _bound_to(credential), secret.encode())
        self._table.put({"pk": _keys(account_id), "sk": credential, "sealed": sealed})

    def key(self, account_id: str, credential: str) -> str | None:
        item = self._table.get(_keys(account_id), credential)
        if item is None:
            return None
        try:
            return self._keyring.open(account_id, _bound_to(credential), item["sealed"]).decode()
        except CannotOpen:
            return None

    def forget_key(self, account_id: str, credential: str) -> None:
        self._table.delete(_keys(account_id), credential)


class _Earlier(Exception):
    """The operation is decided."""

    def __init__(self, item: Item) -> None:
        super().__init__("decided")
        self.item = item


def _booked(account_id: str, reference: str, item: Item) -> Booked:
    return Booked(
        account_id, reference, item["kind"], item.get("amount", 0), item.get("currency", ""), item.get("parent"),
        item.get("credential", ""), item["stage"], item.get("begun_at", 0), item.get("intent"),
        _outcome(item) if item["stage"] == "decided" else None, item.get("captured", 0), item.get("several", False),
    )  # fmt: skip


def _outcome(item: Item) -> Outcome:
    return Outcome(item["status"], item["payment"], item.get("reason"))


def _pk(account_id: str, reference: str) -> str:
    return f"STRIPE#{account_id}#{reference}"


def _keys(account_id: str) -> str:
    return f"STRIPE-KEY#{account_id}"


def _bound_to(credential: str) -> dict[str, str]:
    return {"record": "stripe-key", "credential": credential}
