"""Delivery from table streams: order, filters, retries, bisecting, giving up, and positions over restarts.

The stream is a real dynoxide file; the function is a stand-in that follows a script.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.aws_client import AwsClient
from local.dynamodb import Dynoxide, deploy_tables
from local.events import StreamSource
from local.layout import checkout
from local.ports import Ports
from local.positions import Positions
from local.processes import Launcher, Register
from local.resources import Table
from local.streams import ChangeWatch, Outlet, StreamReader, delivered
from local.workers import Ending, Outcome

TABLE = Table(
    "Rows",
    "tollgate-Rows",
    {
        "TableName": "tollgate-Rows",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    },
    None,
)
SOURCE = StreamSource(
    function="Relay",
    name="RelayRows",
    table=TABLE.name,
    starts_at="TRIM_HORIZON",
    batch_size=10,
    window=0,
    bisects=False,
    retries=2,
    maximum_age=None,
    reports_failures=False,
    on_failure_arn="arn:dead",
    filters=(),
)
DONE = Outcome(b"{}", Ending.RETURNED)
FAILED = Outcome(b'{"errorType":"X"}', Ending.RAISED)

pytestmark = pytest.mark.skipif(not checkout().dynoxide.exists(), reason="dynoxide is not built for this machine")


class Relay:
    """The function and the on-failure queue: notes what they get, and answers as `script` says."""

    def __init__(self, script: Callable[[list[str]], Outcome] = lambda _: DONE) -> None:
        self.batches: list[list[str]] = []
        self.records: list[dict[str, Any]] = []
        self.dead: list[dict[str, Any]] = []
        self._script = script

    async def invoke(self, _function: str, payload: bytes) -> Outcome:
        records = json.loads(payload)["Records"]
        self.records += records
        rows = [record["dynamodb"]["Keys"]["pk"]["S"] for record in records]
        self.batches.append(rows)
        return self._script(rows)

    async def send_to(self, _arn: str, text: str) -> None:
        self.dead.append(json.loads(text))


class Database:
    """A dynoxide on a file, with the table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "dynamodb.db"
        self.positions = Positions(folder / "positions.json")
        launcher = Launcher(folder / "logs", Register(folder / "processes.json"))
        self.dynoxide = Dynoxide(checkout().dynoxide, self.file, launcher, Ports(folder / "ports.json").choose("d"))

    @property
    def client(self) -> AwsClient:
        return self.dynoxide.client

    async def put(self, *rows: str) -> None:
        for row in rows:
            await self.client.call("dynamodb", "PutItem", {"TableName": TABLE.name, "Item": {"pk": {"S": row}}})

    @contextlib.asynccontextmanager
    async def reading(self, relay: Relay, source: StreamSource = SOURCE) -> AsyncIterator[None]:
        watch = ChangeWatch(self.file)
        outlet = Outlet(relay.invoke, relay.send_to)
        reader = StreamReader(source, TABLE, self.client, self.positions, outlet, watch.listen())
        tasks = [asyncio.create_task(reader.run()), asyncio.create_task(watch.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def database(tmp_path: Path) -> Callable[[Callable[[Database], Awaitable[None]]], None]:
    def run(scenario: Callable[[Database], Awaitable[None]]) -> None:
        async def live() -> None:
            made = Database(tmp_path)
            await made.dynoxide.start({})
            try:
                await deploy_tables(made.client, {"Rows": TABLE})
                async with asyncio.timeout(20):
                    await scenario(made)
            finally:
                await made.dynoxide.stop()

        asyncio.run(live())

    return run


async def until(condition: Callable[[], bool], within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.005)


def test_records_arrive_in_order_in_batches_and_once(database: Callable[..., None]) -> None:
    rows = [f"row-{number:03d}" for number in range(25)]

    async def scenario(made: Database) -> None:
        relay = Relay()
        await made.put(*rows)
        async with made.reading(relay):
            await until(lambda: len(relay.records) == 25)
            await made.put("later")
            await until(lambda: len(relay.records) == 26)
        assert [len(batch) for batch in relay.batches] == [10, 10, 5, 1]
        assert [row for batch in relay.batches for row in batch] == [*rows, "later"]
        first = relay.records[0]
        assert first["eventSource"] == "aws:dynamodb"
        assert first["awsRegion"] == "eu-central-1"
        assert first["eventSourceARN"].startswith(f"{TABLE.arn}/stream/")
        assert len({record["eventID"] for record in relay.records}) == 26

    database(scenario)


def test_a_write_is_delivered_within_200_ms(database: Callable[..., None]) -> None:
    async def scenario(made: Database) -> None:
        relay = Relay()
        async with made.reading(relay):
            await made.put("first")
            await until(lambda: len(relay.records) == 1)
            waits = []
            for number in range(5):
                started = time.monotonic()
                await made.put(f"row-{number}")
                await until(lambda wanted=number + 2: len(relay.records) == wanted)  # type: ignore[misc]
                waits.append(time.monotonic() - started)
        assert sorted(waits)[2] < 0.2

    database(scenario)


def test_a_restart_goes_on_after_the_last_batch_that_was_taken(database: Callable[..., None]) -> None:
    async def scenario(made: Database) -> None:
        relay = Relay()
        await made.put("a", "b")
        async with made.reading(relay):
            await until(lambda: len(relay.records) == 2)
        await made.put("c")
        made.positions = Positions(made.folder / "positions.json")
        again = Relay()
        async with made.reading(again):
            await until(lambda: len(again.records) == 1)
        assert again.batches == [["c"]]

    database(scenario)


def test_what_was_under_way_at_a_kill_comes_again(database: Callable[..., None]) -> None:
    async def scenario(made: Database) -> None:
        hanging = asyncio.Event()
        relay = Relay()

        async def hang(_function: str, payload: bytes) -> Outcome:
            await relay.invoke("", payload)
            await hanging.wait()
            return DONE

        relay_that_hangs = Relay()
        relay_that_hangs.invoke = hang  # type: ignore[method-assign]
        await made.put("a")
        async with made.reading(relay_that_hangs):
            await until(lambda: relay.batches == [["a"]])
        again = Relay()
        async with made.reading(again):
            await until(lambda: again.batches == [["a"]])

    database(scenario)


def test_latest_leaves_out_what_was_there_before(database: Callable[..., None]) -> None:
    async def scenario(made: Database) -> None:
        relay = Relay()
        await made.put("before")
        async with made.reading(relay, replace(SOURCE, starts_at="LATEST")):
            await until(lambda: delivered(made.positions, (SOURCE,)) == {TABLE.name: 1})
            await made.put("after")
            await until(lambda: relay.batches == [["after"]])

    database(scenario)


def test_filtered_records_are_passed_over(database: Callable[..., None]) -> None:
    pattern = {"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "OUTBOX#"}]}}}}

    async def scenario(made: Database) -> None:
        relay = Relay()
        await made.put("x", "OUTBOX#1", "y", "OUTBOX#2", "z")
        async with made.reading(relay, replace(SOURCE, filters=(pattern,))):
            await until(lambda: delivered(made.positions, (SOURCE,)) == {TABLE.name: 5})
        assert relay.batches == [["OUTBOX#1", "OUTBOX#2"]]

    database(scenario)


def test_a_failing_batch_blocks_until_it_is_given_up(database: Callable[..., None]) -> None:
    async def scenario(made: Database) -> None:
        relay = Relay(lambda rows: FAILED if "bad" in rows else DONE)
        await made.put("bad", "good")
        async with made.reading(relay, replace(SOURCE, batch_size=1)):
            await until(lambda: ["good"] in relay.batches)
        assert relay.batches == [["bad"]] * 3 + [["good"]]
        (message,) = relay.dead
        assert message["DDBStreamBatchInfo"]["batchSize"] == 1
        assert message["DDBStreamBatchInfo"]["startSequenceNumber"] == "1"

    database(scenario)


def test_bisecting_isolates_the_poisoned_record(database: Callable[..., None]) -> None:
    rows = [f"r{number}" for number in range(8)]

    async def scenario(made: Database) -> None:
        taken: list[str] = []

        def script(batch: list[str]) -> Outcome:
            if "r5" in batch:
                return FAILED
            taken.extend(batch)
            return DONE

        relay = Relay(script)
        await made.put(*rows)
        async with made.reading(relay, replace(SOURCE, bisects=True, retries=1)):
            await until(lambda: len(taken) == 7 and len(relay.dead) == 1)
        assert taken == [row for row in rows if row != "r5"]
        assert relay.dead[0]["DDBStreamBatchInfo"]["startSequenceNumber"] == "6"

    database(scenario)


def test_bisecting_also_isolates_a_record_that_is_reported_as_failed(database: Callable[..., None]) -> None:
    async def scenario(made: Database) -> None:
        taken: list[str] = []

        def script(batch: list[str]) -> Outcome:
            done = batch[: batch.index("bad")] if "bad" in batch else batch
            taken.extend(row for row in done if row not in taken)
            failed = [{"itemIdentifier": "2"}] if "bad" in batch else []
            return Outcome(json.dumps({"batchItemFailures": failed}).encode(), Ending.RETURNED)

        relay = Relay(script)
        await made.put("a", "bad", "b", "c")
        async with made.reading(relay, replace(SOURCE, bisects=True, retries=1, reports_failures=True)):
            await until(lambda: taken == ["a", "b", "c"] and len(relay.dead) == 1)
        assert relay.dead[0]["DDBStreamBatchInfo"]["batchSize"] == 1

    database(scenario)


def test_a_partial_failure_is_retried_from_the_first_failed_record(database: Callable[..., None]) -> None:
    async def scenario(made: Database) -> None:
        answers = iter([{"batchItemFailures": [{"itemIdentifier": "4"}, {"itemIdentifier": "3"}]}, {}])

        relay = Relay(lambda _: Outcome(json.dumps(next(answers)).encode(), Ending.RETURNED))
        await made.put("a", "b", "c", "d")
        async with made.reading(relay, replace(SOURCE, reports_failures=True)):
            await until(lambda: delivered(made.positions, (SOURCE,)) == {TABLE.name: 4})
        assert relay.batches == [["a", "b", "c", "d"], ["c", "d"]]

    database(scenario)


@pytest.mark.parametrize(
    "answer",
    ['{"batchItemFailures":[{"itemIdentifier":""}]}', '{"batchItemFailures":[{"itemIdentifier":"99"}]}', "[1]"],
)
def test_an_answer_that_makes_no_sense_fails_the_whole_batch(database: Callable[..., None], answer: str) -> None:
    async def scenario(made: Database) -> None:
        answers = iter([answer, "null"])
        relay = Relay(lambda _: Outcome(next(answers).encode(), Ending.RETURNED))
        await made.put("a", "b")
        async with made.reading(relay, replace(SOURCE, reports_failures=True)):
            await until(lambda: delivered(made.positions, (SOURCE,)) == {TABLE.name: 2})
        assert relay.batches == [["a", "b"], ["a", "b"]]

    database(scenario)


def test_a_lost_database_is_waited_for(database: Callable[..., None]) -> None:
    async def scenario(made: Database) -> None:
        relay = Relay()
        async with made.reading(relay):
            await made.put("a")
            await until(lambda: relay.batches == [["a"]])
            await made.dynoxide.stop()
            await made.dynoxide.start({})
            await made.put("b")
            await until(lambda: relay.batches == [["a"], ["b"]])

    database(scenario)


def test_a_change_is_looked_at_twice_and_rest_not_at_all(tmp_path: Path) -> None:
    """The second look catches a write within the same tick of the file's clock, which changes nothing one could see."""

    async def live() -> None:
        file = tmp_path / "dynamodb.db"
        file.touch()
        watch = ChangeWatch(file, every=0.01)
        changed = watch.listen()
        changed.clear()
        task = asyncio.create_task(watch.run())

        async def wakes(times: int) -> None:
            for _ in range(times):
                async with asyncio.timeout(5):
                    await changed.wait()
                changed.clear()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await changed.wait()

        await wakes(2)  # the first look finds a file it did not know
        file.write_text("grown")
        await wakes(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(live())
