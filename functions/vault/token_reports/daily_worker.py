"""The schedule's door: orders the day's reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.log import Journal
from tollgate.store.table import Table
from vault.token_reports.clients.orders import OrderQueue
from vault.token_reports.repository import AccountRepository, ReportRepository
from vault.token_reports.service import DailyRun
from vault.tokens.public import origins_of


@dataclass(frozen=True)
class DailySettings(Settings):
    """The identity table is for the list of accounts alone."""

    identity_table: str
    vault_table: str
    report_queue_url: str


_settings = config.load(DailySettings)
_journal = Journal("daily-token-reports", _settings.log_level)
_run = DailyRun(
    origins_of(_settings.vault_table),
    ReportRepository(Table(_settings.vault_table, aws.dynamodb())),
    AccountRepository(Table(_settings.identity_table, aws.dynamodb())),
    OrderQueue(aws.sqs(), _settings.report_queue_url),
)


def handler(_event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Go on with the day's run; a day that is done costs one read."""
    sandbox_clock.refresh()
    ordered, done = _run.carry_on()
    _journal.count(DailyReportsOrdered=ordered, DailyReportsUnfinished=int(not done))
    return {"ordered": ordered, "done": done}
