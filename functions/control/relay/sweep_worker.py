"""The schedule's door, every five minutes: announces again what has lain in an outbox for longer than minutes.

Whatever got lost between the table's stream and the consumer is found here, since the consumer removes a record when
the event is its own. A reference that was not lost after all is one too many and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control.relay.repository import OutboxRepository
from tollgate import aws, clock, config, sandbox_clock
from tollgate.config import Settings
from tollgate.log import Journal
from tollgate.store.table import Table

OLDER_THAN_SECONDS = 300
BATCH = 10


@dataclass(frozen=True)
class SweepSettings(Settings):
    """Which outboxes to look through, and where references go."""

    outbox_tables: tuple[str, ...]
    notifications_queue_url: str


_settings = config.load(SweepSettings)
_journal = Journal("outbox-sweep", _settings.log_level)
_outboxes = [OutboxRepository(Table(name, aws.dynamodb())) for name in _settings.outbox_tables]


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Run once; answers and counts what was announced again, and how many shards have more."""
    sandbox_clock.refresh()
    before = clock.epoch() - OLDER_THAN_SECONDS
    announced = full = failed = 0
    for outbox in _outboxes:
        for references, has_more in outbox.left_over(before):
            refused = _send(references)
            announced, failed, full = announced + len(references) - refused, failed + refused, full + has_more
    _journal.count(OutboxAnnouncedAgain=announced, OutboxFailed=failed, OutboxShardsLeft=full)
    return {"announced": announced, "left": full}


def _send(references: Sequence[Mapping[str, str]]) -> int:
    """Queue references; answers how many the queue did not take, which the next run finds again."""
    refused = 0
    for start in range(0, len(references), BATCH):
        bodies = [json.dumps(each, separators=(",", ":")) for each in references[start : start + BATCH]]
        answer = aws.sqs().send_message_batch(
            QueueUrl=_settings.notifications_queue_url,
            Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
        )
        refused += len(answer.get("Failed", []))
    return refused
