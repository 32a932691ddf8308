"""What other groups may ask of refunds: to have them made, and settled by the clock."""

from __future__ import annotations

from payments.refunds.service import Refunding
from payments.transactions.public import Transactions

__all__ = ["Refunding", "refunding_of"]


def refunding_of(transactions: Transactions) -> Refunding:
    """The refunds of a function that has transactions."""
    return Refunding(transactions.objects, transactions.repository, transactions.acquiring)
