"""The scheduled door: settles payments that nobody answered for, and those whose time is over.

It runs every minute and whenever the sandbox clock moves. What cannot be settled does not keep the rest, and fails the
run when all else is done.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from payments.back_office.public import manual_tasks_of
from payments.charge_flows.public import Flows
from payments.debt_collection.public import DebtCollection
from payments.dunning.public import dunning_of
from payments.refunds.public import refunding_of
from payments.transactions.public import Transactions
from tollgate import config, sandbox_clock
from tollgate.config import Settings
from tollgate.errors import Contended
from tollgate.log import Journal

MOST_SECONDS: Final = 30


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """The table and the card zone's doors."""

    payments_table: str
    acquiring_function: str
    payers_function: str


_settings = config.load(WorkerSettings)
_journal = Journal("payment-settlement", _settings.log_level)
_transactions = Transactions.of(_settings.payments_table, _settings.acquiring_function, _settings.payers_function)
_duties = (
    _transactions.settling,
    Flows(_transactions),
    refunding_of(_transactions),
    _transactions.forgetting,
    _transactions.invoices,
    dunning_of(_transactions.objects),
    DebtCollection.of(_transactions.objects),
    manual_tasks_of(_transactions.objects),
)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Settle what is due, for as long as there is time; answers how much, and how much is left."""
    sandbox_clock.refresh()
    started, due, settled = time.monotonic(), 0, 0
    failure: Exception | None = None
    for settle in itertools.chain.from_iterable(duty.due() for duty in _duties):
        due += 1
        if time.monotonic() - started > MOST_SECONDS:
            continue
        try:
            settled += settle()
        except Contended:
            continue
        except Exception as error:  # the next one may be sound
            _journal.fault(None, error)
            failure = error
    counts = {"PaymentsSettled": settled, "PaymentWorkDue": due - settled}
    _journal.count(**counts)
    if failure is not None:
        raise failure
    return counts
