"""Reports: at once where they are small, written beforehand where they are not, and every day.

An answer of a function has at most six megabytes, and a request half a minute. A report within both is the answer
itself. A larger one is written to the bucket by the queue's worker; the caller is sent to where it waits for it and
from there to the bucket, which any client does that follows redirects. No card is touched here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from tollgate import clock, events, ids
from tollgate.errors import Unavailable
from vault.token_reports import rules
from vault.token_reports.clients.objects import ReportStore
from vault.token_reports.clients.orders import OrderQueue
from vault.token_reports.errors import ReportNotFound
from vault.token_reports.models import Order, Report, view
from vault.token_reports.repository import AccountRepository, ReportRepository, Run, WrittenBefore
from vault.tokens.public import TokenOrigins

DIRECT_ROWS: Final = 30_000
DIRECT_BYTES: Final = 4_500_000
WAIT_SECONDS: Final = 20
URL_SECONDS: Final = 300
_PAUSE_SECONDS: Final = 1
_GIVEN_UP_AFTER: Final = timedelta(minutes=30)
_PAGES_PER_RUN: Final = 20


class ReportService:
    """What the owner of an account can ask for."""

    def __init__(
        self, origins: TokenOrigins, repository: ReportRepository, objects: ReportStore, queue: OrderQueue
    ) -> None:
        self._origins = origins
        self._repository = repository
        self._objects = objects
        self._queue = queue

    def at_once(self, account_id: str) -> bytes | None:
        """The whole report, or None when it is too large to be an answer."""
        if self._origins.most(account_id) > 2 * DIRECT_ROWS:
            return None
        parts, size = [rules.HEADER], 0
        for each in lines(self._origins, account_id):
            parts.append(each)
            size += len(each) + each.count(b'"')  # a quote takes two bytes in a function's answer
            if size > DIRECT_BYTES or len(parts) > DIRECT_ROWS:
                return None
        return b"".join(parts)

    def order(self, account_id: str) -> str:
        """Have a report written; answers its name."""
        report = Report(account_id, ids.new_uuid(), clock.iso(clock.now()), daily=False)
        self._repository.order(report)
        self._queue.send([Order(account_id, report.name)])
        return report.name

    def await_url(self, account_id: str, name: str) -> str | None:
        """Where a report can be fetched once it is written; None when it is not after some waiting.

        Raises:
            ReportNotFound. Unavailable: it should have been written long ago.
        """
        for _ in range(WAIT_SECONDS // _PAUSE_SECONDS):
            report = self._repository.find(account_id, name)
            if report is None:
                raise ReportNotFound
            if report.object is not None:
                return self._objects.download_url(report.object, URL_SECONDS, f"tokens-{report.name}.csv")
            if clock.now() - datetime.fromisoformat(report.requested_at) > _GIVEN_UP_AFTER:
                raise Unavailable("The report could not be written; ask for it again")
            clock.pause(_PAUSE_SECONDS)
        return None


class ReportWriter:
    """Writes the reports that were ordered."""

    def __init__(self, origins: TokenOrigins, repository: ReportRepository, objects: ReportStore) -> None:
        self._origins = origins
        self._repository = repository
        self._objects = objects

    def write(self, order: Order) -> Report | None:
        """Write one report, and announce it if it is a daily one; None when that has been done before."""
        report = self._repository.find(order.account_id, order.name)
        if report is None or report.state == "ready":
            return None
        created_at = clock.iso(clock.now())
        key = f"{'daily' if report.daily else 'on-request'}/{report.account_id}/{report.name}-{ids.new_uuid()}.csv"
        written = self._objects.write(key, lines(self._origins, report.account_id), rules.HEADER)
        done = Report(
            report.account_id, report.name, report.requested_at, report.daily, "ready", created_at,
            written.object, written.rows, written.bytes, written.sha256,
        )  # fmt: skip
        transaction = self._repository.begin()
        self._repository.settle(transaction, report, written, created_at)
        if report.daily:
            events.announce(
                transaction, self._repository.table, account_id=report.account_id, event_type="report.created",
                subject=f"tokens-{report.name}", payload={"report": view(done)},
            )  # fmt: skip
        try:
            transaction.commit()
        except WrittenBefore:
            return None
        return done


class DailyRun:
    """Orders the report of every account that ever had a token, once a day, a bounded number of pages at a time."""

    def __init__(
        self, origins: TokenOrigins, repository: ReportRepository, accounts: AccountRepository, queue: OrderQueue
    ) -> None:
        self._origins = origins
        self._repository = repository
        self._accounts = accounts
        self._queue = queue

    def carry_on(self) -> tuple[int, bool]:
        """Go on with the present day's run; answers how many reports were ordered and whether it is done."""
        now = clock.now()
        date, ordered = now.date().isoformat(), 0
        run = self._repository.run_of(date)
        for _ in range(_PAGES_PER_RUN):
            if run.done:
                break
            accounts, after = self._accounts.page(run.after)
            wanted = [each for each in accounts if self._origins.most(each)]
            for account_id in wanted:
                self._repository.order(Report(account_id, date, clock.iso(now), daily=True))
            self._queue.send([Order(account_id, date) for account_id in wanted])
            run = Run(done=after is None, after=after)
            self._repository.keep_run(date, run)
            ordered += len(wanted)
        return ordered, run.done


def lines(origins: TokenOrigins, account_id: str) -> Iterator[bytes]:
    """The report's lines, one per token."""
    for origin in origins.each(account_id):
        yield rules.line(*origin)
