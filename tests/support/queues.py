"""A queue service in the process: remembers what was sent, and refuses what a test tells it to."""

from __future__ import annotations

import json
from typing import Any


class FakeSqs:
    """Messages by queue URL, in the order sent. `refuse` holds batch entry ids that the next call does not take."""

    def __init__(self) -> None:
        self.sent: dict[str, list[str]] = {}
        self.refuse: set[str] = set()

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        taken = [entry for entry in Entries if entry["Id"] not in self.refuse]
        failed = [{"Id": entry["Id"], "SenderFault": False} for entry in Entries if entry["Id"] in self.refuse]
        self.refuse = set()
        self.sent.setdefault(QueueUrl, []).extend(entry["MessageBody"] for entry in taken)
        return {"Successful": [{"Id": entry["Id"]} for entry in taken], "Failed": failed}

    def bodies(self) -> list[Any]:
        return [json.loads(body) for queue in self.sent.values() for body in queue]
