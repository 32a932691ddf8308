"""Stands for the provisioning function: remembers accounts in a table and gives their secrets out once."""

from __future__ import annotations

import os
import secrets
import uuid

import boto3
from sample_layer import Event

_rows = boto3.resource("dynamodb").Table(os.environ["ROWS_TABLE"])


def handler(event: Event, context: object) -> Event:
    if event["action"] == "create_account":
        account_id = str(uuid.uuid4())
        _rows.put_item(Item={"pk": f"account {account_id}"})
        return {
            "id": account_id,
            "name": event["name"],
            "vault": {"api_key": secrets.token_urlsafe(16), "hmac_key": secrets.token_urlsafe(16)},
        }
    if event["action"] == "add_oidc_member":
        account = _rows.get_item(Key={"pk": f"account {event['account_id']}"}, ConsistentRead=True)["Item"]
        _rows.put_item(Item={**account, "issuer": event["issuer"]})
        return {"id": event["account_id"]}
    return {"classifier": "INVALID", "message": "unknown action"}
