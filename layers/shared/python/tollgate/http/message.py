"""Requests and answers, as plain values between API Gateway's payload format 2.0 and an endpoint.

The request target is kept byte for byte as the client sent it. Nothing here knows a family.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_plus

from tollgate.auth.caller import Caller
from tollgate.errors import Malformed, TooLarge, UnsupportedMedia
from tollgate.store.idempotency import NOT_CLAIMED, Once

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")

MAX_BODY_BYTES = 1_048_576
MAX_QUERY_PARAMETERS = 100


@dataclass
class Request:
    """One HTTP request. `caller` is set once the dialect has authenticated it."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    parameters: Mapping[str, str]
    event: Mapping[str, Any]
    request_id: str
    source_ip: str
    caller_: Caller | None = None
    version: str | None = None
    once: Once = NOT_CLAIMED
    notes: dict[str, Any] = field(default_factory=dict)
    """What the request's log line says beside the usual: identifiers and counts, never content."""

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Request:
        http = event["requestContext"]["http"]
        return cls(
            method=http["method"].upper(),
            path=event["rawPath"],
            raw_query=event.get("rawQueryString", ""),
            headers={name.lower(): value for name, value in event.get("headers", {}).items()},
            parameters=event.get("pathParameters") or {},
            event=event,
            request_id=event["requestContext"].get("requestId", ""),
            source_ip=http.get("sourceIp", ""),
        )

    @property
    def caller(self) -> Caller:
        if self.caller_ is None:
            raise RuntimeError("the route does not authenticate")
        return self.caller_

    @property
    def account_id(self) -> str:
        return self.caller.account_id

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    def raw_body(self) -> bytes:
        """The body's bytes as sent.

        Raises:
            TooLarge: over 1 MiB.
            Malformed: the transport's base64 does not hold.
        """
        text = self.event.get("body") or ""
        if self.event.get("isBase64Encoded"):
            if len(text) > MAX_BODY_BYTES * 4 // 3 + 8:
                raise TooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes")
            try:
                body = base64.b64decode(text, validate=True)
            except binascii.Error:
                raise Malformed("The body could not be decoded") from None
        else:
            body = text.encode("utf-8", "surrogatepass")
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes")
        return body

    def json(self, max_depth: int = 32) -> Any:
        """The body as JSON, type unchecked.

        Raises:
            Malformed, TooLarge, UnsupportedMedia: it is not JSON, or not within the limits.
        """
        from tollgate.models.json_body import parse_json

        self._require_json()
        return parse_json(self.raw_body(), max_depth)

    def parse(self, model: type[M]) -> M:
        """The body as a value of `model`, without coercion.

        Raises:
            Malformed, Invalid, TooLarge, UnsupportedMedia: with the path of every fault.
        """
        from tollgate.models.fields import validated

        return validated(model, self.json())

    def _require_json(self) -> None:
        content_type = (self.header("content-type") or "application/json").partition(";")[0].strip().lower()
        if content_type != "application/json" and not content_type.endswith("+json"):
            raise UnsupportedMedia("The content type must be application/json")


def query_pairs(raw_query: str) -> list[tuple[str, str]]:
    """Names and values in the order sent, form-decoded (`+` is a space), bounded in number."""
    pieces = [piece for piece in raw_query.split("&") if piece]
    if len(pieces) > MAX_QUERY_PARAMETERS:
        raise Malformed(f"There are more than {MAX_QUERY_PARAMETERS} query parameters", path="query")
    pairs = (piece.partition("=") for piece in pieces)
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answers: a JSON value, ready bytes, or nothing.

    `as_bytes` carries the body as base64 whatever its type: for bytes that are not ours, which may not be the text
    that they say they are. `cookies` are Set-Cookie lines, the one header that cannot be a list.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cookies: tuple[str, ...] = ()
    as_bytes: bool = False

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else encode(self.body)


def encode(value: Any) -> bytes:
    """A JSON value as compact UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def to_event(answer: Answer, headers: Mapping[str, str]) -> dict[str, Any]:
    """An answer in payload format 2.0; bytes that are not text travel as base64."""
    body = answer.encoded()
    made: dict[str, Any] = {"statusCode": answer.status, "headers": {**headers, **answer.headers}}
    if body:
        made["headers"]["content-type"] = answer.content_type
    if answer.cookies:
        made["cookies"] = list(answer.cookies)
    textual = not answer.as_bytes and answer.content_type.startswith(("application/json", "text/"))
    made["isBase64Encoded"] = not textual
    made["body"] = body.decode() if textual else base64.b64encode(body).decode()
    return made
