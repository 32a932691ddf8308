"""The scheduled door: hands on work that waits longer than it should, after a time-out, a crash or a lost message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.log import Journal
from tollgate.store.table import Table
from vault.network_tokens.repository import WorkRepository
from vault.network_tokens.service import Sweep

MOST_PER_SHARD = 50
"""Of each of sixteen shards; a run of two transactions' length for each stays well within a minute."""


@dataclass(frozen=True)
class SweepSettings(Settings):
    """The table; no key."""

    vault_table: str


_settings = config.load(SweepSettings)
_journal = Journal("network-token-sweep", _settings.log_level)
_sweep = Sweep(WorkRepository(Table(_settings.vault_table, aws.dynamodb())))


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Hand on what is due; answers how much, and how much is left for the next run."""
    sandbox_clock.refresh()
    handed_on = _sweep.hand_on(MOST_PER_SHARD)
    left = _sweep.count_due()
    _journal.count(NetworkTokenWorkHandedOn=handed_on, NetworkTokenWorkDue=left)
    return {"handed_on": handed_on, "left": left}
