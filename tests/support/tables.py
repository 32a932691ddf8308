"""A DynamoDB over HTTP for the tests, with the tables of template.yaml: one process per test process, in memory.

In-process imitations lose parallel updates, so everything that guards state is proven against this.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session

from tests.support.environment import DEPLOYMENT, ROOT

_READY_SECONDS = 10
_OF_AN_ACCOUNT = re.compile(r"#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_BINARY = ROOT / ".tools/node_modules/@dynoxide/linux-x64/dynoxide"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running() -> Iterator[str]:
    """Start a database in memory; yields its URL."""
    port = free_port()
    process = subprocess.Popen(
        [str(_BINARY), "serve", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def create_all(url: str, *, streams: bool = True) -> None:
    """The tables of the template, with indexes, and streams unless a measurement has no use for them."""
    client = _client(url)
    for table in DEPLOYMENT.tables.values():
        client.create_table(**_definition(table.definition, streams=streams))


def empty(url: str, logical_ids: Iterable[str]) -> None:
    """Make these tables anew, without streams. The platform's own data keys stay, as functions remember them."""
    client = _client(url)
    for logical_id in logical_ids:
        definition = DEPLOYMENT.tables[logical_id].definition
        name = definition["TableName"]
        kept = [item for item in items(client, name, "KEYS#") if not _OF_AN_ACCOUNT.search(item["pk"]["S"])]
        client.delete_table(TableName=name)
        client.create_table(**_definition(definition, streams=False))
        for item in kept:
            client.put_item(TableName=name, Item=item)


@cache
def _client(url: str) -> Any:
    return botocore.session.Session().create_client(
        "dynamodb", endpoint_url=url, region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def _definition(definition: Mapping[str, Any], *, streams: bool) -> dict[str, Any]:
    return {name: value for name, value in definition.items() if streams or name != "StreamSpecification"}


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("the database ended at once")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            time.sleep(0.005)
        else:
            return
    raise TimeoutError("the database did not start")


def items(client: Any, table: str, prefix: str) -> list[dict[str, Any]]:
    """Every item of a table whose partition key begins so, as DynamoDB has it; all pages of the scan."""
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="begins_with(pk, :prefix)",
        ExpressionAttributeValues={":prefix": {"S": prefix}},
    )
    return [item for page in pages for item in page["Items"]]
