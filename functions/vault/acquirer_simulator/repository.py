"""The books of the sandbox's acquirer, in the sandbox table: the other side of a payment, not ours.

Access pattern (`pk`, `sk`): an operation by our reference  `ACQUIRER#<account>#<reference>`, `#`

An authorisation's row also counts what was captured and refunded of it, and whether it was voided; every operation is
one transaction that moves these under a condition, as a real acquirer keeps a merchant from taking more than was
authorised. No card data is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tollgate import clock, ids
from tollgate.errors import UpstreamTimeout
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction
from vault.acquirer_simulator.models import PENDING_SECONDS, Plan, decided
from vault.acquirers import Kind, Operation, OperationUnknown, Outcome, Reason, ReferenceReused

RETENTION_SECONDS: Final = 400 * 24 * 3600

_NO_ROOM: Final[Mapping[Kind, Reason]] = {
    "capture": "amount_exceeded", "void": "not_voidable", "refund": "not_captured"
}  # fmt: skip
"""Why an authorisation does not allow an operation."""


class _Refused(Exception):
    """The authorisation does not allow it."""


class _There(Exception):
    """An operation of this reference is in the books."""

    def __init__(self, item: Item) -> None:
        super().__init__("there")
        self.item = item


class AcquirerBooks:
    """Operations of all accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def enter(self, operation: Operation, plan: Plan) -> Outcome:
        """Book an operation once; a repetition answers what is booked.

        Raises:
            ReferenceReused: the reference is another operation's.
            OperationUnknown: there is no authorisation that it could belong to.
        """
        try:
            return self._enter(operation, plan)
        except _There as earlier:
            if any(earlier.item[name] != getattr(operation, name) for name in ("kind", "amount", "currency")):
                raise ReferenceReused from None
            return _outcome(earlier.item)
        except _Refused:
            return self._enter(operation, Plan(reason=_NO_ROOM[operation.kind]))

    def find(self, account_id: str, reference: str) -> Outcome:
        """What is booked; what was pending is decided once its time has come."""
        item = self._table.get(_pk(account_id, reference), "#")
        if item is None:
            raise OperationUnknown
        if item["is_deaf"]:
            raise UpstreamTimeout
        return _outcome(item)

    def authorised_amount(self, account_id: str, reference: str) -> int:
        """The amount of an authorisation."""
        item = self._table.get(_pk(account_id, reference), "#")
        if item is None or item["kind"] != "authorise":
            raise OperationUnknown
        return int(item["amount"])

    def _enter(self, operation: Operation, plan: Plan) -> Outcome:
        item = _row(operation, plan)
        transaction = Transaction(self._table.client)
        transaction.put(self._table, item, condition="attribute_not_exists(pk)", refusal=_There)
        if operation.parent is not None and plan.reason is None:
            self._move(transaction, operation)
        transaction.commit()
        return _outcome(item)

    def _move(self, transaction: Transaction, operation: Operation) -> None:
        """Count the operation against its authorisation, which must have room for it."""
        amount, parent = operation.amount, str(operation.parent)
        values: dict[str, Any] = {":approved": "approved", ":no": False}
        if operation.kind == "capture":
            expression = "SET captured = captured + :amount, refundable = refundable + :amount"
            condition = "decision = :approved AND voided = :no AND captured <= :room"
            room = self.authorised_amount(operation.account_id, parent) - amount
            values.update({":amount": amount, ":room": room})
        elif operation.kind == "refund":
            expression, condition = "SET refundable = refundable - :amount", "refundable >= :amount"
            values = {":amount": amount}
        else:
            expression, condition = "SET voided = :yes", "decision = :approved AND voided = :no AND captured = :none"
            values.update({":yes": True, ":none": 0})
        transaction.update(
            self._table, _pk(operation.account_id, parent), "#", expression,
            values=values, condition=condition, refusal=lambda _: _Refused(),
        )  # fmt: skip


def _row(operation: Operation, plan: Plan) -> Item:
    made = {
        "pk": _pk(operation.account_id, operation.reference),
        "sk": "#",
        "kind": operation.kind,
        "amount": operation.amount,
        "currency": operation.currency,
        "processor_reference": f"acq_{ids.new_uuid()}",
        "decision": "declined" if plan.reason else "approved",
        "reason": plan.reason,
        "review": plan.review,
        "is_deaf": plan.course == "deaf",
        "decided_at": clock.epoch() + (PENDING_SECONDS if plan.course == "pending" else 0),
        "expires": clock.epoch() + RETENTION_SECONDS,
    }
    if operation.kind == "authorise":
        captured = operation.amount if operation.capture and plan.reason is None else 0
        made.update(captured=captured, refundable=captured, voided=False)
    return made


def _outcome(item: Item) -> Outcome:
    if clock.epoch() < item["decided_at"]:
        return Outcome("pending", item["processor_reference"])
    reason: Reason | None = item.get("reason")
    return decided(item["processor_reference"], reason, review=item["review"])


def _pk(account_id: str, reference: str) -> str:
    return f"ACQUIRER#{account_id}#{reference}"
