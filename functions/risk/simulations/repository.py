"""Decisions of a period, oldest first, as the time machine reads them (rows: `risk.records`).

A day lies in sixteen partitions, each in the order of ids, which is that of time; merging them gives the order of all.
Of each row only what a replay needs comes over the wire. At most a page of each partition is in memory.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Final

from risk import records
from risk.simulations.models import Past
from tollgate.store.table import Table

LONGEST_DECISION: Final = timedelta(minutes=1)
"""An id has the time when its decision was begun, so much at most before it was made."""

_READ: Final = ("sk", "evaluated_at", "decision", "record")


Unpack = Callable[[bytes], Mapping[str, Any]]
"""The members of a decision, from the form in which decisions store them."""


class PastRepository:
    """Decisions of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table, unpack: Unpack) -> None:
        self._table = table
        self._unpack = unpack

    def between(self, account_id: str, first: datetime, last: datetime, after: str | None = None) -> Iterator[Past]:
        """Decisions made in [first, last], in the order of their ids; those behind the id `after` alone."""
        begin = first - LONGEST_DECISION
        low, high = records.first_id(begin), records.first_id(last + timedelta(milliseconds=1))
        if after is not None:
            low, begin = max(low, f"{after}!"), max(begin, records.begun_at(after))
        for day in range((last.date() - begin.date()).days + 1):
            for past in self._of_day(account_id, begin + timedelta(days=day), low, high):
                if first <= past.at <= last:
                    yield past

    def _of_day(self, account_id: str, day: datetime, low: str, high: str) -> Iterator[Past]:
        rows = [
            self._table.scan_partition(partition, low=low, high=high, project=_READ)
            for partition in records.decision_partitions(account_id, day, day)
        ]
        for row in heapq.merge(*rows, key=itemgetter("sk")):
            at = datetime.fromisoformat(row["evaluated_at"])
            yield Past(row["sk"], at, row["decision"], self._unpack(row["record"]))
