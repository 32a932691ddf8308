"""Paying back what was completed.

A refund takes its lines out of what can be paid back in the write that makes it, so that refunds at the same moment
never come to more than was completed; one that fails puts them back. Online the acquirer is told once, after that
write, and the clock asks for what nobody answered. Where no card was charged somebody has to decide that the money went
back (MANUAL_CHECK). Source of the arithmetic: fact file of the family, 2.10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from payments import amounts, failure_reasons, line_items, states
from payments.acquiring import Acquiring, OperationUnknown, Outcome
from payments.connectors import CONNECTORS
from payments.engine.errors import AlreadyThere, ExternalIdReused, ObjectNotFound, StateInvalid, VersionConflict
from payments.engine.fields import stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.engine.service import digest
from payments.line_items import LineItem, Split
from payments.refunds.errors import RefundTooLarge
from payments.resources.refunds import REFUND
from payments.resources.transactions import TRANSACTION, TRANSACTION_COMPLETION
from payments.tasks import REFUND_APPROVAL, close_task, open_task
from payments.transactions.public import (
    DONE,
    Acting,
    TransactionRepository,
    completed_lines,
    currency_of,
    kept_lines,
    lines,
    operation_reference,
)
from payments.units import UnitOfWork, attempts, repeated
from payments.work import ASK_AFTER_SECONDS, Work, next_due
from tollgate import clock, ids
from tollgate.errors import Fault, Invalid, UpstreamTimeout

QUEUE: Final = "refunds"
KIND: Final = "refund"
MOST_PER_SHARD: Final = 50
ONLINE: Final = "MERCHANT_INITIATED_ONLINE"
_BY_PROCESSOR: Final = "CUSTOMER_INITIATED_AUTOMATIC"
_NEVER: Final = Outcome("declined", "", "never_received")
_OPEN: Final = Outcome("pending", "")


@dataclass(frozen=True, slots=True)
class Refunding:
    """Makes refunds and settles them."""

    objects: Objects
    repository: TransactionRepository
    acquiring: Acquiring

    # ------------------------------------------------------------------ making

    def create(self, acting: Acting, given: Mapping[str, Any]) -> tuple[Entity, bool]:
        """A new refund, or the one that its external id has made before (and whether it is that).

        Raises:
            Invalid, LineItemsInvalid, RefundTooLarge, StateInvalid: it cannot be made.
            ExternalIdReused: the external id came with other content before.
        """
        earlier = self._replayed(acting, given)
        if earlier is not None:
            return earlier, True
        if given["type"] == _BY_PROCESSOR:
            raise Invalid.at("type", "is for refunds that a processor reports")
        number, completion = self._transaction_of(acting, given)
        try:
            transaction, refund = repeated(lambda: self._begin(acting, number, completion, given))
        except AlreadyThere as there:
            return self.objects.read(REFUND, acting.scope, there.id), True
        except (StateInvalid, Invalid):
            earlier = self._replayed(acting, given)  # a twin of this request may have been a moment faster
            if earlier is None:
                raise
            return earlier, True
        if refund.state != "PENDING":
            return refund, False
        outcome = self._send(acting, transaction, refund)
        return (self.settle(acting, refund, outcome, transaction) if outcome else refund), False

    def _begin(
        self, acting: Acting, number: int, completion: Entity | None, given: Mapping[str, Any]
    ) -> tuple[Entity, Entity]:
        before = self.objects.find(TRANSACTION, acting.scope, number)
        if before is None:
            raise Invalid.at("transaction", "names an object that is not there")
        if before.state not in DONE:
            raise StateInvalid(message="The transaction is not completed")
        currency, base = currency_of(before), refundable_lines(before)
        wanted = amounts.units(given["amount"], currency, "amount") if given.get("amount") is not None else None
        left = _left_of(before, completion) if completion is not None else None
        if wanted is None and not given.get("reductions"):
            wanted = left
        split = line_items.reduced(base, given.get("reductions"), wanted, currency, "reductions")
        total = line_items.total(split.taken, currency)
        refunded = before.attributes.get("refunded", 0) + total
        if total <= 0:
            raise RefundTooLarge([Fault("amount", "is zero: there is nothing left to pay back")])
        if refunded > before.attributes["completed"]:
            raise RefundTooLarge([Fault("reductions", "must not come to more than what can be paid back")])
        if left is not None and total > left:
            raise RefundTooLarge([Fault("completion", "must not be refunded more than was completed by it")])
        state = self._first_state(before, given["type"])
        unit = UnitOfWork(self.objects, acting.tenant, acting.scope)
        due = clock.epoch() + ASK_AFTER_SECONDS
        number = ids.new_number(clock.now())
        task = open_task(unit, REFUND_APPROVAL, number).id if state == "MANUAL_CHECK" else None
        refund = unit.insert(
            REFUND, {**_values(acting, before, given, split, base), "state": state}, {"due": due, "task": task},
            digest=digest(given), number=number,
        )  # fmt: skip
        kept: dict[str, Any] = {"refunded": refunded, "refundable_lines": kept_lines(before, split.remaining)}
        kept |= _noted(before, given.get("completion"), total)
        transaction = unit.replace(before, _paid_back(before, total, kept) if state == "SUCCESSFUL" else {}, kept)
        if state == "PENDING":
            unit.later(QUEUE, KIND, due, refund.id)
        unit.commit()
        return transaction, refund

    def _first_state(self, transaction: Entity, kind: str) -> str:
        if kind != ONLINE:
            return "SUCCESSFUL"
        return "PENDING" if CONNECTORS[transaction.attributes["connector"]].takes_cards else "MANUAL_CHECK"

    def _transaction_of(self, acting: Acting, given: Mapping[str, Any]) -> tuple[int, Entity | None]:
        """The transaction that is named, or that of the completion, and this; they must fit."""
        number, completion_id, completion = given.get("transaction"), given.get("completion"), None
        if completion_id is not None:
            completion = self.objects.find(TRANSACTION_COMPLETION, acting.scope, completion_id)
            if completion is None or completion.state != "SUCCESSFUL":
                raise Invalid.at("completion", "names no successful completion")
            if number not in (None, completion.values["linkedTransaction"]):
                raise Invalid.at("completion", "must be of the transaction")
            number = completion.values["linkedTransaction"]
        if number is None:
            raise Invalid.at("transaction", "is required where no completion is given")
        return int(number), completion

    def _send(self, acting: Acting, transaction: Entity, refund: Entity) -> Outcome | None:
        """The acquirer's answer; None if there is none, which leaves the refund to the clock."""
        currency = currency_of(transaction)
        try:
            return self.acquiring.carry_out(
                "refund", acting.tenant, str(CONNECTORS[transaction.attributes["connector"]].acquirer),
                operation_reference(transaction, "refund", refund.id), transaction.attributes["reference"],
                amount=amounts.units(refund.values["amount"], currency, "amount"), currency=currency,
            )  # fmt: skip
        except UpstreamTimeout:
            return None

    def _replayed(self, acting: Acting, given: Mapping[str, Any]) -> Entity | None:
        claimed = self.repository.claim_of(REFUND, acting.scope, given["externalId"])
        if claimed is None:
            return None
        if claimed.digest != digest(given):
            raise ExternalIdReused
        return self.objects.read(REFUND, acting.scope, claimed.id)

    # ------------------------------------------------------------------ settling

    def settle(self, acting: Acting, refund: Entity, outcome: Outcome, transaction: Entity | None = None) -> Entity:
        """Make of a refund under way what the acquirer made of it; where another writer did that first, it is as that
        one left it. `transaction` is its own as it was a moment ago, where that is known."""
        if outcome.status == "pending":
            return refund
        for _ in attempts():
            try:
                if outcome.status == "approved":
                    return self._succeed(acting, refund, outcome.processor_reference, transaction)
                return self._fail(acting, refund, failure_reasons.reason(outcome.reason).id, transaction)
            except VersionConflict:
                transaction = None
                refund = self.objects.read(REFUND, acting.scope, refund.id)
                if refund.state != "PENDING":
                    return refund
        return refund  # the clock will settle it

    def decide(self, acting: Acting, number: int, *, succeeded: bool) -> Entity:
        """What somebody found out about a refund that waits for a decision.

        Raises:
            ObjectNotFound, StateInvalid: there is none, or it does not wait.
        """

        def attempt() -> Entity:
            refund = self.objects.read(REFUND, acting.scope, number)
            if refund.state != "MANUAL_CHECK":
                raise StateInvalid
            if succeeded:
                return self._succeed(acting, refund, None)
            return self._fail(acting, refund, failure_reasons.MARKED.id)

        return repeated(attempt)

    def due(self) -> Iterator[Callable[[], int]]:
        """What is due now, each as what settles it and answers 1 if that changed something."""
        for row in self.repository.due(QUEUE, MOST_PER_SHARD):
            yield partial(self._settle_row, row)

    def _settle_row(self, row: Work) -> int:
        acting = Acting(row.tenant, row.scope)
        try:
            refund = self.objects.read(REFUND, row.scope, row.object_id)
            if refund.state != "PENDING" or refund.attributes.get("due") != row.due:
                raise StateInvalid
            transaction = self.objects.read(TRANSACTION, row.scope, refund.values["transaction"]["id"])
        except (ObjectNotFound, StateInvalid):
            self.repository.forget(row)
            return 0
        outcome = self._ask(acting, transaction, refund)
        if outcome.status == "pending":
            return self._postpone(acting, refund, row)
        self.settle(acting, refund, outcome)
        return 1

    def _ask(self, acting: Acting, transaction: Entity, refund: Entity) -> Outcome:
        try:
            return self.acquiring.ask(
                acting.tenant, str(CONNECTORS[transaction.attributes["connector"]].acquirer),
                operation_reference(transaction, "refund", refund.id),
            )  # fmt: skip
        except OperationUnknown:
            return _NEVER
        except UpstreamTimeout:
            return _OPEN

    def _postpone(self, acting: Acting, refund: Entity, row: Work) -> int:
        """Come back later, and each time later than before."""
        asked = refund.attributes.get("asked", 0) + 1
        due = next_due(clock.epoch(), asked)
        unit = UnitOfWork(self.objects, acting.tenant, acting.scope)
        unit.no_longer(QUEUE, KIND, row.due, refund.id)
        unit.later(QUEUE, KIND, due, refund.id)
        unit.replace(refund, {}, {"due": due, "asked": asked})
        try:
            unit.commit()
        except VersionConflict:
            return 0
        return 0

    def _succeed(
        self, acting: Acting, refund: Entity, processor_reference: str | None, known: Entity | None = None
    ) -> Entity:
        unit, transaction = self._ending(acting, refund, known)
        total = amounts.units(refund.values["amount"], currency_of(transaction), "amount")
        kept: dict[str, Any] = {}
        unit.replace(transaction, _paid_back(transaction, total, kept), kept)
        values = {"succeededOn": stamp(clock.now()), "processorReference": processor_reference}
        after = unit.replace(refund, values, states=states.path(states.REFUND, str(refund.state), "SUCCESSFUL"))
        unit.commit()
        return after

    def _fail(self, acting: Acting, refund: Entity, reason: int, known: Entity | None = None) -> Entity:
        unit, transaction = self._ending(acting, refund, known)
        currency = currency_of(transaction)
        restored = line_items.restored(
            refundable_lines(transaction), refund.values["baseLineItems"], refund.values.get("reducedLineItems", []),
            currency,
        )  # fmt: skip
        total = amounts.units(refund.values["amount"], currency, "amount")
        left = {"refunded": transaction.attributes["refunded"] - total}
        left |= _noted(transaction, refund.values.get("completion"), -total)
        unit.replace(transaction, {}, {**left, "refundable_lines": kept_lines(transaction, restored)})
        values: Values = {"failedOn": stamp(clock.now()), "failureReason": {"id": reason}}
        after = unit.replace(refund, values, states=("FAILED",))
        unit.commit()
        return after

    def _ending(self, acting: Acting, refund: Entity, known: Entity | None) -> tuple[UnitOfWork, Entity]:
        """The beginning of a refund's last write, and its transaction as it is now (or was, where it is known)."""
        unit = UnitOfWork(self.objects, acting.tenant, acting.scope)
        if refund.state == "PENDING":
            unit.no_longer(QUEUE, KIND, refund.attributes["due"], refund.id)
        close_task(unit, refund.attributes.get("task"))
        return unit, known or self.objects.read(TRANSACTION, acting.scope, refund.values["transaction"]["id"])


def _left_of(transaction: Entity, completion: Entity) -> int:
    """What of a completion can be paid back, in minor units: no refund that names it, or any other, has taken it."""
    currency = currency_of(transaction)
    own = amounts.units(completion.values["amount"], currency, "amount")
    own -= int(transaction.attributes.get("refunded_of", {}).get(str(completion.id), 0))
    return min(own, line_items.total(refundable_lines(transaction), currency))


def _noted(transaction: Entity, completion_id: int | None, total: int) -> dict[str, Any]:
    """The note of how much was paid back of each completion, with a refund more (or, below zero, one less)."""
    if completion_id is None:
        return {}
    noted = transaction.attributes.get("refunded_of", {})
    return {"refunded_of": {**noted, str(completion_id): noted.get(str(completion_id), 0) + total}}


def refundable_lines(transaction: Entity) -> list[LineItem]:
    """What can be paid back: what was completed, less what refunds have taken of it."""
    kept = lines(transaction, "refundable_lines")
    return completed_lines(transaction) if kept is None else kept


def _paid_back(transaction: Entity, total: int, kept: dict[str, Any]) -> Values:
    """What the transaction says after a refund has succeeded; `kept` takes the sum in minor units."""
    kept["paid_back"] = transaction.attributes.get("paid_back", 0) + total
    return {"refundedAmount": amounts.amount(kept["paid_back"], currency_of(transaction))}


def _values(
    acting: Acting, transaction: Entity, given: Mapping[str, Any], split: Split, base: list[LineItem]
) -> Values:
    currency, now = currency_of(transaction), stamp(clock.now())
    taxes = {(each["rate"], each["title"]): each for line in split.taken for each in line.get("taxes") or ()}
    return {
        **{name: transaction.values.get(name) for name in ("language", "timeZone", "environment")},
        **{name: given.get(name) for name in ("completion", "externalId", "merchantReference", "metaData", "type")},
        "transaction": {"id": transaction.id},
        "amount": amounts.amount(line_items.total(split.taken, currency), currency),
        "baseLineItems": base,
        "lineItems": split.taken,
        "reducedLineItems": split.remaining,
        "reductions": given.get("reductions") or [],
        "taxes": list(taxes.values()),
        "createdBy": acting.user_id,
        "processingOn": now,
        "succeededOn": now if given["type"] != ONLINE else None,
    }
