"""Notes every row that the stream brings; fails for rows whose name asks for it."""

from __future__ import annotations

import os

import boto3
from sample_layer import Event

_seen = boto3.resource("dynamodb").Table(os.environ["SEEN_TABLE"])


def handler(event: Event, context: object) -> Event:
    for record in event["Records"]:
        row = record["dynamodb"]["Keys"]["pk"]["S"]
        if row.startswith("row-poison"):
            raise ValueError("poisoned")
        if row.startswith("row-refused"):
            number = record["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": number}]}
        assert record["awsRegion"] == os.environ["AWS_REGION"]
        assert record["eventSourceARN"].startswith(f"arn:aws:dynamodb:{os.environ['AWS_REGION']}:")
        _seen.put_item(Item={"pk": f"stream {row}"})
    return {"batchItemFailures": []}
