"""What other groups may ask of transactions: to take part in their books, and to have them paid."""

from __future__ import annotations

from dataclasses import dataclass

from payments.acquiring import Acquiring
from payments.configurations.public import Routing
from payments.engine.repository import Objects
from payments.transactions.models import (
    DONE,
    Acting,
    CardFacts,
    completed_lines,
    currency_of,
    operation_reference,
)
from payments.transactions.repository import TransactionRepository
from payments.transactions.service.charging import Charging, Intent
from payments.transactions.service.completing import Completing
from payments.transactions.service.settling import Settling
from tollgate import aws
from tollgate.config import PaymentsSettings
from tollgate.store.table import Table

__all__ = [
    "DONE",
    "Acting",
    "CardFacts",
    "Charging",
    "Intent",
    "PayingSettings",
    "TransactionRepository",
    "Transactions",
    "acquiring_of",
    "completed_lines",
    "currency_of",
    "operation_reference",
]


@dataclass(frozen=True)
class PayingSettings(PaymentsSettings):
    """What a function needs that moves money."""

    acquiring_function: str


@dataclass(frozen=True, slots=True)
class Transactions:
    """The use cases of a deployed function."""

    objects: Objects
    repository: TransactionRepository
    acquiring: Acquiring
    charging: Charging
    completing: Completing
    settling: Settling

    @classmethod
    def of(cls, payments_table: str, acquiring_function: str) -> Transactions:
        table = Table(payments_table, aws.dynamodb())
        objects, repository = Objects(table), TransactionRepository(table)
        acquiring = acquiring_of(acquiring_function)
        charging = Charging(objects, acquiring, Routing(objects))
        completing = Completing(objects, repository, acquiring)
        settling = Settling(objects, repository, acquiring, charging, completing)
        return cls(objects, repository, acquiring, charging, completing, settling)


def acquiring_of(function: str) -> Acquiring:
    """The card zone's door."""
    return Acquiring(aws.lambda_(), function)
