"""What a terminal prints, and what its payments come to. Pure.

Receipts are lines of text within a width; as a PDF they are the same lines in a typewriter face on a strip of paper.
Which lines a receipt has follows the card schemes' rules for receipts: merchant, date, masked card, amount, result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

WIDTHS: Final = (20, 200)
"""Columns of a text; millimetres of a PDF's paper."""

_FONT: Final = 8
_LINE: Final = 11
_MARGIN: Final = 12


@dataclass(frozen=True, slots=True)
class Paid:
    """One payment as a summary sees it."""

    brand: str
    currency: str
    amount: Decimal


def sums(payments: Iterable[Paid]) -> list[dict[str, Any]]:
    """Per brand and currency, how many payments and what they come to."""
    found: dict[tuple[str, str], list[Decimal]] = {}
    for each in payments:
        found.setdefault((each.brand, each.currency), []).append(each.amount)
    return [
        {
            "id": n, "version": 1, "brand": brand, "product": brand, "transactionCurrency": currency,
            "transactionAmount": sum(amounts, Decimal(0)), "transactionCount": len(amounts),
            "transactionTipAmount": Decimal(0), "dccTransactionAmount": Decimal(0), "dccTransactionCount": 0,
            "dccTipAmount": Decimal(0),
        }
        for n, ((brand, currency), amounts) in enumerate(sorted(found.items()), 1)
    ]  # fmt: skip


def balances(found: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """What the sums come to in each currency."""
    made: dict[str, Decimal] = {}
    for each in found:
        currency = each["transactionCurrency"]
        made[currency] = made.get(currency, Decimal(0)) + Decimal(each["transactionAmount"])
    return made


def summary_lines(name: str, identifier: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The receipt of a final balance, as pairs of left and right."""
    lines = [("FINAL BALANCE", ""), (name, ""), ("Terminal", identifier), ("Number", str(values["reference"]))]
    lines += [("From", str(values.get("startedOn") or "-")), ("To", str(values["endedOn"])), ("", "")]
    lines += [
        (f"{each['brand']} {each['transactionCount']}", f"{each['transactionCurrency']} {each['transactionAmount']}")
        for each in values["transactionSums"]
    ]
    lines += [("Total", f"{currency} {amount}") for currency, amount in values["balanceAmountPerCurrency"].items()]
    return [*lines, ("Transactions", str(values["numberOfTransactions"]))]


def receipt_lines(copy: str, name: str, identifier: str, transaction: Mapping[str, Any], card: str) -> list[Any]:
    """The receipt of a payment, for the merchant or the customer."""
    amount = f"{transaction['currency']} {transaction['authorizationAmount']}"
    return [
        (copy, ""), (name, ""), ("Terminal", identifier), ("Transaction", str(transaction["id"])),
        ("Date", str(transaction.get("authorizedOn") or transaction.get("failedOn") or "-")), ("Card", card),
        ("", ""), ("Amount", amount), ("Result", str(transaction["state"])),
    ]  # fmt: skip


def as_text(lines: Sequence[tuple[str, str]], columns: int) -> str:
    """Left and right on one line where they fit, else below each other."""
    made: list[str] = []
    for left, right in lines:
        if not right or len(left) + len(right) + 1 <= columns:
            made.append(f"{left}{right.rjust(columns - len(left)) if right else ''}"[:columns].rstrip())
        else:
            made += [left[:columns], right[:columns].rjust(columns)]
    return "\n".join(made) + "\n"


def as_pdf(lines: Sequence[tuple[str, str]], millimetres: int) -> bytes:
    """The lines on one page of this width (ISO 32000-1; a standard face, so nothing is embedded)."""
    width = millimetres * 720 // 254  # points
    columns = max((width - 2 * _MARGIN) * 10 // (_FONT * 6), 10)  # a sign is six tenths of the size wide
    text = as_text(lines, columns).split("\n")
    height = len(text) * _LINE + 2 * _MARGIN
    shown = "".join(f"({_escaped(line)}) Tj T*\n" for line in text)
    stream = f"BT /F {_FONT} Tf {_LINE} TL {_MARGIN} {height - _MARGIN - _FONT} Td\n{shown}ET".encode(
        "latin-1", "replace"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 4 0 R "
        "/Resources << /Font << /F 5 0 R >> >> >>".encode(),
        f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + end.encode()


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
