"""Reports in DynamoDB: keys, items, conditions.

Access patterns (`pk`, `sk`):
    a report by its name                     `REPORT#<account>`,  `<name>`
    how far the daily run of a day came      `REPORTS-DAILY`,     `<date>`
    all accounts, page by page               a scan of the identity table (`tollgate.auth.records`), once a day
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from tollgate import clock
from tollgate.store.items import Item, load
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction
from vault.token_reports.models import KEPT_DAILY_DAYS, KEPT_ON_REQUEST_DAYS, Report, Written

_MEMBERS = tuple(field.name for field in fields(Report))
_SCANNED_AT_ONCE = 500
_RUN_KEPT_DAYS = 7


class WrittenBefore(Exception):
    """Another worker wrote this report first."""


@dataclass(frozen=True, slots=True)
class Run:
    """How far the daily run of a date came. `after` is the scan's place, as text."""

    done: bool
    after: str | None


class ReportRepository:
    """Reports of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def table(self) -> Table:
        return self._table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def find(self, account_id: str, name: str) -> Report | None:
        item = self._table.get(f"REPORT#{account_id}", name)
        return _report(item) if item and item["expires"] > clock.epoch() else None

    def order(self, report: Report) -> None:
        """Note that a report is wanted; one that is noted stays as it is."""
        days = KEPT_DAILY_DAYS if report.daily else KEPT_ON_REQUEST_DAYS
        item = {name: getattr(report, name) for name in _MEMBERS}
        try:
            self._table.put(
                {**item, "pk": f"REPORT#{report.account_id}", "sk": report.name, "expires": _in(days)},
                unless_exists=True,
            )
        except ConditionFailed:
            return

    def settle(self, transaction: Transaction, report: Report, written: Written, created_at: str) -> None:
        """Note where a report was written. Refused with WrittenBefore."""
        transaction.update(
            self._table, f"REPORT#{report.account_id}", report.name,
            "SET #state = :ready, created_at = :at, #object = :object, #rows = :rows, #bytes = :bytes, sha256 = :sha",
            condition="#state = :pending",
            names={"#state": "state", "#object": "object", "#rows": "rows", "#bytes": "bytes"},
            values={
                ":ready": "ready", ":pending": "pending", ":at": created_at, ":object": written.object,
                ":rows": written.rows, ":bytes": written.bytes, ":sha": written.sha256,
            },
            refusal=lambda _: WrittenBefore(),
        )  # fmt: skip

    # ------------------------------------------------------------------ the daily run

    def run_of(self, date: str) -> Run:
        item = self._table.get("REPORTS-DAILY", date)
        return Run(item["done"], item.get("after")) if item else Run(done=False, after=None)

    def keep_run(self, date: str, run: Run) -> None:
        self._table.put(
            {"pk": "REPORTS-DAILY", "sk": date, "done": run.done, "after": run.after, "expires": _in(_RUN_KEPT_DAYS)}
        )


class AccountRepository:
    """The accounts there are. A scan: nothing else needs them all, and a daily job has to see each one anyway."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def page(self, after: str | None) -> tuple[list[str], str | None]:
        """Some account ids, and the place to go on from; None at the end."""
        request: dict[str, Any] = {
            "TableName": self._table.name,
            "FilterExpression": "begins_with(pk, :account) AND sk = :root",
            "ExpressionAttributeValues": {":account": {"S": "ACCOUNT#"}, ":root": {"S": "#"}},
            "ProjectionExpression": "pk",
            "Limit": _SCANNED_AT_ONCE,
        }
        if after is not None:
            request["ExclusiveStartKey"] = json.loads(after)
        found = self._table.client.scan(**request)
        accounts = [str(load(item)["pk"]).removeprefix("ACCOUNT#") for item in found["Items"]]
        last = found.get("LastEvaluatedKey")
        return accounts, json.dumps(last) if last else None


def _in(days: int) -> int:
    return int((clock.now() + timedelta(days=days)).timestamp())


def _report(item: Item) -> Report:
    return Report(**{name: item[name] for name in _MEMBERS if name in item})
