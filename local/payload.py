"""Between HTTP and a function: payload format 2.0 of an HTTP API, in both directions.

The request target is passed on byte for byte (`rawPath`, `rawQueryString`): the payments family signs it. Source of the
rules: API Gateway's developer guide, "AWS Lambda proxy integrations for HTTP APIs".
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from collections.abc import Iterable
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_plus

from local.http_server import Request, Response
from local.resources import ACCOUNT
from local.routes import Match

API_ID = "local"
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})


class BadAnswerError(Exception):
    """A function returned something that an HTTP API cannot turn into an answer."""


def event_of(request: Request, match: Match, raw_path: str, raw_query: str, scheme: str = "http") -> dict[str, Any]:
    """The event of one request; members that would be empty are absent, as in the cloud."""
    headers = _headers(request, scheme)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": raw_path,
        "rawQueryString": raw_query,
        "headers": headers,
        "requestContext": _context(request, match, raw_path, headers),
        "isBase64Encoded": False,
    }
    cookies = _cookies(request)
    if cookies:
        event["cookies"] = cookies
    parameters = _query_parameters(raw_query)
    if parameters:
        event["queryStringParameters"] = parameters
    if match.parameters:
        event["pathParameters"] = match.parameters
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request.body, headers.get("content-type", ""))
    return event


def _headers(request: Request, scheme: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for raw_name, raw_value in request.headers:
        if raw_name in _HOP_BY_HOP or raw_name == b"cookie":
            continue
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    if request.body or "content-length" in joined:
        joined["content-length"] = str(len(request.body))
    forwarded = joined.get("x-forwarded-for")
    joined["x-forwarded-for"] = f"{forwarded},{request.peer}" if forwarded else request.peer
    joined["x-forwarded-proto"] = scheme
    joined["x-forwarded-port"] = joined.get("host", "").rpartition(":")[2]
    return joined


def _cookies(request: Request) -> list[str]:
    values = [value.decode("latin-1") for name, value in request.headers if name == b"cookie"]
    return [cookie.strip() for value in values for cookie in value.split(";") if cookie.strip()]


def _query_parameters(raw_query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in raw_query.split("&"):
        if part:
            name, _, value = part.partition("=")
            name, value = unquote_plus(name), unquote_plus(value)
            found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _context(request: Request, match: Match, raw_path: str, headers: dict[str, str]) -> dict[str, Any]:
    now = time.time()
    domain = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    return {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": domain,
        "domainPrefix": domain.split(".")[0],
        "http": {
            "method": request.method,
            "path": raw_path,
            "protocol": request.version,
            "sourceIp": request.peer,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": base64.urlsafe_b64encode(secrets.token_bytes(10)).decode().rstrip("=") + "=",
        "routeKey": match.route.key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    media = content_type.partition(";")[0].strip().lower()
    is_text = not media or media.startswith("text/") or media in _TEXT_TYPES or media.endswith(("+json", "+xml"))
    if is_text:
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def message(status: int, text: str) -> Response:
    """An answer of the front door itself, in API Gateway's shape."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return Response(status, [(b"content-type", b"application/json"), _date()], body)


def response_of(payload: bytes, request_id: str) -> Response:
    """The HTTP answer for what a function returned (JSON).

    Raises:
        BadAnswerError: a status, header or body that cannot be sent.
    """
    try:
        result = json.loads(payload)
    except ValueError:
        raise BadAnswerError("the result is not JSON") from None
    if not isinstance(result, dict) or "statusCode" not in result:
        headers = [(b"content-type", b"application/json"), _date(), (b"apigw-requestid", request_id.encode())]
        return Response(200, headers, payload)
    headers = list(_answer_headers(result))
    body = _answer_body(result)
    if body and not any(name.lower() == b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"text/plain;charset=UTF-8"))
    return Response(_status(result["statusCode"]), [*headers, _date(), (b"apigw-requestid", request_id.encode())], body)


def _status(value: Any) -> int:
    try:
        status = int(value)
    except (TypeError, ValueError):
        raise BadAnswerError("statusCode is not a number") from None
    if isinstance(value, (bool, float)) or not 200 <= status <= 599:
        raise BadAnswerError("statusCode is not an HTTP status")
    return status


def _answer_headers(result: dict[str, Any]) -> Iterable[tuple[bytes, bytes]]:
    pairs = list((result.get("headers") or {}).items())
    pairs += [(name, value) for name, values in (result.get("multiValueHeaders") or {}).items() for value in values]
    pairs += [("set-cookie", cookie) for cookie in result.get("cookies") or ()]
    for name, value in pairs:
        raw_name = str(name).encode("latin-1", "replace")
        if raw_name.lower() in _HOP_BY_HOP or raw_name.lower() in {b"content-length", b"date"} or value is None:
            continue
        if isinstance(value, (list, dict)):
            raise BadAnswerError(f"the header {name} is not text")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if any(control in text for control in "\r\n\0"):
            raise BadAnswerError(f"the header {name} has a control character")
        yield raw_name, _encode(text)


def _encode(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _answer_body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise BadAnswerError("the body is not text")
    if not result.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise BadAnswerError("the body is not base64") from None


def _date() -> tuple[bytes, bytes]:
    return b"date", formatdate(usegmt=True).encode()
