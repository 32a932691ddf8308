"""The queue door of analytics: one message is one query to carry out. One that has come to its end is acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payments.analytics.clients.engine import Engine
from payments.analytics.clients.results import ResultStore
from payments.analytics.models import Order
from payments.analytics.repository import AccountObjects, QueryRepository
from payments.analytics.service.execution import Execution
from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.log import Journal
from tollgate.store.table import Table


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """Neither key nor credential."""

    payments_table: str
    analytics_bucket: str


_settings = config.load(WorkerSettings)
_journal = Journal("analytics-worker", _settings.log_level)
_table = Table(_settings.payments_table, aws.dynamodb())
_execution = Execution(
    QueryRepository(_table), AccountObjects(_table), ResultStore(aws.s3(), _settings.analytics_bucket), Engine()
)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Carry out the queries of a batch; answers the messages that have to come again."""
    sandbox_clock.refresh()
    failed = [record["messageId"] for record in event.get("Records", []) if not _carry_out(record)]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _carry_out(record: Mapping[str, Any]) -> bool:
    try:
        order = Order.from_text(record["body"])
        outcome = _execution.carry_out(order)
    except Exception as error:  # one query's trouble must not stop the others of the batch
        _journal.fault(None, error)
        return False
    if outcome is not None:
        _journal.note(
            "query carried out", token=order.token, failed=bool(outcome.failure), bytes=outcome.result_bytes,
            milliseconds=outcome.execution_ms,
        )  # fmt: skip
    return True
