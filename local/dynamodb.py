"""DynamoDB with streams: dynoxide on one file; where its binary is not to be had, the caller uses ministack's own.

dynoxide never trims stream records and looks the next sequence number up by scanning them, so every write would slow
down with every write before it. While it is stopped we add an index to its file and drop records that are over a day
old and delivered, as the cloud would (measured: docs/decisions/0003-local-machine.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.aws_client import AwsClient, AwsError
from local.processes import Child, Launcher
from local.resources import Table

START_LIMIT = 10.0
RETENTION = 24 * 3600
_INDEX = "CREATE INDEX IF NOT EXISTS stream_position ON _stream_records (table_name, CAST(sequence_number AS INTEGER))"


class DatabaseError(Exception):
    """dynoxide did not start, or a table cannot be brought to what the template says."""


class Dynoxide:
    """The running dynoxide process on its file."""

    def __init__(self, program: Path, database: Path, launcher: Launcher, port: int) -> None:
        self.port = port
        self.client = AwsClient(port)
        self._program = program
        self._database = database
        self._launcher = launcher
        self._child: Child | None = None

    async def start(self, delivered: Mapping[str, int]) -> None:
        """Start it and wait until it answers. `delivered`: the last sequence number per table that every reader has.

        Raises:
            DatabaseError: it ended, or did not answer in time.
        """
        self._database.parent.mkdir(parents=True, exist_ok=True)
        if not self._database.exists():
            await self._launch()  # it makes its own schema, which the index needs
            await self.stop()
        tend(self._database, delivered)
        await self._launch()

    async def stop(self) -> None:
        await self.client.close()
        if self._child is not None:
            await self._child.stop(within=5.0)

    def wait(self) -> asyncio.Future[int]:
        """Done when the process has ended."""
        if self._child is None:
            raise RuntimeError("it was not started")
        return self._child.ended

    async def _launch(self) -> None:
        command: list[str | Path] = [self._program, "serve", "--port", str(self.port), "--db-path", self._database]
        self._child = await self._launcher.start("dynamodb", command, {"PATH": os.environ.get("PATH", "")})
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and self._child.is_running:
            with contextlib.suppress(OSError):
                await self.client.call("dynamodb", "ListTables", {})
                return
            await asyncio.sleep(0.005)
        raise DatabaseError(f"dynoxide did not start; see {self._launcher.log_path('dynamodb')}")


def tend(database: Path, delivered: Mapping[str, int]) -> None:
    """Index the stream records of a stopped dynoxide, and drop those that are old and delivered.

    The newest record of a table stays: the next sequence number is counted from it.
    """
    with contextlib.closing(sqlite3.connect(database, timeout=5.0)) as connection, connection:
        connection.execute(_INDEX)
        for table, position in delivered.items():
            connection.execute(
                "DELETE FROM _stream_records WHERE table_name = ?1 AND created_at < ?2"
                " AND CAST(sequence_number AS INTEGER) < ?3",
                (table, int(time.time()) - RETENTION, position),
            )


async def deploy_tables(client: AwsClient, tables: Mapping[str, Table]) -> None:
    """Make missing tables; add or remove indexes, stream and TTL of existing ones.

    Raises:
        DatabaseError: a table's key is another one than the template's, which no update can mend.
    """
    present = set(await _table_names(client))
    for table in tables.values():
        try:
            if table.name in present:
                await _update(client, table)
            else:
                await client.call("dynamodb", "CreateTable", dict(table.definition))
            await _put_ttl(client, table)
        except AwsError as error:
            raise DatabaseError(f"the table {table.logical_id} was refused: {error}") from None


async def _table_names(client: AwsClient) -> list[str]:
    names: list[str] = []
    start: dict[str, Any] = {}
    while True:
        page = await client.call("dynamodb", "ListTables", start)
        names += page["TableNames"]
        if "LastEvaluatedTableName" not in page:
            return names
        start = {"ExclusiveStartTableName": page["LastEvaluatedTableName"]}


async def _update(client: AwsClient, table: Table) -> None:
    found = (await client.call("dynamodb", "DescribeTable", {"TableName": table.name}))["Table"]
    if _keys(found) != _keys(table.definition):
        raise DatabaseError(f"the key of table {table.logical_id} changed in the template; `make reset` starts anew")
    for change in (*_index_changes(found, table), *_stream_change(found, table)):
        await client.call("dynamodb", "UpdateTable", {"TableName": table.name, **change})


def _keys(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted((part["AttributeName"], part["KeyType"]) for part in description["KeySchema"])


def _index_changes(found: Mapping[str, Any], table: Table) -> list[dict[str, Any]]:
    wanted = {index["IndexName"]: index for index in table.definition.get("GlobalSecondaryIndexes", ())}
    there = {index["IndexName"]: index for index in found.get("GlobalSecondaryIndexes", ())}
    attributes = table.definition["AttributeDefinitions"]
    stale = [name for name in there if name not in wanted or _keys(there[name]) != _keys(wanted[name])]
    fresh = [name for name in wanted if name not in there or name in stale]
    removals = [{"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]} for name in stale]
    return removals + [
        {"AttributeDefinitions": attributes, "GlobalSecondaryIndexUpdates": [{"Create": wanted[name]}]}
        for name in fresh
    ]


def _stream_change(found: Mapping[str, Any], table: Table) -> list[dict[str, Any]]:
    wanted = table.definition.get("StreamSpecification")
    there = found.get("StreamSpecification")
    if wanted and not (there and there.get("StreamEnabled")):
        return [{"StreamSpecification": wanted}]
    if there and there.get("StreamEnabled") and not wanted:
        return [{"StreamSpecification": {"StreamEnabled": False}}]
    return []


async def _put_ttl(client: AwsClient, table: Table) -> None:
    described = await client.call("dynamodb", "DescribeTimeToLive", {"TableName": table.name})
    there = described["TimeToLiveDescription"].get("AttributeName")
    if there != table.ttl_attribute:
        attribute = table.ttl_attribute or there
        specification = {"AttributeName": attribute, "Enabled": table.ttl_attribute is not None}
        body = {"TableName": table.name, "TimeToLiveSpecification": specification}
        await client.call("dynamodb", "UpdateTimeToLive", body)
