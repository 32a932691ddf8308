"""What the workers of the benchmark run: the real handlers, and the bare calls they are held against.

Runs inside a worker process. Keys come from the tests' key service, since only warm requests are measured.
"""

from __future__ import annotations

import copy
import os
import pickle
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _tokens() -> Any:
    from tests.support.keys import FakeKms
    from tollgate import aws

    fake = FakeKms()
    aws.kms = lambda: fake  # type: ignore[assignment]
    from vault.tokens.handler import handler

    return handler


@cache
def _client() -> Any:
    import boto3

    return boto3.client("dynamodb")


@cache
def _recorded() -> dict[str, Any]:
    recorded: dict[str, Any] = pickle.loads(Path(os.environ["BENCH_RECORDED"]).read_bytes())  # noqa: S301 -- ours
    return recorded


def tokens(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """The token handler; says how much CPU the request took."""
    handler = _tokens()
    started = time.process_time_ns()
    answer: dict[str, Any] = handler(event, context)
    answer["cpu_ns"] = time.process_time_ns() - started
    return answer


def bare_read(_: Mapping[str, Any], __: object) -> dict[str, Any]:
    """The one call that reading a token makes."""
    started = time.process_time_ns()
    found = _client().get_item(**_recorded()["get_item"])
    assert "Item" in found
    return {"statusCode": 200, "cpu_ns": time.process_time_ns() - started}


def bare_import(_: Mapping[str, Any], __: object) -> dict[str, Any]:
    """The two calls that importing a card makes, with the same items under a new token id."""
    started = time.process_time_ns()
    recorded = _recorded()
    slot = copy.deepcopy(recorded["update_item"])
    slot["ExpressionAttributeValues"][":at"] = {"S": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    _client().update_item(**slot)
    operations = copy.deepcopy(recorded["transact_write_items"]["TransactItems"])
    operations[0]["Put"]["Item"]["pk"] = {"S": f"TOKEN#bench#{uuid.uuid4()}"}
    _client().transact_write_items(TransactItems=operations)
    return {"statusCode": 200, "cpu_ns": time.process_time_ns() - started}
