"""Keeps rows encrypted under the template's key, and shows what the other functions saw."""

from __future__ import annotations

import base64
import os
from typing import Any

import boto3
from sample_layer import Event, answer

_rows = boto3.resource("dynamodb").Table(os.environ["ROWS_TABLE"])
_seen = boto3.resource("dynamodb").Table(os.environ["SEEN_TABLE"])
_kms, _sqs, _s3 = boto3.client("kms"), boto3.client("sqs"), boto3.client("s3")


def handler(event: Event, context: object) -> Event:
    kind = event["rawPath"].split("/")[1]
    body = event.get("body", "")
    if kind == "rows":
        return _row(event["requestContext"]["http"]["method"], event["pathParameters"]["id"], body)
    if kind == "seen":
        return answer(200, sorted(item["pk"] for item in _seen.scan(ConsistentRead=True)["Items"]))
    if kind == "dead":
        return answer(200, _receive(os.environ["DEAD_QUEUE_URL"]))
    if kind == "objects":
        return _object(event["requestContext"]["http"]["method"], event["pathParameters"]["id"], body)
    _send(event.get("queryStringParameters", {}), body)
    return answer(202, None)


def _row(method: str, row_id: str, body: str) -> Event:
    if method == "PUT":
        sealed = _kms.encrypt(KeyId=os.environ["ROW_KEY"], Plaintext=body.encode())["CiphertextBlob"]
        _rows.put_item(Item={"pk": row_id, "sealed": sealed})
        return answer(200, row_id)
    item: dict[str, Any] | None = _rows.get_item(Key={"pk": row_id}, ConsistentRead=True).get("Item")
    if item is None:
        return answer(404, None)
    opened = _kms.decrypt(CiphertextBlob=bytes(item["sealed"]), KeyId=os.environ["ROW_KEY"])["Plaintext"]
    return answer(200, opened.decode())


def _object(method: str, name: str, body: str) -> Event:
    if method == "PUT":
        _s3.put_object(Bucket=os.environ["BUCKET"], Key=name, Body=body.encode())
        return answer(200, name)
    content: bytes = _s3.get_object(Bucket=os.environ["BUCKET"], Key=name)["Body"].read()
    return answer(200, base64.b64encode(content).decode())


def _send(parameters: dict[str, str], body: str) -> None:
    for number in range(int(parameters.get("times", "1"))):
        if "group" in parameters:
            url = os.environ["ORDERED_QUEUE_URL"]
            _sqs.send_message(QueueUrl=url, MessageBody=f"{body}{number}", MessageGroupId=parameters["group"])
        else:
            _sqs.send_message(QueueUrl=os.environ["WORK_QUEUE_URL"], MessageBody=f"{body}{number}")


def _receive(url: str) -> list[str]:
    found = _sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    return [message["Body"] for message in found]
