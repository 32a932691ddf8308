"""The dialect of the vault and 3-D Secure families: `x-api-key` or id token, snake_case, `x-hellgate-version`.

Sources: "Getting started" of the Hellgate API reference; where it contradicts itself the answer is the superset of both
forms (errors carry `code` and `status`; lists carry `pagination` and its members at top level).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from tollgate.auth.identity import Identity
from tollgate.errors import (
    Conflict,
    Failure,
    Forbidden,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    StillRunning,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
    UpstreamRefused,
    UpstreamTimeout,
)
from tollgate.http.dialect import Dialect, Kind
from tollgate.http.message import Request, encode
from tollgate.http.query import Parameter, whole_number
from tollgate.http.route import Route
from tollgate.store.listing import Page, Selection

VERSION = "2.0"
VERSION_HEADER = "x-hellgate-version"
ACCOUNT_HEADER = "x-hellgate-account"
KEY_HEADER = "x-api-key"

API_KEY = frozenset({"api_key"})
API_KEY_OR_BEARER = frozenset({"api_key", "id_token"})

KINDS: Mapping[type[Failure], Kind] = {
    Failure: Kind(500, "INTERNAL_SERVER_ERROR"),
    Malformed: Kind(422, "VALIDATION_ERROR"),
    Invalid: Kind(422, "VALIDATION_ERROR"),
    Unauthenticated: Kind(401, "UNAUTHORIZED"),
    Forbidden: Kind(403, "FORBIDDEN"),
    NotFound: Kind(404, "NOT_FOUND"),
    MethodNotAllowed: Kind(405, "METHOD_NOT_ALLOWED"),
    TooLarge: Kind(413, "PAYLOAD_TOO_LARGE"),
    UnsupportedMedia: Kind(415, "UNSUPPORTED_MEDIA_TYPE"),
    Conflict: Kind(409, "CONFLICT"),
    StillRunning: Kind(409, "CONFLICT"),
    Throttled: Kind(429, "TOO_MANY_REQUESTS"),
    UpstreamRefused: Kind(502, "BAD_GATEWAY"),
    Unavailable: Kind(503, "SERVICE_UNAVAILABLE"),
    UpstreamTimeout: Kind(504, "GATEWAY_TIMEOUT"),
}


def render(kind: Kind, failure: Failure | None) -> dict[str, Any]:
    """The error body; `validation_errors` only where the request was at fault, each with the path to the member."""
    body: dict[str, Any] = {
        "code": kind.status,
        "status": kind.status,
        "classifier": kind.code,
        "message": failure.message if failure else "An unexpected error occurred",
    }
    if isinstance(failure, (Malformed, Invalid)) and failure.faults:
        body["validation_errors"] = [{"path": fault.path, "message": fault.message} for fault in failure.faults]
    return body


def negotiate(request: Request) -> None:
    """The newest version where none is asked for; one we do not have is refused."""
    asked = request.header(VERSION_HEADER)
    if asked is not None and asked != VERSION:
        raise Invalid.at(f"header.{VERSION_HEADER}", f"is not a version of this API; the newest is {VERSION}")


def headers(request: Request) -> Mapping[str, str]:
    return {VERSION_HEADER: VERSION}


VAULT = Dialect(
    name="vault",
    kinds=KINDS,
    render=render,
    negotiate=negotiate,
    headers=headers,
    idempotency_header="x-idempotency-key",
    replay_header="x-idempotency-replayed",
)


class Authenticator:
    """`x-api-key`, or `Authorization: Bearer <id token>` with `x-hellgate-account` where a person has several accounts.

    When both are sent, both must hold and the key decides. A credential that the route does not take is no credential.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def __call__(self, request: Request, route: Route) -> None:
        api_key, authorization = request.header(KEY_HEADER), request.header("authorization")
        if api_key is not None:
            request.caller_ = self._identity.by_api_key(api_key)
            if authorization is not None:
                self._identity.prove_bearer(authorization)
        elif authorization is not None and "id_token" in route.access:
            account_id = request.header(ACCOUNT_HEADER)
            request.caller_ = self._identity.by_bearer(authorization, account_id, f"header.{ACCOUNT_HEADER}")
        else:
            raise Unauthenticated


class Pagination(TypedDict):
    """Where a page stands in its list."""

    current_page: int
    page_size: int
    total_items: int
    total_pages: int


LIMIT = Parameter(
    "limit", whole_number(1, 500), {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
    "The desired amount of records per page", 50,
)  # fmt: skip
PAGE = Parameter(
    "page", whole_number(1, 999_999_999), {"type": "integer", "minimum": 1, "maximum": 999_999_999, "default": 1},
    "The number of the page, from 1", 1,
)  # fmt: skip


def envelope(data: Sequence[Any], page: Page, selection: Selection) -> dict[str, Any]:
    """A list answer: rows, `pagination`, and the same four members beside it."""
    return {"data": list(data), **_pages(page, selection)}


def envelope_of_texts(data: Sequence[str], page: Page, selection: Selection) -> bytes:
    """As `envelope`, of rows that are JSON texts already: a page is handed on, not read and written again."""
    return b'{"data":[' + ",".join(data).encode() + b"]," + encode(_pages(page, selection))[1:]


def _pages(page: Page, selection: Selection) -> dict[str, Any]:
    pagination: Pagination = {
        "current_page": selection.page,
        "page_size": selection.limit,
        "total_items": page.total,
        "total_pages": -(-page.total // selection.limit),
    }
    return {"pagination": pagination, **pagination}
