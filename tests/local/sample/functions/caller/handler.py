"""Invokes other functions through the SDK."""

from __future__ import annotations

import json
import os

import boto3
from botocore.exceptions import ClientError
from sample_layer import Event, answer

_lambda = boto3.client("lambda")


def handler(event: Event, context: object) -> Event:
    kind = event["pathParameters"]["kind"]
    if kind == "missing":
        try:
            _lambda.invoke(FunctionName="tollgate-Nobody")
        except ClientError as error:
            return answer(200, error.response["Error"]["Code"])
    if kind == "failing":
        found = _lambda.invoke(FunctionName=os.environ["FAILING"], Payload=b"{}")
        return answer(200, {"error": found.get("FunctionError"), "payload": json.load(found["Payload"])["errorType"]})
    if kind == "event":
        row = {"rawPath": "/rows/row-later", "pathParameters": {"id": "row-later"}, "body": "x"}
        row["requestContext"] = {"http": {"method": "PUT"}}
        sent = _lambda.invoke(
            FunctionName=os.environ["SEEN_FUNCTION"], InvocationType="Event", Payload=json.dumps(row).encode()
        )
        return answer(200, sent["StatusCode"])
    found = _lambda.invoke(FunctionName=os.environ["TARGET"], Payload=b'{"from": "caller"}')
    return answer(200, json.loads(json.load(found["Payload"])["body"])["event"])
