"""What a payment does to the level of a charge flow that it belongs to, in the write that moves the payment.

A transaction under a flow keeps `flow_due`, when the flow looks at it again, and `flow_level`, the level in force. Who
goes from level to level is `payments.charge_flows`; here a charge is noted with its level, and a charge that ends ends
the level, or leaves it to a buyer who may still try.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from payments.engine.errors import StateInvalid
from payments.engine.fields import stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.failure_reasons import FailureReason
from payments.resources.charge_flows import CHARGE_FLOW_LEVEL
from payments.transactions.models import AUTHORISATION_ENDS, QUEUE
from payments.transactions.service.drafts import confirmation, end_group, steps_to_processing
from payments.units import UnitOfWork
from tollgate import clock

FLOW_QUEUE: Final = "charge-flows"
LEVEL_DUE: Final = "level"

_CHARGES: Final = {
    "TOKEN": "tokenCharge", "SYNCHRONOUS": "synchronousCharge", "ASYNCHRONOUS": "asynchronousCharge",
    "TERMINAL": "synchronousCharge",
}  # fmt: skip


def is_under_flow(transaction: Entity) -> bool:
    """Whether a flow decides what follows when a charge fails."""
    return transaction.attributes.get("flow_due") is not None


def begun(unit: UnitOfWork, objects: Objects, transaction: Entity, charge: Entity) -> None:
    """A charge has begun.

    Raises:
        StateInvalid: it is of the token, which a flow charges at its own level alone, and once there.
    """
    level, name = _in_force(objects, transaction), _CHARGES[str(charge.values["type"])]
    if name == "tokenCharge" and is_under_flow(transaction) and not may_charge_token(level):
        raise StateInvalid(message="A charge flow decides when the token is charged")
    if level is not None:
        unit.replace(level, {name: {"id": charge.id}})


def may_charge_token(level: Entity | None) -> bool:
    """Whether a level is there to charge the token and has not done so yet."""
    return level is not None and bool(level.attributes.get("charges_token")) and level.link("tokenCharge") is None


def succeeded(unit: UnitOfWork, objects: Objects, transaction: Entity) -> None:
    """The transaction is paid: the level has done what it was for, and the flow is over."""
    level = _in_force(objects, transaction)
    if level is not None:
        unit.replace(level, {}, states=("SUCCESSFUL",))
    if is_under_flow(transaction):
        unit.no_longer(FLOW_QUEUE, LEVEL_DUE, transaction.attributes["flow_due"], transaction.id)


def failed(
    unit: UnitOfWork, objects: Objects, transaction: Entity, reason: FailureReason, *, may_try_again: bool
) -> dict[str, Any]:
    """A charge has failed; what the transaction keeps after it. Unless its buyer may try again within the level, the
    next level is due now."""
    now = clock.epoch()
    if may_try_again and transaction.attributes["flow_due"] > now:
        return {}
    level = _in_force(objects, transaction)
    if level is not None:
        unit.replace(level, {}, states=("FAILED",))
    come_back(unit, transaction, now)
    return {"flow_level": None, "flow_due": now, "flow_failure": [reason.id, reason.message]}


def enter(unit: UnitOfWork, before: Entity, user_id: int | None, plan: dict[str, Any], ends: int) -> Entity:
    """A transaction that waits for its payment, under a flow from now on, which lasts until `ends` at the longest.

    Raises:
        StateInvalid: it does not wait for a payment, or is under a flow already.
    """
    if is_under_flow(before):
        raise StateInvalid(message="A charge flow is applied to the transaction already")
    steps, now = steps_to_processing(before), clock.epoch()
    values: Values = {
        **(confirmation(user_id) if before.state == "PENDING" else {}),
        "processingOn": before.values.get("processingOn") or stamp(clock.now()),
        "authorizationTimeoutOn": stamp(datetime.fromtimestamp(ends, UTC)),
    }
    kept = {"flow": plan, "flow_level": None, "flow_due": now, "flow_failure": None, "ends": ends}
    after = unit.replace(before, values, kept, steps)
    unit.no_longer(QUEUE, AUTHORISATION_ENDS, before.attributes["ends"], before.id)
    unit.later(FLOW_QUEUE, LEVEL_DUE, now, before.id)
    return after


def leave(unit: UnitOfWork, objects: Objects, transaction: Entity, reason: FailureReason) -> Entity:
    """The flow is over and nobody has paid: the transaction has failed."""
    level = _in_force(objects, transaction)
    if level is not None:
        unit.replace(level, {}, states=("FAILED",))
    unit.no_longer(FLOW_QUEUE, LEVEL_DUE, transaction.attributes["flow_due"], transaction.id)
    values: Values = {
        "failureReason": {"id": reason.id},
        "userFailureMessage": reason.message,
        "failedOn": stamp(clock.now()),
    }
    after = unit.replace(transaction, values, {"flow_level": None, "flow_due": None}, ("FAILED",))
    end_group(unit, after, "FAILED")
    return after


def come_back(unit: UnitOfWork, transaction: Entity, due: int) -> None:
    """Have the flow look at the transaction at another time than noted."""
    if transaction.attributes.get("flow_due") == due:
        return
    if transaction.attributes.get("flow_due") is not None:
        unit.no_longer(FLOW_QUEUE, LEVEL_DUE, transaction.attributes["flow_due"], transaction.id)
    unit.later(FLOW_QUEUE, LEVEL_DUE, due, transaction.id)


def _in_force(objects: Objects, transaction: Entity) -> Entity | None:
    number = transaction.attributes.get("flow_level")
    return None if number is None else objects.read(CHARGE_FLOW_LEVEL, transaction.scope, number)
