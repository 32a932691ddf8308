"""The queue of work at backends: references to rows, nothing of their content."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from tollgate.errors import Unavailable

_BATCH: Final = 10


class WorkQueue:
    """Sends references; one that is sent twice, or names a row that is gone, does no harm. `client` is called when
    there is something to send, so that a start pays nothing for it."""

    def __init__(self, client: Callable[[], Any], url: str) -> None:
        self._client = client
        self._url = url

    def send(self, keys: Sequence[tuple[str, str]]) -> None:
        """Raises Unavailable when the queue did not take all of them."""
        for start in range(0, len(keys), _BATCH):
            entries = [
                {"Id": str(index), "MessageBody": json.dumps({"pk": pk, "sk": sk}, separators=(",", ":"))}
                for index, (pk, sk) in enumerate(keys[start : start + _BATCH])
            ]
            if self._client().send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed"):
                raise Unavailable
