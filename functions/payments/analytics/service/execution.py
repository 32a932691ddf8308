"""Carrying out a query: checked, its tables written to files, executed in a process apart, the result stored, settled.

What goes wrong with the query itself is its end (FAILED, with a message); what goes wrong with us leaves it to the next
attempt, of which there are few: a query over which a worker has died is not carried out for ever.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from payments.analytics.clients.engine import Engine, TableFile
from payments.analytics.clients.results import ResultStore
from payments.analytics.errors import QueryRefused, SettledBefore
from payments.analytics.models import GIVEN_UP_AFTER, MOST_ATTEMPTS, Order, Outcome, Query, age
from payments.analytics.repository import AccountObjects, QueryRepository
from payments.analytics.rules import statements
from payments.analytics.rules.statements import Statement
from payments.analytics.rules.tables import NULL, columns_of, fields_of, line, tables
from payments.engine import documents
from payments.engine.declarations import Resource
from tollgate import clock, ids

MOST_SCANNED_BYTES: Final = 1024 * 1024 * 1024
MOST_READING_SECONDS: Final = 420
"""With the engine's time, and what it takes to store a result, less than a function may run."""
_LOOKS_EVERY: Final = 5_000


class Execution:
    """Carries out queries."""

    def __init__(
        self, repository: QueryRepository, objects: AccountObjects, results: ResultStore, engine: Engine,
        most_scanned_bytes: int = MOST_SCANNED_BYTES,
    ) -> None:  # fmt: skip
        self._repository = repository
        self._objects = objects
        self._results = results
        self._engine = engine
        self._most_scanned_bytes = most_scanned_bytes

    def carry_out(self, order: Order) -> Outcome | None:
        """Bring a query to its end; None when it has come to one before, or meanwhile."""
        try:
            query = self._repository.begin(order.account, order.token)
            outcome = self._outcome(query)
            self._repository.settle(query.account, query.token, outcome)
        except SettledBefore:
            return None
        return outcome

    def _outcome(self, query: Query) -> Outcome:
        if query.attempts > MOST_ATTEMPTS or age(query) > GIVEN_UP_AFTER:
            return Outcome(failure="The query could not be carried out")
        begun = time.perf_counter()
        run = _Run(query, self._repository, self._objects, self._most_scanned_bytes)
        try:
            found = self._carried_out(run)
        except QueryRefused as refused:
            found = Outcome(failure=refused.message)
        return Outcome(
            run.scanned_bytes, found.result_bytes, int((time.perf_counter() - begun) * 1000), found.object,
            found.failure,
        )  # fmt: skip

    def _carried_out(self, run: _Run) -> Outcome:
        """Raises QueryRefused."""
        query = run.query
        known = {name: each for name, each in tables().items() if name in query.tables}
        statement = statements.read(query.sql, known, clock.now())
        with TemporaryDirectory(prefix="query-") as folder:
            files = [run.write(Path(folder), name, known[name], statement) for name in sorted(statement.tables)]
            result = Path(folder) / "result"
            rows = self._engine.carry_out(statement.sql, statements.SCHEMA, files, result, run.is_wanted)
            if not rows:
                return Outcome()
            key = f"results/{query.account}/{query.token}-{ids.new_uuid()}.csv"
            self._results.write(key, result)
            return Outcome(result_bytes=result.stat().st_size, object=key)


class _Run:
    """One attempt: what it has read, and whether its query is still wanted."""

    def __init__(self, query: Query, repository: QueryRepository, objects: AccountObjects, most: int) -> None:
        self.query = query
        self.scanned_bytes = 0
        self._begun = time.monotonic()
        self._repository = repository
        self._objects = objects
        self._most = most

    def is_wanted(self) -> bool:
        found = self._repository.find(self.query.account, self.query.token)
        return found is not None and found.state == "PROCESSING"

    def _require_time_and_interest(self) -> None:
        """Raises:
        QueryRefused: reading takes too long. SettledBefore: nobody wants the result any more.
        """
        if time.monotonic() - self._begun > MOST_READING_SECONDS:
            raise QueryRefused(f"The query reads more than can be read in {MOST_READING_SECONDS} seconds")
        if not self.is_wanted():
            raise SettledBefore

    def write(self, folder: Path, name: str, resource: Resource, statement: Statement) -> TableFile:
        """The file of a table: all objects of the query's spaces, with the columns that the query names."""
        fields = fields_of(resource, statement.columns) or fields_of(resource, frozenset({"id"}))
        path = folder / name
        with path.open("w", encoding="utf-8", errors="replace", newline="") as target:
            for space in self.query.spaces if resource.data is None else (0,):
                for number, entity in enumerate(self._objects.of(resource, space), 1):
                    self.scanned_bytes += len(documents.encode(entity.values))
                    if self.scanned_bytes > self._most:
                        raise QueryRefused(f"The query reads more than {self._most} bytes of objects")
                    if number % _LOOKS_EVERY == 0:
                        self._require_time_and_interest()
                    target.write(line(fields, entity.values))
        return TableFile(name, path, columns_of(fields), NULL)
