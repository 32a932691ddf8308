"""Another cart for what is authorised already: the line items that will be completed, which may come to less."""

from __future__ import annotations

from typing import Any

from payments import amounts, line_items
from payments.engine.errors import StateInvalid
from payments.engine.fields import stamp
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.engine.service import Change, Hooks, Made, ResourceService
from payments.line_items import LineItemsInvalid
from payments.resources.transactions import TRANSACTION, TRANSACTION_LINE_ITEM_VERSION
from payments.transactions.errors import OperationRunning
from payments.transactions.models import currency_of
from payments.transactions.service.drafts import require_room
from payments.units import UnitOfWork, repeated
from tollgate import clock
from tollgate.errors import Invalid


class VersionHooks(Hooks):
    """A new version becomes its transaction's cart in the write that makes it."""

    def creating(self, change: Change) -> None:
        transaction = change.objects.find(TRANSACTION, change.scope, change.given["transaction"])
        if transaction is None:
            raise Invalid.at("transaction", "names an object that is not there")
        _require_open(transaction)
        currency, now = currency_of(transaction), stamp(clock.now())
        lines = line_items.expanded(change.given["lineItems"], currency, "lineItems")
        require_room(lines)
        total = line_items.total(lines, currency)
        if total > transaction.attributes["authorised"]:
            raise LineItemsInvalid.at("lineItems", "must not come to more than was authorized")
        change.values.update(
            transaction={"id": transaction.id}, linkedTransaction=transaction.id, lineItems=lines, state="SUCCESSFUL",
            amount=amounts.amount(total, currency), createdBy=change.context.user_id, processingOn=now,
            taxAmount=amounts.amount(line_items.tax_total(lines, currency), currency), succeededOn=now,
            **{name: transaction.values.get(name) for name in ("language", "spaceViewId")},
        )  # fmt: skip
        unit = UnitOfWork(change.objects, change.context.tenant, change.scope, change.transaction)
        unit.replace(transaction, {"lineItems": lines}, {"line_item_version": change.id})


class LineItemVersions(ResourceService):
    """Line item versions: made by the transaction itself, or by the merchant while it waits for its completion."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(TRANSACTION_LINE_ITEM_VERSION, objects, VersionHooks())

    def create(self, context: Context, body: Any, parent: Entity | None = None) -> Made:
        """A new version; begun again where the transaction has changed meanwhile."""
        create = super().create
        return repeated(lambda: create(context, body, parent))


def _require_open(transaction: Entity) -> None:
    """Raises:
    StateInvalid, OperationRunning: nothing is to be completed (any more), or something is being completed now.
    """
    if transaction.state != "AUTHORIZED" or transaction.attributes["completed"]:
        raise StateInvalid
    if transaction.attributes.get("completing") or transaction.attributes.get("voiding"):
        raise OperationRunning
