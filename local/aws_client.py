"""Calls to the stand-ins for AWS services, in their JSON protocol, from the machine's event loop.

Requests carry a well-formed but meaningless signature: the stand-ins look up account and region in it and verify
nothing. Used by the machine alone; functions use the real SDK.
"""

from __future__ import annotations

import json
from typing import Any

from local.http_client import Answer, HttpClient
from local.resources import REGION

ACCESS_KEY = "test"  # not twelve digits: the stand-ins then use their default account
_TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "streams": "DynamoDBStreams_20120810",
    "sqs": "AmazonSQS",
    "kms": "TrentService",
}
_DATE = "20260101"


class AwsError(Exception):
    """A service refused a call; `code` is its error type without the namespace."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class AwsClient:
    """One stand-in's port, spoken to as one or more services."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._http = HttpClient(port)

    async def call(self, service: str, action: str, body: dict[str, Any], *, within: float = 30.0) -> dict[str, Any]:
        """Run one action, e.g. `call("sqs", "ReceiveMessage", {…})`.

        Raises:
            AwsError: the service refused.
            OSError: it could not be reached, or did not answer in `within` seconds.
        """
        headers = self._headers("dynamodb" if service == "streams" else service)
        headers["x-amz-target"] = f"{_TARGETS[service]}.{action}"
        headers["content-type"] = "application/x-amz-json-1.0"
        answer = await self._http.request("POST", "/", headers, json.dumps(body).encode(), within=within)
        if answer.status != 200:
            raise _error_of(answer)
        result: dict[str, Any] = json.loads(answer.body or b"{}")
        return result

    async def rest(self, service: str, method: str, path: str, body: bytes = b"") -> Answer:
        """One call of a REST service (S3); the status is the caller's to judge."""
        return await self._http.request(method, path, self._headers(service), body)

    async def close(self) -> None:
        await self._http.close()

    @staticmethod
    def _headers(service: str) -> dict[str, str]:
        scope = f"{ACCESS_KEY}/{_DATE}/{REGION}/{service}/aws4_request"
        return {
            "x-amz-date": f"{_DATE}T000000Z",
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}",
        }


def _error_of(answer: Answer) -> AwsError:
    try:
        body = json.loads(answer.body)
        code, message = body["__type"], body.get("message") or body.get("Message") or ""
    except (ValueError, KeyError, TypeError):
        return AwsError(f"Http{answer.status}", answer.body[:200].decode("utf-8", "replace"))
    return AwsError(str(code).rsplit("#", 1)[-1], str(message))
