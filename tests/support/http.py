"""Requests to a handler, as API Gateway's payload format 2.0 brings them, and its answers, readable."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]


@dataclass(frozen=True)
class Response:
    """What came back. `json` parses the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def paths(self) -> list[str]:
        """The paths of the validation errors."""
        return [each["path"] for each in self.json.get("validation_errors", [])]


def event(
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A request event. A body that is not text travels as base64, as the gateway does it."""
    path, _, query = target.partition("?")
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {name.lower(): value for name, value in (headers or {}).items()},
        "requestContext": {
            "http": {"method": method, "path": unquote(path), "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "requestId": str(uuid.uuid4()),
        },
        "isBase64Encoded": False,
    }
    if parameters:
        made["pathParameters"] = dict(parameters)
    if isinstance(body, bytes):
        try:
            made["body"] = body.decode()
        except UnicodeDecodeError:
            made["body"], made["isBase64Encoded"] = base64.b64encode(body).decode(), True
    elif body is not None:
        made["body"] = body
    return made


def send(
    handler: Handler,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    json_body: Any = None,
    body: bytes | str | None = None,
) -> Response:
    """Call the handler once, as a gateway would."""
    sent = dict(headers or {})
    if json_body is not None:
        body = json.dumps(json_body)
        sent.setdefault("content-type", "application/json")
    answer = handler(event(method, target, headers=sent, body=body), object())
    text = answer.get("body", "")
    raw = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    return Response(answer["statusCode"], answer["headers"], raw)


@dataclass(frozen=True)
class Merchant:
    """A caller with an account of its own: sends requests to one handler."""

    handler: Handler
    account_id: str
    api_key: str
    hmac_key: str

    def send(self, method: str, target: str, **arguments: Any) -> Response:
        headers = {"x-api-key": self.api_key, **arguments.pop("headers", {})}
        return send(self.handler, method, target, headers=headers, **arguments)

    def at(self, handler: Handler) -> Merchant:
        """The same caller at another door."""
        return Merchant(handler, self.account_id, self.api_key, self.hmac_key)
