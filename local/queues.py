"""Event source mappings from queues: long-polls, invokes with batches, deletes exactly what succeeded.

What failed is left alone: its visibility timeout brings it back and its redrive policy ends it, as in the cloud.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from local.aws_client import AwsClient, AwsError
from local.events import QueueSource
from local.patterns import matches_any
from local.resources import REGION
from local.streams import failed_items
from local.workers import Outcome

POLL_SECONDS = 2  # as long as an empty poll lasts, ministack waits for it before it stops
AT_ONCE = 4
RECEIVE_LIMIT = 10
Invoke = Callable[[str, bytes], Awaitable[Outcome]]
Message = dict[str, Any]


class QueueReader:
    """One mapping: a queue to a function. Queues with an order have one batch under way, others a few."""

    def __init__(self, source: QueueSource, url: str, client: AwsClient, invoke: Invoke) -> None:
        self._source = source
        self._url = url
        self._client = client
        self._invoke = invoke
        at_once = 1 if url.endswith(".fifo") else min(source.concurrency or AT_ONCE, AT_ONCE)
        self._slots = asyncio.Semaphore(at_once)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Deliver for ever; trouble with the queue is retried."""
        while True:
            await self._slots.acquire()
            try:
                batch = await self._collect()
            except (OSError, AwsError):
                batch = []
                await asyncio.sleep(1.0)
            if not batch:
                self._slots.release()
                continue
            task = asyncio.create_task(self._process(batch))
            self._running.add(task)
            task.add_done_callback(self._finish)

    async def settle(self, within: float) -> None:
        """Give the batches under way some time to end."""
        if self._running:
            await asyncio.wait(self._running, timeout=within)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._slots.release()

    async def _collect(self) -> list[Message]:
        """The next batch: as much as there is, or what comes together within the mapping's window."""
        batch = await self._receive(POLL_SECONDS, self._source.batch_size)
        deadline = time.monotonic() + self._source.window
        while batch and len(batch) < self._source.batch_size and time.monotonic() < deadline:
            left = deadline - time.monotonic()
            batch += await self._receive(max(1, int(left)), self._source.batch_size - len(batch))
        return batch

    async def _receive(self, wait: int, most: int) -> list[Message]:
        body = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": min(most, RECEIVE_LIMIT),
            "WaitTimeSeconds": wait,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        answer = await self._client.call("sqs", "ReceiveMessage", body, within=wait + 15.0)
        messages: list[Message] = answer.get("Messages") or []
        return messages

    async def _process(self, batch: list[Message]) -> None:
        records = [_shape(message, self._source.queue_arn) for message in batch]
        wanted = [record for record in records if matches_any(self._source.filters, _filterable(record))]
        dropped = [record for record in records if record not in wanted]
        done = dropped + (await self._deliver(wanted) if wanted else [])
        for start in range(0, len(done), RECEIVE_LIMIT):
            await self._delete(done[start : start + RECEIVE_LIMIT])

    async def _deliver(self, records: list[Message]) -> list[Message]:
        outcome = await self._invoke(self._source.function, json.dumps({"Records": records}).encode())
        if outcome.is_error:
            return []
        if not self._source.reports_failures:
            return records
        failed = failed_items(outcome.payload)
        known = {record["messageId"] for record in records}
        if failed is None or any(item not in known for item in failed):
            return []
        return [record for record in records if record["messageId"] not in failed]

    async def _delete(self, records: list[Message]) -> None:
        entries = [{"Id": str(i), "ReceiptHandle": record["receiptHandle"]} for i, record in enumerate(records)]
        try:
            await self._client.call("sqs", "DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries})
        except (OSError, AwsError):
            return  # they come back, and the function recognises them


def _shape(message: Message, queue_arn: str) -> Message:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {f"{key[0].lower()}{key[1:]}": value for key, value in attribute.items()}
            for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


def _filterable(record: Message) -> Message:
    """What patterns see: the body as JSON where it is JSON."""
    try:
        return {**record, "body": json.loads(record["body"])}
    except ValueError:
        return record
