"""Adding up a terminal's payments since the last time, and the receipts of both.

A summary goes as far as the first payment that nobody knows the outcome of yet, which is then in the next one; so each
payment is in exactly one summary, whoever asks for two at once.
"""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from payments.engine.fields import now
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.terminals import TRANSACTION_SUMMARY
from payments.terminals import rules
from payments.terminals.repository import Balance, TerminalRecords
from payments.terminals.service.performing import of_terminal, read_all
from payments.transactions.public import Acting, CardFacts, is_under_way
from payments.units import UnitOfWork, new_entity, repeated

RECEIPT_TYPES = (1580000000101, 1580000000102)
"""The merchant's copy, the customer's copy."""

_COPIES = ("MERCHANT COPY", "CUSTOMER COPY")
_COUNTED = frozenset({"AUTHORIZED", "COMPLETED", "FULFILL"})
_RECEIPT_COLUMNS = 40


class Balancing:
    """Final balances and receipts."""

    def __init__(self, objects: Objects, records: TerminalRecords) -> None:
        self._objects = objects
        self._records = records

    def balance(self, acting: Acting, terminal: Entity) -> Entity:
        """A summary of what was paid at the terminal since the last one."""
        return repeated(lambda: self._balance(acting, terminal))

    def summary_receipt(self, summary: Entity, form: str, width: int, terminal: Entity | None) -> dict[str, Any]:
        name = str(terminal.values.get("name") or "Terminal") if terminal else "Terminal"
        identifier = str(terminal.values.get("identifier") or "") if terminal else ""
        return _rendered(rules.summary_lines(name, identifier, summary.values), form, width)

    def receipts(self, acting: Acting, transaction: Entity, form: str, width: int) -> list[dict[str, Any]]:
        """The receipts of a transaction: two of one at a terminal, none of others."""
        terminal = of_terminal(self._objects, acting, transaction)
        if terminal is None or transaction.values.get("authorizationAmount") is None:
            return []
        card = CardFacts.read(transaction.attributes.get("card"))
        shown = f"{card.scheme} {card.masked}" if card else "-"
        name, identifier = str(terminal.values.get("name") or "Terminal"), str(terminal.values.get("identifier"))
        return [
            {
                **_rendered(rules.receipt_lines(copy, name, identifier, transaction.values, shown), form, width),
                "printed": False,
                "receiptType": {"id": number},
            }
            for copy, number in zip(_COPIES, RECEIPT_TYPES, strict=True)
        ]

    def _balance(self, acting: Acting, terminal: Entity) -> Entity:
        before = self._records.balance(terminal)
        performed = self._records.performed_since(terminal, before.until)
        found = read_all(self._objects, acting, [transaction for _, transaction in performed])
        reached, counted = before.until, dict[int, Entity]()
        for number, transaction_id in performed:
            transaction = found.get(transaction_id)
            if transaction is not None and is_under_way(transaction):
                break
            reached = number
            if transaction is not None and transaction.state in _COUNTED:
                counted[transaction_id] = transaction
        return self._write(acting, terminal, before, reached, list(counted.values()))

    def _write(self, acting: Acting, terminal: Entity, before: Balance, reached: int, counted: list[Entity]) -> Entity:
        added = rules.sums(_paid(each) for each in counted)
        ended_on = now()
        values: dict[str, Any] = {
            "paymentTerminal": terminal.id, "reference": before.count + 1, "startedOn": before.ended_on,
            "endedOn": ended_on, "numberOfTransactions": len(counted), "transactionSums": added,
            "dccTransactionSums": [], "balanceAmountPerCurrency": rules.balances(added),
        }  # fmt: skip
        name = str(terminal.values.get("name") or "Terminal")
        lines = rules.summary_lines(name, str(terminal.values.get("identifier")), values)
        values["receipt"] = rules.as_text(lines, _RECEIPT_COLUMNS)
        unit = UnitOfWork(self._objects, acting.tenant, acting.scope)
        made = new_entity(TRANSACTION_SUMMARY, acting.scope, values)
        self._objects.insert(unit.transaction, made)
        self._records.move_balance(
            unit.transaction, terminal, before, Balance(reached, before.count + 1, ended_on)
        )  # fmt: skip
        unit.commit()
        return made


def _paid(transaction: Entity) -> rules.Paid:
    card = CardFacts.read(transaction.attributes.get("card"))
    amount = Decimal(transaction.values["authorizationAmount"])
    return rules.Paid(card.scheme if card else "OTHER", str(transaction.values["currency"]), amount)


def _rendered(lines: list[tuple[str, str]], form: str, width: int) -> dict[str, Any]:
    if form == "PDF":
        content, media_type = rules.as_pdf(lines, width), "application/pdf"
    else:
        content, media_type = rules.as_text(lines, width).encode(), "text/plain"
    return {"data": base64.b64encode(content).decode(), "mimeType": media_type}
