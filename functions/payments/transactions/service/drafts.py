"""A transaction before it is paid: created, changed while pending, confirmed, or out of time.

A transaction is created in two steps of its state (CREATE, PENDING), so it begins with version 2, as clients expect.
Every set of line items is kept as a line item version of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from payments import amounts, line_items, states
from payments.engine import documents
from payments.engine.errors import StateInvalid
from payments.engine.fields import stamp
from payments.engine.models import Entity, Values
from payments.engine.service import Change, Hooks, ResourceService
from payments.resources.transactions import TRANSACTION, TRANSACTION_GROUP, TRANSACTION_LINE_ITEM_VERSION
from payments.transactions.models import (
    AUTHORISATION_ENDS,
    AUTHORISATION_HOURS,
    END_OF_LIFE_YEARS,
    QUEUE,
    epoch_of,
    is_under_way,
)
from payments.units import UnitOfWork
from tollgate import clock, ids

LARGEST_CART: Final = 300_000
"""How many bytes a cart's line items may take, deflated."""

_DEFAULTS: Values = {
    "autoConfirmationEnabled": True,
    "chargeRetryEnabled": True,
    "emailsDisabled": False,
    "completionBehavior": "USE_CONFIGURATION",
    "customersPresence": "VIRTUAL_PRESENT",
    "environment": "LIVE",
    "environmentSelectionStrategy": "USE_CONFIGURATION",
    "language": "en-US",
    "timeZone": "UTC",
    "allowedPaymentMethodBrands": [],
    "allowedPaymentMethodConfigurations": [],
    "yearsToKeep": END_OF_LIFE_YEARS,
}


class Drafts(ResourceService):
    """The engine's use cases of transactions, which begin with version 2."""

    def new_entity(self, change: Change, version: int = 2) -> Entity:
        return super().new_entity(change, version)


class DraftHooks(Hooks):
    """What creating and changing a transaction involve."""

    def creating(self, change: Change) -> None:
        change.values = {**_DEFAULTS, **change.values}
        currency = amounts.require_currency(change.values.get("currency"), "currency")
        unit = _unit(change)
        _set_lines(change, unit, change.values["lineItems"], currency)
        values, attributes = beginning(unit, change.id, change.context.user_id, change.values)
        change.values.update(values)
        change.attributes.update(attributes)
        unit.announce(Entity(change.resource, change.scope, change.id, 2, change.values))

    def updating(self, change: Change) -> None:
        before = _before(change)
        if before.state != "PENDING":
            raise StateInvalid
        currency = change.values.get("currency", before.values.get("currency"))
        given = change.values.get("lineItems")
        if given is None and "lineItems" in change.values:
            raise line_items.LineItemsInvalid.at("lineItems", "must not be cleared")
        lines = before.values.get("lineItems") if given is None and "currency" in change.values else given
        if given is not None or lines:
            _set_lines(change, _unit(change), lines or [], amounts.require_currency(currency, "currency"))
        elif "currency" in change.values:
            amounts.require_currency(currency, "currency")


def beginning(unit: UnitOfWork, number: int, user_id: int | None, values: Values) -> tuple[Values, dict[str, Any]]:
    """What every transaction begins with, as properties and attributes; its group and its time come with it."""
    now = clock.now()
    due = now + timedelta(hours=AUTHORISATION_HOURS)
    group = unit.insert(
        TRANSACTION_GROUP, {"state": "PENDING", "beginDate": stamp(now), "customerId": values.get("customerId")}
    )
    unit.later(QUEUE, AUTHORISATION_ENDS, epoch_of(due), number)
    zero = amounts.amount(0, values["currency"]) if values.get("currency") else Decimal(0)
    return {
        "state": "PENDING",
        "completedAmount": zero,
        "refundedAmount": zero,
        "createdBy": user_id,
        "group": {"id": group.id},
        "authorizationTimeoutOn": stamp(due),
        "endOfLife": stamp(now + timedelta(days=365 * END_OF_LIFE_YEARS)),
    }, {"begun": stamp(now), "ends": epoch_of(due), "completed": 0, "refunded": 0}


def begin_for_invoice(
    unit: UnitOfWork, user_id: int | None, invoice: Entity, original: Entity, further: Values
) -> Entity:
    """A transaction whose payment pays an invoice that is outstanding; not committed."""
    number, currency = ids.new_number(clock.now()), str(invoice.attributes["currency"])
    known = ("customerId", "customerEmailAddress", "spaceViewId", "language", "timeZone", "environment")
    own: Values = {
        **_DEFAULTS, **{name: original.values[name] for name in known if original.values.get(name) is not None},
        **{name: invoice.values.get(name) for name in ("billingAddress", "merchantReference")},
        "lineItems": invoice.values["lineItems"], "currency": currency, "authorizationAmount": invoice.values["amount"],
        "completionBehavior": "COMPLETE_IMMEDIATELY", "parent": {"id": original.id}, **further,
    }  # fmt: skip
    values, attributes = beginning(unit, number, user_id, own)
    version = add_line_item_version(unit, number, own["lineItems"], currency)
    kept = {
        **attributes, "authorised": line_items.total(own["lineItems"], currency), "line_item_version": version.id,
        "pays_invoice": invoice.id,
    }  # fmt: skip
    return unit.insert(TRANSACTION, {**own, **values}, kept, number=number, version=2)


def begin_for_token(unit: UnitOfWork, user_id: int | None, token: Entity) -> Entity:
    """A transaction without a cart, whose payment gives a token a new version."""
    number = ids.new_number(clock.now())
    known = {name: token.values.get(name) for name in ("customerId", "customerEmailAddress", "language", "timeZone")}
    own: Values = {
        **_DEFAULTS, **{name: each for name, each in known.items() if each is not None},
        "token": {"id": token.id}, "tokenizationMode": "FORCE_UPDATE", "lineItems": [],
    }  # fmt: skip
    values, attributes = beginning(unit, number, user_id, own)
    made = unit.insert(TRANSACTION, {**own, **values}, {**attributes, "authorised": 0}, number=number, version=2)
    unit.commit()
    return made


class ConfirmHooks(DraftHooks):
    """As on a change, and the transaction is confirmed with it."""

    def updating(self, change: Change) -> None:
        super().updating(change)
        before = _before(change)
        require_complete(before.changed(change.values))
        change.values.update(confirmation(change.context.user_id))
        _unit(change).announce(Entity(change.resource, change.scope, change.id, 0, change.values))


def confirmation(user_id: int | None) -> Values:
    """What a confirmed transaction says of it."""
    return {"state": "CONFIRMED", "confirmedOn": stamp(clock.now()), "confirmedBy": user_id}


def steps_to_processing(transaction: Entity) -> tuple[str, ...]:
    """The states through which a transaction that waits for its payment comes to be PROCESSING; none if it is so
    already, and its buyer may try again.

    Raises:
        StateInvalid: it does not wait for a payment (any more), or lacks what a payment needs.
    """
    if transaction.state == "PROCESSING" and not is_under_way(transaction):
        return ()
    if transaction.state not in ("PENDING", "CONFIRMED"):
        raise StateInvalid
    if transaction.state == "PENDING" and not transaction.values.get("autoConfirmationEnabled"):
        raise StateInvalid(message="The transaction has to be confirmed first")
    require_complete(transaction)
    return states.path(states.TRANSACTION, transaction.state, "PROCESSING")


def require_complete(transaction: Entity) -> None:
    """Raises:
    StateInvalid: the transaction lacks what a payment needs.
    """
    if transaction.values.get("currency") is None or not transaction.values.get("lineItems"):
        raise StateInvalid(message="The transaction has no currency or no line items yet")


def end_group(unit: UnitOfWork, transaction: Entity, state: str) -> None:
    """Give the transaction's group its final state. A group changes once, so it is known without being read."""
    number = transaction.link("group")
    if number is None:
        return
    values = {
        "id": number,
        "version": 1,
        "linkedSpaceId": transaction.values.get("linkedSpaceId"),
        "state": "PENDING",
        "beginDate": transaction.attributes.get("begun"),
        "customerId": transaction.values.get("customerId"),
    }
    before = Entity(TRANSACTION_GROUP, unit.scope, number, 1, {k: v for k, v in values.items() if v is not None})
    unit.replace(before, {"endDate": stamp(clock.now())}, states=(state,))


def add_line_item_version(
    unit: UnitOfWork, transaction_id: int, lines: list[line_items.LineItem], currency: str, **further: Any
) -> Entity:
    """Keep a set of line items as a version."""
    now = stamp(clock.now())
    return unit.insert(
        TRANSACTION_LINE_ITEM_VERSION,
        {
            "state": "SUCCESSFUL",
            "transaction": {"id": transaction_id},
            "linkedTransaction": transaction_id,
            "lineItems": lines,
            "amount": amounts.amount(line_items.total(lines, currency), currency),
            "taxAmount": amounts.amount(line_items.tax_total(lines, currency), currency),
            "processingOn": now,
            "succeededOn": now,
            **further,
        },
    )


def _set_lines(change: Change, unit: UnitOfWork, given: list[Mapping[str, Any]], currency: str) -> None:
    lines = line_items.expanded(given, currency, "lineItems")
    require_room(lines)
    total = line_items.total(lines, currency)
    change.values.update(lineItems=lines, authorizationAmount=amounts.amount(total, currency))
    version = add_line_item_version(unit, change.id, lines, currency)
    change.attributes.update(authorised=total, line_item_version=version.id)


def require_room(lines: list[line_items.LineItem]) -> None:
    """Raises:
    LineItemsInvalid: a completion of these lines, which is written with several copies of them, could not be stored.
    """
    text = documents.encode(lines).encode()
    if len(text) > LARGEST_CART and len(zlib.compress(text)) > LARGEST_CART:
        raise line_items.LineItemsInvalid.at("lineItems", "say more than can be stored")


def _before(change: Change) -> Entity:
    if change.before is None:
        raise LookupError("there is nothing to change")
    return change.before


def _unit(change: Change) -> UnitOfWork:
    return UnitOfWork(change.objects, change.context.tenant, change.scope, change.transaction)
