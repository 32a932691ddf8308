"""Notes that a schedule ran."""

from __future__ import annotations

import os

import boto3
from sample_layer import Event

_seen = boto3.resource("dynamodb").Table(os.environ["SEEN_TABLE"])


def handler(event: Event, context: object) -> None:
    _seen.put_item(Item={"pk": f"tick {event.get('job') or event['source']}"})
