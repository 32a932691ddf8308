"""Stands for a shared layer: the sample's functions import it."""

from __future__ import annotations

import json
from typing import Any

Event = dict[str, Any]


def answer(status: int, body: object) -> Event:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
