"""The queue of queries to carry out."""

from __future__ import annotations

from typing import Any

from payments.analytics.models import Order
from tollgate.errors import Unavailable


class OrderQueue:
    """Sends orders; a query that is ordered twice comes to one end."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, order: Order) -> None:
        """Raises Unavailable when the queue did not take it."""
        entries = [{"Id": "0", "MessageBody": order.to_text()}]
        if self._client.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed"):
            raise Unavailable
