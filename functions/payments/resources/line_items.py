"""Line items and what is inside them, as transactions, completions, refunds, invoices and links carry them
(fact file 2.16, "Line items and taxes")."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from payments.engine.fields import DecimalNumber, Embedded, Field, Flag, Many, MapOf, OneOf, Shape, Text
from payments.line_items import MOST_LINES

AMOUNT: Final = DecimalNumber()

_TAX: Final = (
    Field("rate", DecimalNumber(least=Decimal(0), most=Decimal(100))),
    Field("title", Text(40, least=2)),
)
TAX: Final = Shape("Tax", _TAX)
TAX_CREATE: Final = Shape("TaxCreate", _TAX, ("rate", "title"))

_ATTRIBUTE: Final = (Field("label", Text(512)), Field("value", Text(512)))
_ATTRIBUTE_SHAPE: Final = Shape("LineItemAttribute", _ATTRIBUTE)
_ATTRIBUTE_CREATE: Final = Shape("LineItemAttributeCreate", _ATTRIBUTE, ("label", "value"))

_TYPE: Final = OneOf.of("SHIPPING DISCOUNT FEE PRODUCT TIP")

_DERIVED: Final = (
    "aggregatedTaxRate amountExcludingTax discountExcludingTax taxAmount taxAmountPerUnit "
    "undiscountedAmountExcludingTax undiscountedAmountIncludingTax undiscountedUnitPriceExcludingTax "
    "undiscountedUnitPriceIncludingTax unitPriceExcludingTax unitPriceIncludingTax"
)

_LINE_ITEM: Final = (
    Field("uniqueId", Text(200, least=1)),
    Field("name", Text(150, least=1)),
    Field("type", _TYPE),
    Field("quantity", AMOUNT),
    Field("amountIncludingTax", AMOUNT),
    Field("discountIncludingTax", AMOUNT),
    Field("sku", Text(200)),
    Field("shippingRequired", Flag()),
)
LINE_ITEM: Final = Shape(
    "LineItem",
    (
        *_LINE_ITEM,
        Field("taxes", Many(Embedded(TAX))),
        Field("attributes", MapOf(Embedded(_ATTRIBUTE_SHAPE))),
        *(Field(name, AMOUNT) for name in _DERIVED.split()),
    ),
)
LINE_ITEM_CREATE: Final = Shape(
    "LineItemCreate",
    (
        *_LINE_ITEM,
        Field("taxes", Many(Embedded(TAX_CREATE), most=50)),
        Field("attributes", MapOf(Embedded(_ATTRIBUTE_CREATE), most=40, longest_key=40)),
    ),
    ("amountIncludingTax", "name", "quantity", "type", "uniqueId"),
)

LINE_ITEMS: Final = Many(Embedded(LINE_ITEM), most=MOST_LINES)
LINE_ITEMS_CREATE: Final = Many(Embedded(LINE_ITEM_CREATE), most=MOST_LINES)

_REDUCTION: Final = (
    Field("lineItemUniqueId", Text(200)),
    Field("quantityReduction", AMOUNT),
    Field("unitPriceReduction", AMOUNT),
)
REDUCTION: Final = Shape("LineItemReduction", _REDUCTION)
REDUCTION_CREATE: Final = Shape(
    "LineItemReductionCreate", _REDUCTION, ("lineItemUniqueId", "quantityReduction", "unitPriceReduction")
)  # fmt: skip

_COMPLETION_LINE: Final = (Field("uniqueId", Text(200)), Field("quantity", AMOUNT), Field("amount", AMOUNT))
COMPLETION_LINE_CREATE: Final = Shape("CompletionLineItemCreate", _COMPLETION_LINE, ("amount", "quantity", "uniqueId"))
