"""What the clock settles: operations without an answer, authorisations and completions that ran out of time.

An operation that was sent is never sent again; the acquirer is asked. What never arrived there has failed. Each piece
of work reads the transaction as it is now, so that a row too many changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from payments import failure_reasons
from payments.acquiring import Acquiring, OperationUnknown, Outcome
from payments.connectors import CONNECTORS
from payments.engine.errors import ObjectNotFound, StateInvalid, VersionConflict
from payments.engine.fields import stamp
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.transactions import TRANSACTION, TRANSACTION_COMPLETION, TRANSACTION_VOID
from payments.transactions.errors import OperationRunning
from payments.transactions.models import (
    AUTHORISATION_ENDS,
    CHARGE,
    COMPLETION,
    COMPLETION_ENDS,
    QUEUE,
    VOID,
    Acting,
    is_under_way,
    operation_reference,
)
from payments.transactions.repository import TransactionRepository
from payments.transactions.service import levels
from payments.transactions.service.authenticating import Authenticating, waits
from payments.transactions.service.charging import Charging
from payments.transactions.service.completing import Completing
from payments.transactions.service.drafts import end_group
from payments.units import UnitOfWork
from payments.work import Work, next_due
from tollgate import clock
from tollgate.errors import UpstreamTimeout

MOST_PER_SHARD: Final = 50
_NEVER: Final = Outcome("declined", "", "never_received")
_OPEN: Final = Outcome("pending", "")


class Settling:
    """Settles what is due."""

    def __init__(
        self,
        objects: Objects,
        repository: TransactionRepository,
        acquiring: Acquiring,
        charging: Charging,
        completing: Completing,
        authenticating: Authenticating,
    ) -> None:
        self._objects = objects
        self._repository = repository
        self._acquiring = acquiring
        self._charging = charging
        self._completing = completing
        self._authenticating = authenticating

    def due(self) -> Iterator[Callable[[], int]]:
        """What is due now, each as what settles it and answers 1 if that changed something."""
        for row in self._repository.due(QUEUE, MOST_PER_SHARD):
            yield partial(self.settle, row)

    def settle(self, row: Work) -> int:
        """One piece of work. Another writer that is first has done it."""
        acting = Acting(row.tenant, row.scope)
        try:
            transaction = self._objects.read(TRANSACTION, row.scope, row.object_id)
            with contextlib.suppress(VersionConflict):
                return int(_STEPS[row.kind](self, acting, transaction, row))
        except OperationRunning:
            return 0  # it has begun this very moment; it comes first
        except (ObjectNotFound, StateInvalid):
            self._repository.forget(row)
        return 0

    def _charge(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        if transaction.attributes.get("due") != row.due:
            raise StateInvalid
        if waits(transaction):
            if self._authenticating.overdue(acting, transaction):
                return True
            return self._postpone(acting, transaction, row, "due")
        under_way = self._charging.find(acting, transaction)
        outcome = self._ask(acting, transaction, transaction.attributes["reference"])
        if outcome.status == "pending":
            return self._postpone(acting, transaction, row, "due")
        self._charging.settle(acting, under_way, outcome)
        return True

    def _completion(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        number = transaction.attributes.get("completing")
        if not number or transaction.attributes.get("operation_due") != row.due:
            raise StateInvalid
        outcome = self._ask(acting, transaction, operation_reference(transaction, "capture", number))
        if outcome.status == "pending":
            return self._postpone(acting, transaction, row, "operation_due")
        completion = self._objects.read(TRANSACTION_COMPLETION, acting.scope, number)
        self._completing.settle_completion(acting, transaction, completion, outcome)
        return True

    def _void(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        number = transaction.attributes.get("voiding")
        if not number or transaction.attributes.get("operation_due") != row.due:
            raise StateInvalid
        outcome = self._ask(acting, transaction, operation_reference(transaction, "void", number))
        if outcome.status == "pending":
            return self._postpone(acting, transaction, row, "operation_due")
        made = self._objects.read(TRANSACTION_VOID, acting.scope, number)
        self._completing.settle_void(acting, transaction, made, outcome)
        return True

    def _authorisation_ends(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        """A transaction that nobody paid in time has failed."""
        if transaction.state not in ("PENDING", "CONFIRMED", "PROCESSING") or is_under_way(transaction):
            raise StateInvalid
        if levels.is_under_flow(transaction):  # which ends it in its own time
            raise StateInvalid
        unit = UnitOfWork(self._objects, acting.tenant, acting.scope)
        reason = failure_reasons.TIMED_OUT
        failed = {"failureReason": {"id": reason.id}, "userFailureMessage": reason.message}
        after = unit.replace(transaction, {**failed, "failedOn": stamp(clock.now())}, states=("FAILED",))
        unit.no_longer(QUEUE, AUTHORISATION_ENDS, row.due, transaction.id)
        end_group(unit, after, "FAILED")
        unit.commit()
        return True

    def _completion_ends(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        """An authorisation that was not completed in time is voided, whatever the processor says to that; one that was
        completed in part is closed. What is under way comes first."""
        if transaction.state != "AUTHORIZED" or transaction.attributes.get("completion_ends") != row.due:
            raise StateInvalid
        if transaction.attributes.get("completing") or transaction.attributes.get("voiding"):
            return self._postpone(acting, transaction, row, "completion_ends")
        if transaction.attributes["completed"]:
            self._completing.close(acting, transaction.id)
        elif self._completing.void(acting, transaction.id, "ONLINE").state == "FAILED":
            self._completing.void(acting, transaction.id, "OFFLINE")
        return True

    def _ask(self, acting: Acting, transaction: Entity, reference: str) -> Outcome:
        """What the acquirer knows of an operation; no answer is as good as one that leaves it open."""
        connector = CONNECTORS[transaction.attributes["connector"]]
        if connector.acquirer is None:
            return Outcome("approved", f"invoice-{transaction.id}")
        try:
            return self._acquiring.ask(acting.tenant, connector.acquirer, reference)
        except OperationUnknown:
            return _NEVER
        except UpstreamTimeout:
            return _OPEN

    def _postpone(self, acting: Acting, transaction: Entity, row: Work, attribute: str) -> bool:
        """Come back later, and each time later than before, so that it keeps nothing waiting behind it."""
        asked = transaction.attributes.get("asked", 0) + 1
        due = next_due(clock.epoch(), asked)
        unit = UnitOfWork(self._objects, acting.tenant, acting.scope)
        unit.no_longer(QUEUE, row.kind, row.due, transaction.id)
        unit.later(QUEUE, row.kind, due, transaction.id)
        unit.replace(transaction, {}, {attribute: due, "asked": asked})
        unit.commit()
        return False


_STEPS: Final = {
    CHARGE: Settling._charge,
    COMPLETION: Settling._completion,
    VOID: Settling._void,
    AUTHORISATION_ENDS: Settling._authorisation_ends,
    COMPLETION_ENDS: Settling._completion_ends,
}
