"""The queue of the imports' steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tollgate.errors import Unavailable
from vault.imports.models import Step

_BATCH = 10
LONGEST_DELAY_SECONDS = 900


class StepQueue:
    """Sends steps; a step that is sent twice does no harm."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, steps: Sequence[Step], delay_seconds: int = 0) -> None:
        """Raises Unavailable when the queue did not take all of them."""
        delay = min(delay_seconds, LONGEST_DELAY_SECONDS)
        for start in range(0, len(steps), _BATCH):
            entries = [
                {"Id": str(index), "MessageBody": step.to_text(), "DelaySeconds": delay}
                for index, step in enumerate(steps[start : start + _BATCH])
            ]
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise Unavailable
