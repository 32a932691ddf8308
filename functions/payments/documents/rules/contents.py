"""What invoices, packing slips and credit notes say, in the buyer's language where we have it, else in English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from payments.documents.models import Content
from payments.engine import documents

Values = Mapping[str, Any]

INVOICE: Final = 1469000000001
PACKING_SLIP: Final = 1469000000002
CREDIT_NOTE: Final = 1469000000003
"""Types of documents, as reference data numbers them."""

_ENGLISH: Final = {
    "invoice": "Invoice", "slip": "Packing Slip", "credit": "Credit Note", "number": "Number", "date": "Date",
    "due": "Due", "reference": "Reference", "item": "Item", "sku": "Article", "quantity": "Quantity",
    "price": "Unit price", "amount": "Amount", "total": "Total", "tax": "thereof tax", "open": "To be paid",
    "transaction": "Transaction", "shipping": "Shipping method", "state": "State",
}  # fmt: skip
_GERMAN: Final = {
    "invoice": "Rechnung", "slip": "Lieferschein", "credit": "Gutschrift", "number": "Nummer", "date": "Datum",
    "due": "Fällig am", "reference": "Referenz", "item": "Artikel", "sku": "Artikelnummer", "quantity": "Menge",
    "price": "Einzelpreis", "amount": "Betrag", "total": "Total", "tax": "davon Steuern", "open": "Zu bezahlen",
    "transaction": "Transaktion", "shipping": "Versandart", "state": "Status",
}  # fmt: skip
_WORDS: Final = {"de": _GERMAN}
_NAMES: Final = (
    "organizationName", "salutation givenName familyName", "street", "dependentLocality", "postcode city",
    "postalState", "country",
)  # fmt: skip
_NOT_SENT: Final = frozenset({"SHIPPING", "DISCOUNT", "FEE", "TIP"})


def invoice(invoice_: Values, transaction: Values, sender: Sequence[str]) -> Content:
    """The invoice of a completion."""
    words, currency = _words(invoice_), transaction["currency"]
    return Content(
        title=f"invoice {invoice_['id']}",
        heading=f"{words['invoice']} {invoice_.get('merchantReference') or invoice_['id']}",
        sender=tuple(sender),
        recipient=address(invoice_.get("billingAddress") or transaction.get("billingAddress")),
        facts=_facts(
            (words["number"], str(invoice_["id"])), (words["date"], _day(invoice_.get("createdOn"))),
            (words["due"], _day(invoice_.get("dueOn"))), (words["transaction"], str(transaction["id"])),
        ),
        **_priced(invoice_.get("lineItems") or [], words, currency),
        totals=_facts(
            (words["tax"], _money(invoice_.get("taxAmount"), currency)),
            (words["open"], _money(invoice_.get("outstandingAmount"), currency)),
            (words["total"], _money(invoice_.get("amount"), currency)),
        ),
    )  # fmt: skip


def credit_note(refund: Values, transaction: Values, sender: Sequence[str]) -> Content:
    """What is paid back."""
    words, currency = _words(refund), transaction["currency"]
    return Content(
        title=f"refund {refund['id']}",
        heading=f"{words['credit']} {refund.get('merchantReference') or refund['id']}",
        sender=tuple(sender),
        recipient=address(transaction.get("billingAddress")),
        facts=_facts(
            (words["number"], str(refund["id"])), (words["date"], _day(refund.get("createdOn"))),
            (words["transaction"], str(transaction["id"])), (words["state"], str(refund.get("state") or "")),
        ),
        **_priced(refund.get("lineItems") or [], words, currency),
        totals=((words["total"], _money(refund.get("amount"), currency)),),
    )  # fmt: skip


def packing_slip(transaction: Values, lines: Sequence[Values], sender: Sequence[str]) -> Content:
    """What goes into the parcel: no prices, and nothing that is not sent."""
    words = _words(transaction)
    sent = [line for line in lines if line["type"] not in _NOT_SENT]
    return Content(
        title=f"packing slip {transaction['id']}",
        heading=f"{words['slip']} {transaction.get('merchantReference') or transaction['id']}",
        sender=tuple(sender),
        recipient=address(transaction.get("shippingAddress") or transaction.get("billingAddress")),
        facts=_facts(
            (words["transaction"], str(transaction["id"])),
            (words["reference"], str(transaction.get("merchantReference") or "")),
            (words["date"], _day(transaction.get("completedOn") or transaction.get("authorizedOn"))),
            (words["shipping"], str(transaction.get("shippingMethod") or "")),
        ),
        columns=((words["item"], 283, False), (words["sku"], 120, False), (words["quantity"], 80, True)),
        rows=tuple((line["name"], str(line.get("sku") or ""), _number(line["quantity"])) for line in sent),
    )  # fmt: skip


def address(values: Values | None) -> tuple[str, ...]:
    """The lines of an address."""
    if not values:
        return ()
    lines = (" ".join(str(values[name]) for name in names.split() if values.get(name)) for names in _NAMES)
    return tuple(part for line in lines for part in line.splitlines() if part)


def _priced(lines: Sequence[Values], words: Mapping[str, str], currency: str) -> dict[str, Any]:
    columns = (
        (words["item"], 243, False), (words["quantity"], 60, True), (words["price"], 90, True),
        (words["amount"], 90, True),
    )  # fmt: skip
    rows = tuple(
        (
            line["name"], _number(line["quantity"]), _number(line.get("unitPriceIncludingTax")),
            _money(line["amountIncludingTax"], currency),
        )
        for line in lines
    )  # fmt: skip
    return {"columns": columns, "rows": rows}


def _words(values: Values) -> Mapping[str, str]:
    return _WORDS.get(str(values.get("language") or "")[:2], _ENGLISH)


def _facts(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in pairs if pair[1])


def _day(moment: Any) -> str:
    return str(moment or "")[:10]


def _money(amount: Any, currency: str) -> str:
    return "" if amount is None else f"{currency} {documents.plain(Decimal(amount))}"


def _number(value: Any) -> str:
    return "" if value is None else documents.plain(Decimal(value))
