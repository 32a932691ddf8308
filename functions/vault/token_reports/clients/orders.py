"""The queue of reports to write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tollgate.errors import Unavailable
from vault.token_reports.models import Order

_BATCH = 10


class OrderQueue:
    """Sends orders; an order that is sent twice is carried out once."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, orders: Sequence[Order]) -> None:
        """Raises Unavailable when the queue did not take all of them."""
        for start in range(0, len(orders), _BATCH):
            entries = [
                {"Id": str(index), "MessageBody": order.to_text()}
                for index, order in enumerate(orders[start : start + _BATCH])
            ]
            if self._client.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed"):
                raise Unavailable
