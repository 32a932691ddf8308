"""The sandbox's acquirer: deterministic, with books of its own, deaf where a plan says so.

A silent one does what it was asked and does not answer, a lost operation never reaches it; both look the same from
here, as they do in the field.
"""

from __future__ import annotations

from tollgate.errors import UpstreamTimeout
from vault.acquirer_simulator.models import Plan
from vault.acquirer_simulator.repository import AcquirerBooks
from vault.acquirer_simulator.rules import plan_authorisation, plan_later
from vault.acquirers import CardOnFile, Operation, Outcome


class SimulatedAcquirer:
    """Fulfils `Acquirer`."""

    def __init__(self, books: AcquirerBooks) -> None:
        self._books = books

    def authorise(self, operation: Operation, card: CardOnFile) -> Outcome:
        return self._go(operation, plan_authorisation(operation, card.account_number))

    def carry_out(self, operation: Operation) -> Outcome:
        amount = operation.amount
        if operation.kind == "void":
            amount = self._books.authorised_amount(operation.account_id, str(operation.parent))
        return self._go(operation, plan_later(operation.kind, amount))

    def ask(self, account_id: str, reference: str) -> Outcome:
        return self._books.find(account_id, reference)

    def _go(self, operation: Operation, plan: Plan) -> Outcome:
        if plan.course == "lost":
            raise UpstreamTimeout
        outcome = self._books.enter(operation, plan)
        if plan.course in ("silent", "deaf"):
            raise UpstreamTimeout
        return outcome
