"""Event source mappings from table streams: reads, filters, batches, invokes in order, and remembers how far it came.

A position is saved after the function took a batch, so a kill repeats records and never loses one. Instead of polling
every stream all the time it watches the database file and reads when that changes: quick, and idle costs nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.aws_client import AwsClient, AwsError
from local.events import StreamSource
from local.patterns import matches_any
from local.positions import Positions
from local.resources import REGION, Table
from local.workers import Outcome

WATCH_EVERY = 0.05
READ_LIMIT = 1000
RETRY_FIRST, RETRY_MOST = 0.2, 10.0

Invoke = Callable[[str, bytes], Awaitable[Outcome]]
SendTo = Callable[[str, str], Awaitable[None]]
Record = dict[str, Any]


class ChangeWatch:
    """Wakes stream readers when the database file changed; without a file, at every look."""

    def __init__(self, database: Path | None, every: float = WATCH_EVERY) -> None:
        self._files = [database, database.with_name(f"{database.name}-wal")] if database else []
        self._every = every
        self._listeners: list[asyncio.Event] = []

    def listen(self) -> asyncio.Event:
        event = asyncio.Event()
        event.set()
        self._listeners.append(event)
        return event

    async def run(self) -> None:
        before: object = None
        again = False
        while True:
            now = self._look()
            changed = now != before or not self._files
            if changed or again:
                for listener in self._listeners:
                    listener.set()
            # A second write within one tick of the file's clock looks like the first: so look once more.
            before, again = now, changed
            await asyncio.sleep(self._every)

    def _look(self) -> object:
        found = []
        for path in self._files:
            try:
                status = os.stat(path)  # noqa: PTH116  # half the cost of Path.stat, twenty times a second
                found.append((status.st_mtime_ns, status.st_size))
            except OSError:
                found.append((0, 0))
        return found


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where records go: to a function, or in the end to a queue (by ARN)."""

    invoke: Invoke
    send_to: SendTo


class StreamReader:
    """One mapping: a table's stream to a function."""

    def __init__(
        self,
        source: StreamSource,
        table: Table,
        client: AwsClient,
        positions: Positions,
        outlet: Outlet,
        changed: asyncio.Event,
    ) -> None:
        self._source = source
        self._table = table
        self._client = client
        self._positions = positions
        self._outlet = outlet
        self._changed = changed
        self._stream = ""

    async def run(self) -> None:
        """Deliver for ever; trouble with the database is retried with growing pauses."""
        pause = RETRY_FIRST
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                while await self._read():
                    pass
                pause = RETRY_FIRST
            except (OSError, AwsError):
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_MOST)
                self._changed.set()

    async def _read(self) -> bool:
        """Deliver what there is, up to the limit of one read; True if there may be more."""
        if not self._stream:
            description = await self._client.call("dynamodb", "DescribeTable", {"TableName": self._table.name})
            self._stream = description["Table"]["LatestStreamArn"]
        described = await self._client.call("streams", "DescribeStream", {"StreamArn": self._stream})
        more = False
        for shard in described["StreamDescription"]["Shards"]:
            more = await self._read_shard(shard["ShardId"]) or more
        return more

    async def _read_shard(self, shard: str) -> bool:
        iterator = await self._iterator(shard)
        answer = await self._client.call("streams", "GetRecords", {"ShardIterator": iterator, "Limit": READ_LIMIT})
        records: list[Record] = answer["Records"]
        if self._positions.get(self._place(shard)) is None and self._source.starts_at == "LATEST":
            self._remember(shard, records[-1] if records else None)
            return len(records) == READ_LIMIT
        for start in range(0, len(records), self._source.batch_size):
            await self._take(shard, records[start : start + self._source.batch_size])
        return len(records) == READ_LIMIT

    async def _iterator(self, shard: str) -> str:
        body = {"StreamArn": self._stream, "ShardId": shard}
        try:
            answer = await self._client.call("streams", "GetShardIterator", {**body, **self._start_of(shard)})
        except AwsError as error:
            if error.code != "TrimmedDataAccessException":
                raise
            oldest = {**body, "ShardIteratorType": "TRIM_HORIZON"}  # our position is older than what is kept
            answer = await self._client.call("streams", "GetShardIterator", oldest)
        return str(answer["ShardIterator"])

    async def _take(self, shard: str, records: list[Record]) -> None:
        wanted = [record for record in records if matches_any(self._source.filters, record)]
        if wanted:
            await self._deliver(shard, wanted, records[0])
        self._remember(shard, records[-1])

    async def _deliver(self, shard: str, batch: list[Record], first: Record) -> None:
        attempt = 0
        while batch:
            event = {"Records": [_shape(record, self._stream, self._table) for record in batch]}
            outcome = await self._outlet.invoke(self._source.function, json.dumps(event).encode())
            left = self._left_over(batch, outcome)
            if not left:
                return
            if left is batch and self._source.bisects and len(batch) > 1:
                middle = len(batch) // 2
                await self._deliver(shard, batch[:middle], first)
                batch, attempt = batch[middle:], 0
                continue
            attempt = attempt + 1 if left is batch else 1
            batch = left
            if self._gives_up(batch, attempt):
                await self._report(shard, batch, outcome)
                return
            await asyncio.sleep(min(RETRY_FIRST * 2 ** (attempt - 1), RETRY_MOST))

    def _left_over(self, batch: list[Record], outcome: Outcome) -> list[Record]:
        """What of the batch is still to be done: from the first failed record on, or all of it."""
        if outcome.is_error:
            return batch
        if not self._source.reports_failures:
            return []
        failed = failed_items(outcome.payload)
        if failed is None:
            return batch
        sequence = [record["dynamodb"]["SequenceNumber"] for record in batch]
        if any(item not in sequence for item in failed):
            return batch
        start = min((sequence.index(item) for item in failed), default=len(batch))
        return batch if start == 0 else batch[start:]

    def _gives_up(self, batch: list[Record], attempt: int) -> bool:
        if self._source.retries is not None and attempt > self._source.retries:
            return True
        age = time.time() - batch[0]["dynamodb"]["ApproximateCreationDateTime"]
        return self._source.maximum_age is not None and age > self._source.maximum_age

    async def _report(self, shard: str, batch: list[Record], outcome: Outcome) -> None:
        if self._source.on_failure_arn is None:
            return
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        message = {
            "requestContext": {"functionArn": self._source.function, "condition": "RetryAttemptsExhausted"},
            "responseContext": {"functionError": "Unhandled" if outcome.is_error else None},
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "batchSize": len(batch),
                "streamArn": _arn(self._stream, self._table),
            },
        }
        await self._outlet.send_to(self._source.on_failure_arn, json.dumps(message))

    def _place(self, shard: str) -> str:
        return f"{self._source.name}/{self._stream}/{shard}"

    def _start_of(self, shard: str) -> dict[str, str]:
        position = self._positions.get(self._place(shard))
        if position is None or position == "":
            return {"ShardIteratorType": "TRIM_HORIZON"}
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position}

    def _remember(self, shard: str, record: Record | None) -> None:
        self._positions.set(self._place(shard), record["dynamodb"]["SequenceNumber"] if record else "")


def failed_items(payload: bytes) -> list[str] | None:
    """The identifiers of a partial batch response; None if it cannot be read, which fails the whole batch."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return None
    if answer is None or answer == {}:
        return []
    if not isinstance(answer, dict) or not isinstance(answer.get("batchItemFailures") or [], list):
        return None
    entries = answer.get("batchItemFailures") or []
    items = [entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in entries]
    identifiers = [item for item in items if isinstance(item, str) and item]
    return identifiers if len(identifiers) == len(items) else None


def delivered(positions: Positions, sources: tuple[StreamSource, ...]) -> Mapping[str, int]:
    """Per table the last sequence number that all its readers have."""
    found: dict[str, int] = {}
    for source in sources:
        own = positions.highest(f"{source.name}/")
        found[source.table] = min(found.get(source.table, own), own)
    return found


def _shape(record: Record, stream: str, table: Table) -> Record:
    """The record as the cloud words it: real region and ARN, an event id that is unique over all tables."""
    number = record["dynamodb"]["SequenceNumber"]
    return {
        **record,
        "eventID": hashlib.md5(f"{stream}/{number}".encode(), usedforsecurity=False).hexdigest(),
        "awsRegion": REGION,
        "eventSourceARN": _arn(stream, table),
    }


def _arn(stream: str, table: Table) -> str:
    return f"{table.arn}/stream/{stream.rsplit('/', 1)[-1]}"
