"""The stream door: hands references to new outbox records to the queue, nothing more.

A message names the record (table and key), not its content; the consumer reads the record and removes it once the event
is its own, so a lost, doubled or late message changes nothing. The first record that cannot be handed on is reported,
and the stream comes back with it and all after it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.log import Journal

BATCH = 10


@dataclass(frozen=True)
class RelaySettings(Settings):
    """Where events go."""

    notifications_queue_url: str


_settings = config.load(RelaySettings)
_journal = Journal("relay", _settings.log_level)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Send references in batches of ten, in order; answer the first failed record, if any."""
    sandbox_clock.refresh()
    records = list(event.get("Records", []))
    handed_on = 0
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        failed = _send(batch)
        if failed is not None:
            _journal.count(OutboxHandedOn=handed_on + failed, OutboxFailed=1)
            return {"batchItemFailures": [{"itemIdentifier": batch[failed]["dynamodb"]["SequenceNumber"]}]}
        handed_on += len(batch)
    _journal.count(OutboxHandedOn=handed_on)
    return {"batchItemFailures": []}


def _send(batch: list[Mapping[str, Any]]) -> int | None:
    """The index of the first record that the queue did not take."""
    entries = [{"Id": str(index), "MessageBody": _reference(record)} for index, record in enumerate(batch)]
    answer = aws.sqs().send_message_batch(QueueUrl=_settings.notifications_queue_url, Entries=entries)  # type: ignore[arg-type]
    failed = [int(each["Id"]) for each in answer.get("Failed", [])]
    return min(failed) if failed else None


def _reference(record: Mapping[str, Any]) -> str:
    keys = record["dynamodb"]["Keys"]
    source = str(record["eventSourceARN"]).partition("table/")[2].partition("/")[0]
    return json.dumps({"table": source, "pk": keys["pk"]["S"], "sk": keys["sk"]["S"]}, separators=(",", ":"))
