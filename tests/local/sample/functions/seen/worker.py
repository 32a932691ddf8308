"""Notes every message of the queues; reports those whose text asks for it as failed."""

from __future__ import annotations

import os

import boto3
from sample_layer import Event

_seen = boto3.resource("dynamodb").Table(os.environ["SEEN_TABLE"])


def handler(event: Event, context: object) -> Event:
    failed = []
    for record in event["Records"]:
        group = record["attributes"].get("MessageGroupId")
        count = record["attributes"]["ApproximateReceiveCount"]
        if record["body"].startswith("poison"):
            _seen.put_item(Item={"pk": f"tried {record['body']} {count}"})
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            _seen.put_item(Item={"pk": f"queue {record['body']}{f' of {group}' if group else ''}"})
    return {"batchItemFailures": failed}
