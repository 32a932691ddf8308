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
    operation_reference,
)
from payments.transactions.repository import TransactionRepository
from payments.transactions.service.charging import Charging
from payments.transactions.service.completing import Completing
from payments.transactions.service.drafts import end_group
from payments.units import UnitOfWork
from payments.work import Work
from tollgate import clock
from tollgate.errors import UpstreamTimeout

MOST_PER_SHARD: Final = 50
_NEVER: Final = Outcome("declined", "", "never_received")


class Settling:
    """Settles what is due."""

    def __init__(
        self,
        objects: Objects,
        repository: TransactionRepository,
        acquiring: Acquiring,
        charging: Charging,
        completing: Completing,
    ) -> None:
        self._objects = objects
        self._repository = repository
        self._acquiring = acquiring
        self._charging = charging
        self._completing = completing

    def due(self) -> Iterator[Callable[[], int]]:
        """What is due now, each as what settles it and answers 1 if that changed something."""
        for row in self._repository.due(QUEUE, MOST_PER_SHARD):
            yield partial(self.settle, row)

    def count_due(self) -> int:
        return self._repository.count_due(QUEUE, MOST_PER_SHARD)

    def settle(self, row: Work) -> int:
        """One piece of work. Another writer that is first has done it."""
        acting = Acting(row.tenant, row.scope)
        try:
            transaction = self._objects.read(TRANSACTION, row.scope, row.object_id)
            with contextlib.suppress(VersionConflict, UpstreamTimeout):
                return int(_STEPS[row.kind](self, acting, transaction, row))
        except (ObjectNotFound, StateInvalid):
            self._repository.forget(row)
        except OperationRunning:
            return 0  # the operation under way has a row of its own
        return 0

    def _charge(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        if transaction.state != "PROCESSING" or transaction.attributes.get("due") != row.due:
            raise StateInvalid
        under_way = self._charging.find(acting, transaction)
        if transaction.attributes.get("waits_for_buyer"):
            self._charging.fail(acting, under_way, failure_reasons.TIMED_OUT)
            return True
        outcome = self._ask(acting, transaction, transaction.attributes["reference"])
        return self._charging.settle(acting, under_way, outcome).transaction.state != "PROCESSING"

    def _completion(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        number = transaction.attributes.get("completing")
        if not number or transaction.attributes.get("operation_due") != row.due:
            raise StateInvalid
        completion = self._objects.read(TRANSACTION_COMPLETION, acting.scope, number)
        outcome = self._ask(acting, transaction, operation_reference(transaction, "capture", number))
        return self._completing.settle_completion(acting, transaction, completion, outcome).state != "PENDING"

    def _void(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        number = transaction.attributes.get("voiding")
        if not number or transaction.attributes.get("operation_due") != row.due:
            raise StateInvalid
        made = self._objects.read(TRANSACTION_VOID, acting.scope, number)
        outcome = self._ask(acting, transaction, operation_reference(transaction, "void", number))
        return self._completing.settle_void(acting, transaction, made, outcome).state != "PENDING"

    def _authorisation_ends(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        """A draft that nobody paid in time has failed."""
        if transaction.state not in ("PENDING", "CONFIRMED"):
            raise StateInvalid
        unit = UnitOfWork(self._objects, acting.tenant, acting.scope)
        reason = failure_reasons.TIMED_OUT
        after = unit.replace(
            transaction,
            {"failedOn": stamp(clock.now()), "failureReason": {"id": reason.id}, "userFailureMessage": reason.message},
            states=("FAILED",),
        )
        unit.no_longer(QUEUE, AUTHORISATION_ENDS, row.due, transaction.id)
        end_group(unit, after, "FAILED")
        unit.commit()
        return True

    def _completion_ends(self, acting: Acting, transaction: Entity, row: Work) -> bool:
        """An authorisation that was not completed in time is voided, and one completed in part is closed."""
        del row
        if transaction.attributes["completed"]:
            return self._completing.close(acting, transaction.id)
        return self._completing.void(acting, transaction.id, "ONLINE").state == "SUCCESSFUL"

    def _ask(self, acting: Acting, transaction: Entity, reference: str) -> Outcome:
        connector = CONNECTORS[transaction.attributes["connector"]]
        if connector.acquirer is None:
            return Outcome("approved", f"invoice-{transaction.id}")
        try:
            return self._acquiring.ask(acting.tenant, connector.acquirer, reference)
        except OperationUnknown:
            return _NEVER


_STEPS: Final = {
    CHARGE: Settling._charge,
    COMPLETION: Settling._completion,
    VOID: Settling._void,
    AUTHORISATION_ENDS: Settling._authorisation_ends,
    COMPLETION_ENDS: Settling._completion_ends,
}
