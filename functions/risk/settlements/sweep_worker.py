"""The scheduled door: hands on work at backends that waits longer than it should."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from risk.integrations.public import WorkQueue, WorkRepository
from risk.settlements.service import Sweep
from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.log import Journal
from tollgate.store.table import Table

MOST_PER_SHARD = 100


@dataclass(frozen=True)
class SweepSettings(Settings):
    """The table and the queue; no key."""

    risk_table: str
    backend_work_queue_url: str


_settings = config.load(SweepSettings)
_journal = Journal("backend-sweep", _settings.log_level)
_sweep = Sweep(
    WorkRepository(Table(_settings.risk_table, aws.dynamodb())), WorkQueue(aws.sqs, _settings.backend_work_queue_url)
)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Hand on what is due; answers how much, and how much is due in all."""
    sandbox_clock.refresh()
    handed_on, left = _sweep.hand_on(MOST_PER_SHARD), _sweep.count_due()
    _journal.count(BackendWorkHandedOn=handed_on, BackendWorkDue=left)
    return {"handed_on": handed_on, "left": left}
