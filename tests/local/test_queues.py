"""What a queue's reader makes of messages and of the function's answers. The queue is a stand-in; the real one is used
in test_machine.py."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

import pytest

from local.aws_client import AwsClient, AwsError
from local.events import QueueSource
from local.queues import QueueReader
from local.workers import Ending, Outcome

ARN = "arn:aws:sqs:eu-central-1:000000000000:tollgate-Q"
SOURCE = QueueSource("Worker", "WorkerQ", ARN, 10, 0.0, True, None, ())


class ScriptedQueue(AwsClient):
    """Gives out the messages it was made with, as long polls do, and notes what is deleted."""

    def __init__(self, *bodies: str, refusals: int = 0) -> None:
        super().__init__(1)
        self.waiting = deque(
            {"MessageId": f"m{number}", "ReceiptHandle": f"r{number}", "Body": body, "MD5OfBody": "x", "Attributes": {}}
            for number, body in enumerate(bodies)
        )
        self.refusals = refusals
        self.deleted: list[str] = []
        self.received = asyncio.Event()

    async def call(self, _service: str, action: str, body: dict[str, Any], *, within: float = 30.0) -> dict[str, Any]:
        if action == "DeleteMessageBatch":
            self.deleted += [entry["ReceiptHandle"] for entry in body["Entries"]]
            return {}
        if self.refusals:
            self.refusals -= 1
            raise AwsError("ServiceUnavailable", "")
        if not self.waiting:
            self.received.set()
            await asyncio.sleep(within)
        return {
            "Messages": [self.waiting.popleft() for _ in range(min(body["MaxNumberOfMessages"], len(self.waiting)))]
        }


def deliver(source: QueueSource, queue: ScriptedQueue, *outcomes: Outcome, url: str = "http://x/q") -> list[list[Any]]:
    """Read the queue empty; answers the records of each invocation."""
    batches: list[list[Any]] = []
    script = iter(outcomes)

    async def invoke(function: str, payload: bytes) -> Outcome:
        assert function == "Worker"
        batches.append(json.loads(payload)["Records"])
        return next(script)

    async def live() -> None:
        reader = QueueReader(source, url, queue, invoke)
        task = asyncio.create_task(reader.run())
        async with asyncio.timeout(5):
            await queue.received.wait()
        await reader.settle(2.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(live())
    return batches


def returned(answer: object) -> Outcome:
    return Outcome(json.dumps(answer).encode(), Ending.RETURNED)


def failing(*items: object) -> Outcome:
    return returned({"batchItemFailures": [{"itemIdentifier": item} for item in items]})


@pytest.mark.parametrize(
    ("outcome", "deleted"),
    [
        (failing(), ["r0", "r1", "r2"]),
        (returned(None), ["r0", "r1", "r2"]),
        (returned({"batchItemFailures": None}), ["r0", "r1", "r2"]),
        (failing("m1"), ["r0", "r2"]),
        (failing("m0", "m1", "m2"), []),
        (failing("unknown"), []),
        (failing(""), []),
        (failing(None), []),
        (returned("nonsense"), []),
        (returned({"batchItemFailures": "m1"}), []),
        (Outcome(b"not json", Ending.RETURNED), []),
        (Outcome(b"{}", Ending.RAISED), []),
        (Outcome(b"{}", Ending.TIMED_OUT), []),
        (Outcome(b"{}", Ending.CRASHED), []),
    ],
)
def test_only_what_succeeded_is_deleted(outcome: Outcome, deleted: list[str]) -> None:
    queue = ScriptedQueue("a", "b", "c")
    deliver(SOURCE, queue, outcome)
    assert queue.deleted == deleted


def test_without_partial_answers_a_return_is_success() -> None:
    queue = ScriptedQueue("a")
    source = QueueSource("Worker", "WorkerQ", ARN, 10, 0.0, False, None, ())
    deliver(source, queue, failing("m0"))
    assert queue.deleted == ["r0"]


def test_a_record_looks_as_in_the_cloud() -> None:
    queue = ScriptedQueue("text")
    queue.waiting[0]["MessageAttributes"] = {"kind": {"DataType": "String", "StringValue": "x"}}
    ((record,),) = deliver(SOURCE, queue, failing())
    assert record == {
        "messageId": "m0",
        "receiptHandle": "r0",
        "body": "text",
        "attributes": {},
        "messageAttributes": {"kind": {"dataType": "String", "stringValue": "x"}},
        "md5OfBody": "x",
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN,
        "awsRegion": "eu-central-1",
    }


def test_filtered_messages_are_deleted_unseen() -> None:
    source = QueueSource("Worker", "WorkerQ", ARN, 10, 0.0, True, None, ({"body": {"kind": ["wanted"]}},))
    queue = ScriptedQueue('{"kind":"wanted"}', '{"kind":"other"}', "no json")
    batches = deliver(source, queue, failing())
    assert [[record["messageId"] for record in batch] for batch in batches] == [["m0"]]
    assert sorted(queue.deleted) == ["r0", "r1", "r2"]


def test_batches_keep_to_their_size() -> None:
    source = QueueSource("Worker", "WorkerQ", ARN, 2, 0.0, True, None, ())
    queue = ScriptedQueue("a", "b", "c", "d", "e")
    assert [len(batch) for batch in deliver(source, queue, *[failing()] * 3)] == [2, 2, 1]


def test_a_window_gathers_more_than_one_receive_can() -> None:
    source = QueueSource("Worker", "WorkerQ", ARN, 25, 5.0, True, None, ())
    queue = ScriptedQueue(*(str(number) for number in range(25)))
    assert [len(batch) for batch in deliver(source, queue, failing())] == [25]
    assert len(queue.deleted) == 25


def test_an_ordered_queue_has_one_batch_under_way_at_a_time() -> None:
    queue = ScriptedQueue("a", "b", "c")
    source = QueueSource("Worker", "WorkerQ", ARN, 1, 0.0, True, None, ())
    under_way, most = 0, 0

    async def live() -> None:
        async def invoke(_function: str, _payload: bytes) -> Outcome:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.02)
            under_way -= 1
            return failing()

        reader = QueueReader(source, "http://x/q.fifo", queue, invoke)
        task = asyncio.create_task(reader.run())
        async with asyncio.timeout(5):
            await queue.received.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(live())
    assert most == 1


def test_trouble_with_the_queue_is_survived() -> None:
    queue = ScriptedQueue("a", refusals=1)
    deliver(SOURCE, queue, failing())
    assert queue.deleted == ["r0"]
