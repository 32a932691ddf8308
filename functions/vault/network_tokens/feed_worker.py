"""The stream door: hands references to ready work to the queue, nothing more.

A message names the row and not its content; the worker reads the row and takes it, so a lost, doubled or late message
changes nothing. The first record that cannot be handed on is reported, and the stream comes back with it and all after.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.log import Journal

BATCH = 10


@dataclass(frozen=True)
class FeedSettings(Settings):
    """Where work goes."""

    network_tokens_queue_url: str


_settings = config.load(FeedSettings)
_journal = Journal("network-token-feed", _settings.log_level)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Send references in batches of ten, in order; answer the first failed record, if any."""
    sandbox_clock.refresh()
    records: Sequence[Mapping[str, Any]] = event.get("Records", [])
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        failed = _send(batch)
        if failed is not None:
            return {"batchItemFailures": [{"itemIdentifier": batch[failed]["dynamodb"]["SequenceNumber"]}]}
    _journal.count(NetworkTokenWorkQueued=len(records))
    return {"batchItemFailures": []}


def _send(batch: Sequence[Mapping[str, Any]]) -> int | None:
    """The index of the first record that the queue did not take."""
    entries = [{"Id": str(index), "MessageBody": _reference(record)} for index, record in enumerate(batch)]
    answer = aws.sqs().send_message_batch(QueueUrl=_settings.network_tokens_queue_url, Entries=entries)  # type: ignore[arg-type]
    failed = [int(each["Id"]) for each in answer.get("Failed", [])]
    return min(failed) if failed else None


def _reference(record: Mapping[str, Any]) -> str:
    keys = record["dynamodb"]["Keys"]
    return json.dumps({"pk": keys["pk"]["S"], "sk": keys["sk"]["S"]}, separators=(",", ":"))
