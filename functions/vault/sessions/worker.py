"""The scheduled door: ends ephemeral tokens and takes away sessions, their keys and security codes on time.

It runs every minute and whenever the sandbox clock moves. What one run does not manage the next one goes on with; what
cannot be ended does not keep the rest, and fails the run when all else is done. It holds no key, so it can destroy
cards and never read one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.errors import Contended
from tollgate.log import Journal
from tollgate.store.table import Table
from vault.sessions.repository import SessionRepository
from vault.sessions.service import Expiry
from vault.tokens.public import expiry_of

MOST_SECONDS = 35
"""How long a run takes on new pieces: its time-out less the piece at hand, the count and a slow start."""


@dataclass(frozen=True)
class ExpirySettings(Settings):
    """The tables; no key."""

    vault_table: str
    vault_ephemeral_table: str


_settings = config.load(ExpirySettings)
_journal = Journal("expiry", _settings.log_level)
_expiry = Expiry(
    SessionRepository(Table(_settings.vault_ephemeral_table, aws.dynamodb())),
    expiry_of(_settings.vault_table, _settings.vault_ephemeral_table),
)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """End what is due, for as long as there is time; answers how much, and how much is left."""
    sandbox_clock.refresh()
    started = time.monotonic()
    ended: Counter[str] = Counter({"Tokens": 0, "Sessions": 0, "SecurityCodes": 0})
    failure: Exception | None = None
    for kind, end in _expiry.due():
        if time.monotonic() - started > MOST_SECONDS:
            break
        try:
            ended[kind] += end()
        except Contended:
            continue
        except Exception as error:  # the next piece may be sound
            _journal.fault(None, error)
            failure = error
    counts = {f"{kind}Expired": count for kind, count in ended.items()} | {"ExpiryLeft": _expiry.count_due()}
    _journal.count(**counts)
    if failure is not None:
        raise failure
    return counts
