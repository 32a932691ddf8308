"""Completing and voiding what was authorised.

Online: the operation is written down with its object as PENDING, sent once, and settled; while it is under way no other
one can begin, so of a completion and a void at the same moment one wins. Offline: the merchant says what happened, and
one write takes it down. A transaction that is completed answers a further wish to complete it with its completion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments import amounts, failure_reasons, line_items
from payments.acquiring import Acquiring, Outcome
from payments.connectors import CONNECTORS
from payments.engine.errors import AlreadyThere, ExternalIdReused, StateInvalid, VersionConflict
from payments.engine.fields import stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.engine.service import digest
from payments.line_items import LineItemsInvalid
from payments.resources.transactions import TRANSACTION, TRANSACTION_COMPLETION, TRANSACTION_VOID
from payments.transactions.errors import OperationRunning
from payments.transactions.models import (
    COMPLETION,
    COMPLETION_ENDS,
    DONE,
    QUEUE,
    VOID,
    Acting,
    currency_of,
    operation_reference,
    remaining_lines,
)
from payments.transactions.repository import TransactionRepository
from payments.transactions.service import fulfilment
from payments.transactions.service.drafts import end_group
from payments.units import UnitOfWork, attempts, repeated
from payments.work import ASK_AFTER_SECONDS
from tollgate import clock
from tollgate.errors import Fault, UpstreamTimeout


class Completing:
    """Completes and voids transactions."""

    def __init__(self, objects: Objects, repository: TransactionRepository, acquiring: Acquiring) -> None:
        self._objects = objects
        self._repository = repository
        self._acquiring = acquiring

    # ------------------------------------------------------------------ completions

    def complete(self, acting: Acting, number: int, mode: str, given: Mapping[str, Any] | None = None) -> Entity:
        """Complete a transaction, wholly or in part (`given`: the members of the details).

        Raises:
            StateInvalid, OperationRunning: it cannot be completed (now).
            LineItemsInvalid: more than remains.
            ExternalIdReused: the external id came with other content before.
        """
        earlier = self._replayed(acting, given)
        if earlier is not None:
            return earlier
        try:
            transaction, completion = repeated(lambda: self._begin_completion(acting, number, mode, given))
        except AlreadyThere as there:
            return self._objects.read(TRANSACTION_COMPLETION, acting.scope, there.id)
        except (StateInvalid, OperationRunning):
            earlier = self._replayed(acting, given)  # a twin of this request may have been a moment faster
            if earlier is None:
                raise
            return earlier
        if completion.state != "PENDING" or transaction is None:
            return completion
        last = bool(completion.values.get("lastCompletion"))
        outcome = self._send(acting, transaction, "capture", completion.id, completion.values["amount"], final=last)
        return self.settle_completion(acting, transaction, completion, outcome) if outcome else completion

    def settle_completion(self, acting: Acting, transaction: Entity, completion: Entity, outcome: Outcome) -> Entity:
        """Make of a completion under way what the acquirer made of it; where another writer did that first, it is as
        that one left it."""
        if outcome.status == "pending":
            return completion
        for _ in attempts():
            try:
                return self._settle_completion(acting, transaction, completion, outcome)
            except VersionConflict:
                completion = self._objects.read(TRANSACTION_COMPLETION, acting.scope, completion.id)
                if completion.state != "PENDING":
                    return completion
                transaction = self._objects.read(TRANSACTION, acting.scope, transaction.id)
        return completion  # the clock will settle it

    def _settle_completion(self, acting: Acting, transaction: Entity, completion: Entity, outcome: Outcome) -> Entity:
        unit = self._unit(acting)
        self._end_work(unit, COMPLETION, transaction)
        if outcome.status == "declined":
            after = unit.replace(completion, _failed(outcome.reason), states=("FAILED",))
            unit.replace(transaction, {}, {"completing": None})
        else:
            values = {"succeededOn": stamp(clock.now()), "processorReference": outcome.processor_reference}
            after = unit.replace(completion, values, states=("SUCCESSFUL",))
            fulfilment.completed(unit, self._objects, transaction, after)
        unit.commit()
        return after

    def close(self, acting: Acting, number: int) -> None:
        """End a transaction that was completed in part and whose time is over: nothing more will be completed.

        Raises:
            StateInvalid, OperationRunning: it does not wait for that (now).
        """
        before = self._objects.read(TRANSACTION, acting.scope, number)
        _require_free(before)
        unit = self._unit(acting)
        fulfilment.closed(unit, self._objects, before)
        unit.commit()

    # ------------------------------------------------------------------ voids

    def void(self, acting: Acting, number: int, mode: str) -> Entity:
        """Void what was authorised and not completed.

        Raises:
            StateInvalid, OperationRunning: it cannot be voided (now).
        """
        transaction, made = repeated(lambda: self._begin_void(acting, number, mode))
        if made.state != "PENDING":
            return made
        authorised = amounts.amount(transaction.attributes["authorised"], currency_of(transaction))
        outcome = self._send(acting, transaction, "void", made.id, authorised)
        return self.settle_void(acting, transaction, made, outcome) if outcome else made

    def settle_void(self, acting: Acting, transaction: Entity, made: Entity, outcome: Outcome) -> Entity:
        """Make of a void under way what the acquirer made of it; where another writer did that first, it is as that
        one left it."""
        if outcome.status == "pending":
            return made
        for _ in attempts():
            try:
                return self._settle_void(acting, transaction, made, outcome)
            except VersionConflict:
                made = self._objects.read(TRANSACTION_VOID, acting.scope, made.id)
                if made.state != "PENDING":
                    return made
                transaction = self._objects.read(TRANSACTION, acting.scope, transaction.id)
        return made  # the clock will settle it

    def _settle_void(self, acting: Acting, transaction: Entity, made: Entity, outcome: Outcome) -> Entity:
        unit = self._unit(acting)
        self._end_work(unit, VOID, transaction)
        if outcome.status == "declined":
            after = unit.replace(made, _failed(outcome.reason), states=("FAILED",))
            unit.replace(transaction, {}, {"voiding": None})
        else:
            values = {"succeededOn": stamp(clock.now()), "processorReference": outcome.processor_reference}
            after = unit.replace(made, values, states=("SUCCESSFUL",))
            self._voided(unit, transaction)
        unit.commit()
        return after

    # ------------------------------------------------------------------ parts

    def _begin_completion(
        self, acting: Acting, number: int, mode: str, given: Mapping[str, Any] | None
    ) -> tuple[Entity | None, Entity]:
        before = self._objects.read(TRANSACTION, acting.scope, number)
        if before.state in DONE and not given:
            return None, self._objects.read(TRANSACTION_COMPLETION, acting.scope, before.attributes["last_completion"])
        _require_free(before)
        details = {name: each for name, each in (given or {}).items() if name != "lineItems" and each is not None}
        split = line_items.completed(remaining_lines(before), (given or {}).get("lineItems"), currency_of(before))
        total = line_items.total(split.taken, currency_of(before))
        if total < 0 or (total == 0 and before.attributes["authorised"] > 0):
            raise LineItemsInvalid([Fault("lineItems", "must come to more than zero")])
        if before.attributes["completed"] + total > before.attributes["authorised"]:  # without a discount that is due
            raise LineItemsInvalid([Fault("lineItems", "must not come to more than what is left of the authorization")])
        wanted_last = details.pop("lastCompletion", None)
        last = bool(wanted_last) or line_items.total(split.remaining, currency_of(before)) == 0
        values = fulfilment.completion_values(acting, before, split, mode, last=last, **details)
        unit = self._unit(acting)
        if mode == "OFFLINE" or not _is_online(before):
            done = {**values, "state": "SUCCESSFUL", "succeededOn": stamp(clock.now())}
            completion = unit.insert(TRANSACTION_COMPLETION, done, digest=digest(given or {}))
            transaction = fulfilment.completed(unit, self._objects, before, completion)
        else:
            completion = unit.insert(TRANSACTION_COMPLETION, {**values, "state": "PENDING"}, digest=digest(given or {}))
            transaction = self._under_way(unit, before, COMPLETION, "completing", completion.id)
        unit.commit()
        return transaction, completion

    def _begin_void(self, acting: Acting, number: int, mode: str) -> tuple[Entity, Entity]:
        before = self._objects.read(TRANSACTION, acting.scope, number)
        _require_free(before)
        if before.attributes["completed"]:
            raise StateInvalid(message="A transaction that is completed in part cannot be voided")
        is_online = mode == "ONLINE" and _is_online(before)
        now = stamp(clock.now())
        unit = self._unit(acting)
        made = unit.insert(
            TRANSACTION_VOID,
            {
                **{name: before.values.get(name) for name in ("language", "spaceViewId")},
                "transaction": {"id": number}, "linkedTransaction": number, "mode": mode,
                "createdBy": acting.user_id, "state": "PENDING" if is_online else "SUCCESSFUL",
                "succeededOn": None if is_online else now,
            },
        )  # fmt: skip
        if is_online:
            transaction = self._under_way(unit, before, VOID, "voiding", made.id)
        else:
            transaction = self._voided(unit, before)
        unit.commit()
        return transaction, made

    def _under_way(self, unit: UnitOfWork, before: Entity, kind: str, attribute: str, number: int) -> Entity:
        due = clock.epoch() + ASK_AFTER_SECONDS
        unit.later(QUEUE, kind, due, before.id)
        return unit.replace(before, {}, {attribute: number, "operation_due": due, "asked": 0})

    def _voided(self, unit: UnitOfWork, transaction: Entity) -> Entity:
        unit.no_longer(QUEUE, COMPLETION_ENDS, transaction.attributes["completion_ends"], transaction.id)
        after = unit.replace(transaction, {}, {"voiding": None}, ("VOIDED",))
        end_group(unit, after, "FAILED")
        return after

    def _send(
        self, acting: Acting, transaction: Entity, kind: str, number: int, amount: Any, *, final: bool = False
    ) -> Outcome | None:
        """The acquirer's answer; None if there is none, which leaves the operation to the clock."""
        currency = currency_of(transaction)
        try:
            return self._acquiring.carry_out(
                kind, acting.tenant, str(CONNECTORS[transaction.attributes["connector"]].acquirer),
                operation_reference(transaction, kind, number), transaction.attributes["reference"],
                amount=amounts.units(amount, currency, "amount"), currency=currency, final=final,
            )  # fmt: skip
        except UpstreamTimeout:
            return None

    def _end_work(self, unit: UnitOfWork, kind: str, transaction: Entity) -> None:
        unit.no_longer(QUEUE, kind, transaction.attributes["operation_due"], transaction.id)

    def _replayed(self, acting: Acting, given: Mapping[str, Any] | None) -> Entity | None:
        """The completion that this external id has made before, if it has one."""
        if not given or not given.get("externalId"):
            return None
        claimed = self._repository.claim_of(TRANSACTION_COMPLETION, acting.scope, given["externalId"])
        if claimed is None:
            return None
        if claimed.digest != digest(given):
            raise ExternalIdReused
        return self._objects.read(TRANSACTION_COMPLETION, acting.scope, claimed.id)

    def _unit(self, acting: Acting) -> UnitOfWork:
        return UnitOfWork(self._objects, acting.tenant, acting.scope)


def _require_free(transaction: Entity) -> None:
    if transaction.state != "AUTHORIZED":
        raise StateInvalid
    if transaction.attributes.get("completing") or transaction.attributes.get("voiding"):
        raise OperationRunning


def _is_online(transaction: Entity) -> bool:
    """Whether there is an acquirer to be told."""
    return CONNECTORS[transaction.attributes["connector"]].takes_cards


def _failed(code: str | None) -> Values:
    reason = failure_reasons.reason(code)
    return {"failedOn": stamp(clock.now()), "failureReason": {"id": reason.id}}
