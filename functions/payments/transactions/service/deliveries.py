"""Whether to deliver: what the merchant decides where the decision was not made by itself."""

from __future__ import annotations

from payments import states
from payments.engine.errors import StateInvalid
from payments.engine.fields import stamp
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.transactions import DELIVERY_INDICATION, TRANSACTION
from payments.tasks import close_task
from payments.transactions.models import Acting
from payments.transactions.service import fulfilment
from payments.units import UnitOfWork, repeated
from tollgate import clock


def decide(objects: Objects, acting: Acting, number: int, *, suitable: bool) -> Entity:
    """The delivery indication after the merchant's decision; a completed transaction comes to its end with it.

    Raises:
        ObjectNotFound, StateInvalid: there is none, or it is decided.
    """
    return repeated(lambda: _decide(objects, acting, number, "SUITABLE" if suitable else "NOT_SUITABLE"))


def _decide(objects: Objects, acting: Acting, number: int, state: str) -> Entity:
    before = objects.read(DELIVERY_INDICATION, acting.scope, number)
    if not states.may(states.DELIVERY_INDICATION, str(before.state), state):
        raise StateInvalid
    unit = UnitOfWork(objects, acting.tenant, acting.scope)
    decided = {"manuallyDecidedBy": acting.user_id, "manuallyDecidedOn": stamp(clock.now())}
    after = unit.replace(before, decided, states=(state,))
    close_task(unit, before.attributes.get("task"))
    transaction = objects.read(TRANSACTION, acting.scope, before.values["linkedTransaction"])
    if transaction.state == "COMPLETED":
        fulfilment.reach(unit, transaction, "FULFILL" if state == "SUITABLE" else "DECLINE")
    else:  # the decision counts when the transaction is completed, so it must not have been since
        unit.replace(transaction, {})
    unit.commit()
    return after
