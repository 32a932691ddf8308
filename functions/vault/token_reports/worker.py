"""The queue door of reports: one message is one report to write. A report that is written already is acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.log import Journal
from tollgate.store.table import Table
from vault.token_reports.clients.objects import ReportStore
from vault.token_reports.models import Order
from vault.token_reports.repository import ReportRepository
from vault.token_reports.service import ReportWriter
from vault.tokens.public import origins_of


@dataclass(frozen=True)
class WriterSettings(Settings):
    """Neither key nor credential."""

    vault_table: str
    reports_bucket: str


_settings = config.load(WriterSettings)
_journal = Journal("token-report-writer", _settings.log_level)
_writer = ReportWriter(
    origins_of(_settings.vault_table),
    ReportRepository(Table(_settings.vault_table, aws.dynamodb())),
    ReportStore(aws.s3(), _settings.reports_bucket),
)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Write the reports of a batch; answers the messages that have to come again."""
    sandbox_clock.refresh()
    failed = [record["messageId"] for record in event.get("Records", []) if not _write(record)]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _write(record: Mapping[str, Any]) -> bool:
    try:
        written = _writer.write(Order.from_text(record["body"]))
    except Exception as error:  # one report's trouble must not stop the others of the batch
        _journal.fault(None, error)
        return False
    if written is not None:
        _journal.note("report written", account_id=written.account_id, count=written.rows, bytes=written.bytes)
    return True
