"""The scheduled door: bills periods that have ended, takes charges further, ends suspensions, lets products retire.

It runs every minute and whenever the sandbox clock moves. What one piece of work leads to is looked at again in the
same run, so that several periods that have passed are billed one after the other. What cannot be done does not keep the
rest, and fails the run when all else is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from payments.subscriptions.service import Subscriptions
from tollgate import config, sandbox_clock
from tollgate.config import Settings
from tollgate.errors import Contended
from tollgate.log import Journal

MOST_SECONDS: Final = 35
"""How long a run takes on new pieces: its time-out less the piece at hand, the count and a slow start."""


@dataclass(frozen=True)
class BillingSettings(Settings):
    """The table and the card zone's door."""

    payments_table: str
    acquiring_function: str


_settings = config.load(BillingSettings)
_journal = Journal("subscription-billing", _settings.log_level)
_schedule = Subscriptions.of(_settings.payments_table, _settings.acquiring_function).schedule


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Do what is due, for as long as there is time; answers how much, and how much is left."""
    sandbox_clock.refresh()
    started, done = time.monotonic(), 0
    failures: list[Exception] = []

    def has_time() -> bool:
        return time.monotonic() - started <= MOST_SECONDS

    while has_time():
        found = _pass(has_time, failures)
        done += found
        if not found or failures:
            break
    counts = {"SubscriptionWorkDone": done, "SubscriptionWorkDue": _schedule.count_due()}
    _journal.count(**counts)
    if failures:
        raise failures[-1]
    return counts


def _pass(has_time: Callable[[], bool], failures: list[Exception]) -> int:
    """What was due at once; answers how much of it changed something."""
    done = 0
    for carry_out in _schedule.due():
        if not has_time():
            break
        try:
            done += carry_out()
        except Contended:
            continue
        except Exception as error:  # the next one may be sound
            _journal.fault(None, error)
            failures.append(error)
    return done
