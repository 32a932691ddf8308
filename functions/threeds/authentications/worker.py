"""The scheduled door: settles authentications whose time is over, because the directory server was not heard of or the
cardholder did not come.

It runs every minute and whenever the sandbox clock moves. What one run does not manage the next one goes on with; what
cannot be settled does not keep the rest, and fails the run when all else is done. It holds no key of the vault.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from threeds.authentications.repository import AuthenticationRepository
from threeds.authentications.service.settlement import Settlement
from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.errors import Contended
from tollgate.log import Journal
from tollgate.store.table import Table

MOST_SECONDS = 35
"""How long a run takes on new pieces: its time-out less the piece at hand, the count and a slow start."""


@dataclass(frozen=True)
class TimeoutSettings(Settings):
    """The table."""

    threeds_table: str


_settings = config.load(TimeoutSettings)
_journal = Journal("authentication-timeouts", _settings.log_level)
_settlement = Settlement(AuthenticationRepository(Table(_settings.threeds_table, aws.dynamodb())))


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Settle what is overdue, for as long as there is time; answers how much, and how much is left."""
    sandbox_clock.refresh()
    started = time.monotonic()
    settled = 0
    failure: Exception | None = None
    for settle in _settlement.overdue():
        if time.monotonic() - started > MOST_SECONDS:
            break
        try:
            settled += settle()
        except Contended:
            continue
        except Exception as error:  # the next one may be sound
            _journal.fault(None, error)
            failure = error
    counts = {"AuthenticationsTimedOut": settled, "AuthenticationsOverdue": _settlement.count_overdue()}
    _journal.count(**counts)
    if failure is not None:
        raise failure
    return counts
