"""What the import workers of the benchmark run: the real queue door over a bucket that is a folder.

Runs inside a worker process. Keys come from the tests' key service, since only warm steps are measured.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.objects import FakeS3
from tests.support.queues import FakeSqs

BARE_TRANSACTIONS = 4
BARE_OPERATIONS = 92


class FolderS3(FakeS3):
    """Objects as files, so that several processes see them. They are sealed before they come here."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "+")

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str = "") -> dict[str, Any]:  # noqa: ARG002, N803
        self._path(Key).write_bytes(Body)
        return {}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: ARG002, N803
        return {"Body": self._path(Key).open("rb")}

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002, N803
        for each in Delete["Objects"]:
            self._path(each["Key"]).unlink(missing_ok=True)
        return {}


def stand_in(folder: Path) -> FakeSqs:
    """Key, object and queue service of this process; answers the queue."""
    from tests.support.keys import FakeKms
    from tollgate import aws

    kms, s3, sqs = FakeKms(), FolderS3(folder), FakeSqs()
    aws.kms = lambda: kms  # type: ignore[assignment]
    aws.s3 = lambda: s3  # type: ignore[assignment]
    aws.sqs = lambda: sqs  # type: ignore[assignment]
    return sqs


@cache
def _worker() -> Any:
    stand_in(Path(os.environ["BENCH_OBJECTS"]))
    from vault.imports import worker

    return worker


def steps(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """The queue door; says how many DynamoDB calls the batch took, and how many of them were refused."""
    from tollgate import aws

    noted: dict[str, Any] = {"calls": 0, "refused": 0}

    def after(http_response: Any, **_: Any) -> None:
        noted["calls"] += 1
        noted["refused"] += http_response.status_code != 200

    handler, events = _worker().handler, aws.dynamodb().meta.events
    events.register("after-call.dynamodb", after)
    started = time.process_time_ns()
    try:
        answer: dict[str, Any] = handler(event, object())  # without a limit of time, so that no step sends itself on
    finally:
        events.unregister("after-call.dynamodb", after)
    return {**answer, **noted, "cpu_ns": time.process_time_ns() - started}


def bare(_: Mapping[str, Any], __: object) -> dict[str, Any]:
    """Transactions of the size of the worker's and nothing else: what the database makes of a second writer."""
    from tollgate import aws

    table = os.environ["VAULT_TABLE"]
    for _n in range(BARE_TRANSACTIONS):
        items = [
            {"pk": {"S": f"BENCH#{uuid.uuid4()}"}, "sk": {"S": "#"}, "filler": {"S": "x" * 300}}
            for _i in range(BARE_OPERATIONS)
        ]
        aws.dynamodb().transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": each}} for each in items]
        )
    return {}
