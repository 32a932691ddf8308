"""Starts deliveries at once: a message per notification on the queue that the worker reads.

A message that gets lost changes nothing, since the notification is due and the next sweep finds it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10


class Deliveries:
    """The notifications queue, as seen by who wants something sent now."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def start(self, account_id: str, notification_ids: Sequence[str]) -> None:
        """Ask for delivery of these notifications, which are due."""
        for first in range(0, len(notification_ids), _BATCH):
            batch = notification_ids[first : first + _BATCH]
            self._client.send_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(n), "MessageBody": json.dumps({"account_id": account_id, "notification_id": each})}
                    for n, each in enumerate(batch)
                ],
            )
