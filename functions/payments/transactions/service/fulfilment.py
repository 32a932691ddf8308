"""What follows from money: completions, invoices, the decision on delivery, and the states that these lead to.

Each function adds to a unit of work that settles something else, so that an authorised payment and everything that
follows from it are one write.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from payments import amounts, line_items, states
from payments.connectors import CONNECTORS, PAYMENT_DAYS
from payments.engine.fields import stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.line_items import LineItem, Split
from payments.resources.transactions import DELIVERY_INDICATION, TRANSACTION_COMPLETION, TRANSACTION_INVOICE
from payments.tasks import DELIVERY_DECISION, open_task
from payments.transactions.models import (
    COMPLETION_DAYS,
    COMPLETION_ENDS,
    DONE,
    INVOICE_DUE,
    INVOICE_QUEUE,
    OUTSTANDING,
    QUEUE,
    Acting,
    currency_of,
    epoch_of,
    kept_lines,
    lines,
    remaining_lines,
)
from payments.transactions.service.drafts import end_group
from payments.units import UnitOfWork
from tollgate import clock, ids

SUITABLE_REASON: Final = 1461160001001
"""The reason of an automatic decision: nothing speaks against a delivery."""

_INHERITED: Final = ("language", "spaceViewId", "timeZone")


def completes_at_once(transaction: Entity) -> bool:
    """Whether a successful authorisation completes the transaction; connectors are configured to."""
    return transaction.values.get("completionBehavior") != "COMPLETE_DEFERRED"


def authorised(unit: UnitOfWork, acting: Acting, before: Entity, values: Values, *, review: bool) -> Entity:
    """The transaction after its authorisation, with what follows at once."""
    if not completes_at_once(before):
        return _wait_for_completion(unit, before, values, review=review)
    split = Split(list(before.values["lineItems"]), [])
    completion = unit.insert(
        TRANSACTION_COMPLETION,
        {**completion_values(acting, before, split, "DIRECT", last=True), "state": "SUCCESSFUL",
         "succeededOn": stamp(clock.now())},
    )  # fmt: skip
    add_invoice(unit, before, completion, split.taken)
    state = "MANUAL_CHECK_REQUIRED" if review else "SUITABLE"
    delivery = _add_delivery(unit, before, state, completion)
    done = _completed(before, split)
    return _reach(
        unit, before, {**values, **done}, {**_bookkeeping(before, completion, split), "delivery": delivery.id},
        "COMPLETED" if review else "FULFILL",
    )  # fmt: skip


def completed(unit: UnitOfWork, objects: Objects, before: Entity, completion: Entity) -> Entity:
    """The transaction after a successful completion, which is the given one as it is now."""
    split = Split(completion.values["lineItems"], completion.values.get("remainingLineItems", []))
    add_invoice(unit, before, completion, split.taken)
    values = _completed(before, split)
    kept = {**_bookkeeping(before, completion, split), "completing": None}
    if not completion.values["lastCompletion"]:
        values.pop("completedOn")
        return unit.replace(before, values, kept)
    return _close(unit, objects, before, values, kept, completion.id)


def closed(unit: UnitOfWork, objects: Objects, before: Entity) -> Entity:
    """The transaction after its last completion, where that has become the last one by time."""
    values: Values = {"completedOn": stamp(clock.now())}
    return _close(unit, objects, before, values, {}, before.attributes["last_completion"])


def completion_values(
    acting: Acting, transaction: Entity, split: Split, mode: str, *, last: bool, **given: Any
) -> Values:
    """The properties of a completion of some of the lines that remain."""
    currency = currency_of(transaction)
    version = transaction.attributes.get("line_item_version")
    return {
        **_inherited(transaction),
        **given,
        "linkedTransaction": transaction.id,
        "mode": mode,
        "createdBy": acting.user_id,
        "amount": amounts.amount(line_items.total(split.taken, currency), currency),
        "taxAmount": amounts.amount(line_items.tax_total(split.taken, currency), currency),
        "baseLineItems": remaining_lines(transaction),
        "lineItems": split.taken,
        "remainingLineItems": split.remaining,
        "lastCompletion": last,
        "lineItemVersion": {"id": version} if version else None,
        "processingOn": stamp(clock.now()),
        "invoiceMerchantReference": given.get("invoiceMerchantReference")
        or transaction.values.get("invoiceMerchantReference"),
    }


def add_invoice(unit: UnitOfWork, transaction: Entity, completion: Entity, taken: list[LineItem]) -> Entity:
    """The invoice of a completion: paid where a card was charged, open where the buyer pays later."""
    currency = currency_of(transaction)
    total = line_items.total(taken, currency)
    connector = CONNECTORS.get(transaction.attributes.get("connector", 0))
    now = clock.now()
    is_open = connector is not None and not connector.takes_cards and total > 0
    due = now + timedelta(days=PAYMENT_DAYS if is_open else 0)
    values: Values = {
        **_inherited(transaction),
        "linkedTransaction": transaction.id,
        "completion": {"id": completion.id},
        "amount": amounts.amount(total, currency),
        "taxAmount": amounts.amount(line_items.tax_total(taken, currency), currency),
        "outstandingAmount": amounts.amount(total if is_open else 0, currency),
        "lineItems": taken,
        "billingAddress": transaction.values.get("billingAddress"),
        "environment": transaction.values.get("environment"),
        "merchantReference": completion.values.get("invoiceMerchantReference"),
        "state": "OPEN" if is_open else "PAID" if total else "NOT_APPLICABLE",
        "dueOn": stamp(due),
        "paidOn": None if is_open or not total else stamp(now),
    }
    made = unit.insert(TRANSACTION_INVOICE, values, {"currency": currency, "due": epoch_of(due)})
    if is_open:
        unit.later(INVOICE_QUEUE, INVOICE_DUE, epoch_of(due), made.id)
    return made


def reach(unit: UnitOfWork, transaction: Entity, target: str) -> Entity:
    """The transaction at another state, and its group at its end if it ends there."""
    return _reach(unit, transaction, {}, {}, target)


# ------------------------------------------------------------------ parts


def _close(
    unit: UnitOfWork, objects: Objects, before: Entity, values: Values, kept: dict[str, Any], completion_id: int
) -> Entity:
    """To COMPLETED, and on to the end as far as the delivery is decided."""
    unit.no_longer(QUEUE, COMPLETION_ENDS, before.attributes["completion_ends"], before.id)
    delivery = objects.read(DELIVERY_INDICATION, unit.scope, before.attributes["delivery"])
    state = _decide(unit, delivery, completion_id)
    target = {"SUITABLE": "FULFILL", "NOT_SUITABLE": "DECLINE"}.get(state, "COMPLETED")
    return _reach(unit, before, values, kept, target)


def _reach(unit: UnitOfWork, before: Entity, values: Values, kept: dict[str, Any], target: str) -> Entity:
    steps = states.path(states.TRANSACTION, str(before.state), target)
    if before.attributes.get("pays_invoice") and before.state not in DONE:
        _pay_invoice(unit, before.attributes["pays_invoice"])
    if states.is_final(states.TRANSACTION, target):
        values = {**values, "deliveryDecisionMadeOn": stamp(clock.now())}
    after = unit.replace(before, values, kept, steps)
    if states.is_final(states.TRANSACTION, target):
        end_group(unit, after, "SUCCESSFUL" if target == "FULFILL" else "FAILED")
    return after


def end_invoice(unit: UnitOfWork, before: Entity, state: str, values: Values) -> Entity:
    """An invoice of which nothing is outstanding any more."""
    if before.state == "OPEN":
        unit.no_longer(INVOICE_QUEUE, INVOICE_DUE, before.attributes["due"], before.id)
    zero = amounts.amount(0, before.attributes["currency"])
    steps = states.path(states.INVOICE, str(before.state), state)
    return unit.replace(before, {**values, "outstandingAmount": zero}, states=steps)


def _pay_invoice(unit: UnitOfWork, number: int) -> None:
    """The invoice that a transaction was made to pay, if nobody has settled it otherwise meanwhile."""
    invoice = unit.objects.find(TRANSACTION_INVOICE, unit.scope, number)
    if invoice is not None and invoice.state in OUTSTANDING:
        end_invoice(unit, invoice, "PAID", {"paidOn": stamp(clock.now())})


def _wait_for_completion(unit: UnitOfWork, before: Entity, values: Values, *, review: bool) -> Entity:
    ends = clock.now() + timedelta(days=COMPLETION_DAYS)
    delivery = _add_delivery(unit, before, "MANUAL_CHECK_REQUIRED" if review else "PENDING", None)
    unit.later(QUEUE, COMPLETION_ENDS, epoch_of(ends), before.id)
    return unit.replace(
        before, {**values, "completionTimeoutOn": stamp(ends)},
        {"delivery": delivery.id, "completion_ends": epoch_of(ends)}, ("AUTHORIZED",),
    )  # fmt: skip


def _add_delivery(unit: UnitOfWork, transaction: Entity, state: str, completion: Entity | None) -> Entity:
    values: Values = {"transaction": {"id": transaction.id}, "linkedTransaction": transaction.id, "state": state}
    number = ids.new_number(clock.now())
    task = open_task(unit, DELIVERY_DECISION, number).id if state == "MANUAL_CHECK_REQUIRED" else None
    if state == "SUITABLE":
        values.update(_automatically())
    if completion is not None:
        values["completion"] = {"id": completion.id}
    return unit.insert(DELIVERY_INDICATION, values, {"task": task}, number=number)


def _decide(unit: UnitOfWork, delivery: Entity, completion_id: int) -> str:
    """The delivery's state after the last completion; one that waits for nobody is decided."""
    linked: Values = {"completion": {"id": completion_id}}
    if delivery.state != "PENDING":
        unit.replace(delivery, linked)
        return str(delivery.state)
    unit.replace(delivery, {**linked, **_automatically()}, states=("SUITABLE",))
    return "SUITABLE"


def _automatically() -> Values:
    return {"automaticallyDecidedOn": stamp(clock.now()), "automaticDecisionReason": {"id": SUITABLE_REASON}}


def _completed(before: Entity, split: Split) -> Values:
    currency = currency_of(before)
    total = before.attributes["completed"] + line_items.total(split.taken, currency)
    return {"completedAmount": amounts.amount(total, currency), "completedOn": stamp(clock.now())}


def _bookkeeping(before: Entity, completion: Entity, split: Split) -> dict[str, Any]:
    """What later completions and refunds go by; line items are kept where they differ from the transaction's."""
    currency = currency_of(before)
    kept: dict[str, Any] = {
        "completed": before.attributes["completed"] + line_items.total(split.taken, currency),
        "last_completion": completion.id,
    }
    if split.remaining or before.attributes.get("remaining_lines"):
        former = lines(before, "completed_lines") or []
        kept["remaining_lines"] = kept_lines(before, split.remaining)
        kept["completed_lines"] = kept_lines(before, line_items.merged(former, split.taken, currency))
    return kept


def _inherited(transaction: Entity) -> Values:
    return {name: transaction.values[name] for name in _INHERITED if transaction.values.get(name) is not None}
