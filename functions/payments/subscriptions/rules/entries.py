"""Ledger entries: what is in their amounts, and the line items of the transaction that charges them. Pure.

Amounts are gross. An entry below zero is a credit, and a discount among line items; its taxes are those of the amount
without the sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from payments import amounts, line_items
from payments.engine.models import Entity, Values
from payments.subscriptions.models import Draft

_DERIVED: Final = ("aggregatedTaxRate", "amountExcludingTax", "taxAmount")


def values(title: str, minor: int, quantity: Decimal, taxes: Sequence[Mapping[str, Any]], currency: str) -> Values:
    """The properties of an entry that follow from its amount."""
    line = {
        "uniqueId": "entry", "name": title, "type": "PRODUCT", "quantity": quantity, "taxes": taxes,
        "amountIncludingTax": amounts.amount(abs(minor), currency),
    }  # fmt: skip
    (expanded,) = line_items.expanded([line], currency, "entry")
    sign = -1 if minor < 0 else 1
    derived = {name: expanded[name] for name in _DERIVED}
    derived.update({name: sign * expanded[name] for name in ("amountExcludingTax", "taxAmount") if expanded[name]})
    return {
        "title": title, "quantity": quantity, "taxes": list(taxes), **derived,
        "amountIncludingTax": amounts.amount(minor, currency), "discountIncludingTax": amounts.amount(0, currency),
    }  # fmt: skip


def of_draft(draft: Draft, currency: str) -> Values:
    """The properties of an entry of scheduled billing. It has no taxes, as there are no tax classes to have them of."""
    component = draft.component.values
    return {
        **values(draft.title, draft.amount, draft.quantity, (), currency),
        "feeType": draft.fee_type,
        "proRataCalculated": draft.pro_rata,
        "subscriptionMetricId": draft.metric,
        "componentReferenceName": component.get("referenceName"),
        "componentReferenceSku": component.get("sku"),
    }


def total(entries: Iterable[Entity], currency: str) -> int:
    """What entries come to, in minor units."""
    return sum(amounts.units(each.values["amountIncludingTax"], currency, "$", signed=True) for each in entries)


def lines(entries: Iterable[Entity]) -> list[dict[str, Any]]:
    """The entries as line items, as they are sent with a new transaction."""
    return [_line(each) for each in entries]


def _line(entry: Entity) -> dict[str, Any]:
    amount = Decimal(entry.values["amountIncludingTax"])
    kind = "DISCOUNT" if amount < 0 else "FEE" if entry.values.get("feeType") == "SETUP_FEE" else "PRODUCT"
    made = {
        "uniqueId": str(entry.id), "name": entry.values["title"], "type": kind, "amountIncludingTax": amount,
        "quantity": Decimal(entry.values["quantity"]), "taxes": entry.values.get("taxes"),
        "sku": entry.values.get("componentReferenceSku"), "shippingRequired": False,
    }  # fmt: skip
    return {name: each for name, each in made.items() if each is not None}
