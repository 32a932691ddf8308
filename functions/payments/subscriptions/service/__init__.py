"""The use cases of subscriptions, put together once per function."""

from __future__ import annotations

from dataclasses import dataclass

from payments.engine.repository import Objects
from payments.subscriptions.service.charging import Charging
from payments.subscriptions.service.invoices import Invoices
from payments.subscriptions.service.ledger import Ledger
from payments.subscriptions.service.lifecycle import Lifecycle
from payments.subscriptions.service.paying import Paying
from payments.subscriptions.service.periods import Periods
from payments.subscriptions.service.products import Products
from payments.subscriptions.service.retiring import Retiring
from payments.subscriptions.service.schedule import Schedule
from payments.subscriptions.service.subscribing import Subscribing
from payments.transactions.public import Transactions

__all__ = ["Subscriptions"]


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """All of them, over one table."""

    objects: Objects
    products: Products
    ledger: Ledger
    charging: Charging
    subscribing: Subscribing
    lifecycle: Lifecycle
    retiring: Retiring
    invoices: Invoices
    schedule: Schedule

    @classmethod
    def of(cls, payments_table: str, acquiring_function: str) -> Subscriptions:
        transactions = Transactions.of(payments_table, acquiring_function)
        objects = transactions.objects
        periods, charging = Periods(objects), Charging(objects, Paying(objects, transactions))
        subscribing = Subscribing(objects, periods, charging)
        lifecycle = Lifecycle(objects, periods, charging, subscribing)
        retiring = Retiring(objects, lifecycle)
        schedule = Schedule(objects, periods, charging, lifecycle, retiring)
        return cls(
            objects, Products(objects), Ledger(objects), charging, subscribing, lifecycle, retiring, Invoices(objects),
            schedule,
        )  # fmt: skip
