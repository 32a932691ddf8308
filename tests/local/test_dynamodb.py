"""Tables follow the template over restarts, and the database file stays quick however much went through its streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws_client import AwsClient, AwsError
from local.dynamodb import DatabaseError, Dynoxide, deploy_tables, tend
from local.layout import checkout
from local.ports import Ports
from local.processes import Launcher, Register
from local.resources import Table

pytestmark = pytest.mark.skipif(not checkout().dynoxide.exists(), reason="dynoxide is not built for this machine")

KEY = [{"AttributeName": "pk", "KeyType": "HASH"}]
INDEX = {
    "IndexName": "by-owner",
    "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
OWNER = {"AttributeName": "owner", "AttributeType": "S"}


def table(ttl: str | None = None, **more: Any) -> dict[str, Table]:
    attributes = [{"AttributeName": "pk", "AttributeType": "S"}]
    definition = {
        "TableName": "tollgate-T",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": KEY,
        "AttributeDefinitions": attributes,
        **more,
    }
    return {"T": Table("T", "tollgate-T", definition, ttl)}


def with_database(folder: Path, scenario: Callable[[AwsClient], Awaitable[None]]) -> None:
    async def live() -> None:
        launcher = Launcher(folder / "logs", Register(folder / "processes.json"))
        port = Ports(folder / "ports.json").choose("dynamodb")
        dynoxide = Dynoxide(checkout().dynoxide, folder / "dynamodb.db", launcher, port)
        try:
            await dynoxide.start({})
            await scenario(dynoxide.client)
        finally:
            await dynoxide.stop()

    asyncio.run(live())


async def put(client: AwsClient, row: str) -> None:
    item = {"pk": {"S": row}, "owner": {"S": "somebody"}}
    await client.call("dynamodb", "PutItem", {"TableName": "tollgate-T", "Item": item})


async def describe(client: AwsClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.call("dynamodb", "DescribeTable", {"TableName": "tollgate-T"}))["Table"]
    return found


def test_a_table_is_made_once_and_then_changed(tmp_path: Path) -> None:
    async def first(client: AwsClient) -> None:
        await deploy_tables(client, table())
        await put(client, "kept")

    async def second(client: AwsClient) -> None:
        more = {
            "AttributeDefinitions": [*table()["T"].definition["AttributeDefinitions"], OWNER],
            "GlobalSecondaryIndexes": [INDEX],
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        }
        for _ in range(2):
            await deploy_tables(client, table("expires", **more))
        found = await describe(client)
        assert [index["IndexName"] for index in found["GlobalSecondaryIndexes"]] == ["by-owner"]
        assert found["StreamSpecification"]["StreamEnabled"] is True
        ttl = await client.call("dynamodb", "DescribeTimeToLive", {"TableName": "tollgate-T"})
        assert ttl["TimeToLiveDescription"]["AttributeName"] == "expires"
        query = {
            "TableName": "tollgate-T",
            "IndexName": "by-owner",
            "KeyConditionExpression": "#o = :o",
            "ExpressionAttributeNames": {"#o": "owner"},
            "ExpressionAttributeValues": {":o": {"S": "somebody"}},
        }
        assert [item["pk"]["S"] for item in (await client.call("dynamodb", "Query", query))["Items"]] == ["kept"]

    async def third(client: AwsClient) -> None:
        await deploy_tables(client, table())
        found = await describe(client)
        assert not found.get("GlobalSecondaryIndexes")
        assert not found.get("StreamSpecification", {}).get("StreamEnabled")

    for scenario in (first, second, third):
        with_database(tmp_path, scenario)


def test_another_key_is_refused(tmp_path: Path) -> None:
    async def scenario(client: AwsClient) -> None:
        await deploy_tables(client, table())
        other = [{"AttributeName": "id", "KeyType": "HASH"}]
        attributes = [{"AttributeName": "id", "AttributeType": "S"}]
        with pytest.raises(DatabaseError, match="key of table T changed"):
            await deploy_tables(client, table(KeySchema=other, AttributeDefinitions=attributes))

    with_database(tmp_path, scenario)


def test_a_definition_that_makes_no_sense_is_reported_by_its_table(tmp_path: Path) -> None:
    async def scenario(client: AwsClient) -> None:
        with pytest.raises(DatabaseError, match="table T was refused"):
            await deploy_tables(client, table(AttributeDefinitions=[]))

    with_database(tmp_path, scenario)


def test_rows_survive_a_kill(tmp_path: Path) -> None:
    async def write_and_kill(client: AwsClient) -> None:
        await deploy_tables(client, table())
        for number in range(50):
            await put(client, f"row-{number}")
        (pid,) = [int(pid) for pid in json.loads((tmp_path / "processes.json").read_text())]
        os.kill(pid, 9)

    async def read(client: AwsClient) -> None:
        await deploy_tables(client, table())
        assert (await client.call("dynamodb", "Scan", {"TableName": "tollgate-T", "Select": "COUNT"}))["Count"] == 50

    with_database(tmp_path, write_and_kill)
    with_database(tmp_path, read)


def test_writes_stay_quick_when_many_records_went_through_the_stream(tmp_path: Path) -> None:
    stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}
    times: list[float] = []

    async def measure(client: AwsClient) -> None:
        await deploy_tables(client, table(**stream))
        await put(client, "warm")
        rounds = []
        for number in range(40):
            started = time.perf_counter()
            await put(client, f"row-{number}")
            rounds.append(time.perf_counter() - started)
        times.append(sorted(rounds)[len(rounds) // 2])

    with_database(tmp_path, measure)
    fill_stream(tmp_path / "dynamodb.db", 100_000)
    with_database(tmp_path, measure)
    assert times[1] < 3 * times[0] + 0.001  # without the index: some twenty times


def test_old_delivered_records_are_dropped_and_numbers_go_on(tmp_path: Path) -> None:
    stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}
    file = tmp_path / "dynamodb.db"

    async def write(client: AwsClient) -> None:
        await deploy_tables(client, table(**stream))
        for number in range(5):
            await put(client, f"row-{number}-{time.monotonic_ns()}")

    with_database(tmp_path, write)
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE _stream_records SET created_at = created_at - 90000 WHERE sequence_number <= '4'")
    tend(file, {"tollgate-T": 3})
    assert numbers(file) == [3, 4, 5]  # 3 is delivered but kept: positions count from it
    with_database(tmp_path, write)
    assert numbers(file) == [3, *range(4, 11)]


def numbers(file: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT CAST(sequence_number AS INTEGER) FROM _stream_records ORDER BY 1")
        return [row[0] for row in rows]


def fill_stream(file: Path, count: int) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        (start,) = connection.execute("SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records").fetchone()
        connection.executemany(
            "INSERT INTO _stream_records (table_name, event_name, keys_json, sequence_number, shard_id, created_at)"
            " VALUES ('tollgate-T', 'INSERT', '{}', ?, 'shardId-00000001-tollgate-T', ?)",
            ((str(start + number), int(time.time())) for number in range(1, count + 1)),
        )


def test_an_error_carries_the_service_s_code(tmp_path: Path) -> None:
    async def scenario(client: AwsClient) -> None:
        with pytest.raises(AwsError) as error:
            await client.call("dynamodb", "DescribeTable", {"TableName": "nowhere"})
        assert error.value.code == "ResourceNotFoundException"

    with_database(tmp_path, scenario)
