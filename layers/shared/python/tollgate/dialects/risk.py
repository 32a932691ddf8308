"""The dialect of the risk family: OAuth 2.0 bearer tokens with one scope per route, `{classifier, code, message}`.

Sources: "Getting started" of the Specter API reference; scopes from its authentication page, those of the endpoints it
leaves out from docs/decisions/0020-risk-access.md. `SCOPES` is the only place that says which route takes which scope:
the authenticator, the OpenAPI document and the test that walks all routes read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from tollgate.auth.access_tokens import AccessTokens, SigningKeys
from tollgate.auth.caller import Caller
from tollgate.auth.instances import Instance, Instances
from tollgate.crypto.keyring import Keyring
from tollgate.errors import (
    Conflict,
    Failure,
    Forbidden,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
    UpstreamRefused,
    UpstreamTimeout,
)
from tollgate.http.dialect import Dialect, Kind
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, plain_text, whole_number
from tollgate.http.route import Route
from tollgate.store.cursor import Cursors
from tollgate.store.table import Table

BEARER: Final = frozenset({"oauth2"})

SCOPES: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/api/decisions"): "decisions:create",
    ("GET", "/api/decisions/{id}"): "decisions:read",
    ("POST", "/api/decisions/{id}/resolve"): "decisions:write",
    ("POST", "/api/events"): "events:create",
    ("GET", "/api/events/{id}"): "events:read",
    ("POST", "/api/interceptors/{ref}"): "interceptors:execute",
    ("GET", "/api/admin/rulesets"): "admin:rulesets:read",
    ("GET", "/api/admin/rulesets/{id}"): "admin:rulesets:read",
    ("POST", "/api/admin/rulesets"): "admin:rulesets:create",
    ("PATCH", "/api/admin/rulesets/{id}"): "admin:rulesets:write",
    ("POST", "/api/admin/rulesets/{id}/activate"): "admin:rulesets:write",
    ("POST", "/api/admin/rulesets/{id}/rollback"): "admin:rulesets:write",
    ("POST", "/api/admin/rulesets/{id}/simulate"): "admin:rulesets:read",
    ("GET", "/api/admin/interceptors"): "admin:interceptors:read",
    ("GET", "/api/admin/interceptors/{id}"): "admin:interceptors:read",
    ("POST", "/api/admin/interceptors"): "admin:interceptors:write",
    ("PATCH", "/api/admin/interceptors/{id}"): "admin:interceptors:write",
    ("DELETE", "/api/admin/interceptors/{id}"): "admin:interceptors:write",
    ("POST", "/api/admin/interceptors/{id}/activate"): "admin:interceptors:write",
    ("POST", "/api/admin/interceptors/{id}/rollback"): "admin:interceptors:write",
    ("GET", "/api/admin/blacklist"): "admin:blacklist:read",
    ("GET", "/api/admin/blacklist/{id}"): "admin:blacklist:read",
    ("POST", "/api/admin/blacklist"): "admin:blacklist:write",
    ("DELETE", "/api/admin/blacklist/{id}"): "admin:blacklist:write",
    ("GET", "/api/admin/webhooks"): "admin:webhooks:read",
    ("GET", "/api/admin/webhooks/{id}"): "admin:webhooks:read",
    ("POST", "/api/admin/webhooks"): "admin:webhooks:write",
    ("PATCH", "/api/admin/webhooks/{id}"): "admin:webhooks:write",
    ("DELETE", "/api/admin/webhooks/{id}"): "admin:webhooks:write",
    ("GET", "/api/admin/integrations"): "admin:integrations:read",
    ("GET", "/api/admin/integrations/{id}"): "admin:integrations:read",
    ("GET", "/api/admin/integrations/{id}/backends"): "admin:integrations:read",
    ("POST", "/api/admin/integrations"): "admin:integrations:write",
    ("PATCH", "/api/admin/integrations/{id}"): "admin:integrations:write",
    ("DELETE", "/api/admin/integrations/{id}"): "admin:integrations:write",
}
"""(method, path) → the scope that the route takes. A route of the family that is missing here answers nobody."""

ALL_SCOPES: Final = frozenset(SCOPES.values())

KINDS: Final[Mapping[type[Failure], Kind]] = {
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
    Throttled: Kind(429, "TOO_MANY_REQUESTS"),
    UpstreamRefused: Kind(502, "BAD_GATEWAY"),
    Unavailable: Kind(503, "SERVICE_UNAVAILABLE"),
    UpstreamTimeout: Kind(504, "GATEWAY_TIMEOUT"),
}


class ScopeMissing(Forbidden):
    """The token is good and was not granted the scope of the route (RFC 6750, 3.1 `insufficient_scope`)."""

    default_message = "The token lacks the scope required for the operation"

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope


class RiskDialect(Dialect):
    """As every dialect, with the challenges of RFC 6750 on 401 and 403."""

    def answer_to(self, failure: Failure | None) -> Answer:
        answer = super().answer_to(failure)
        headers = dict(answer.headers)
        if isinstance(failure, Unauthenticated):
            headers["www-authenticate"] = 'Bearer realm="tollgate", error="invalid_token"'
        elif isinstance(failure, ScopeMissing):
            challenge = f'Bearer realm="tollgate", error="insufficient_scope", scope="{failure.scope}"'
            headers["www-authenticate"] = challenge
        return Answer(answer.status, answer.body, headers)


def render(kind: Kind, failure: Failure | None) -> dict[str, Any]:
    """The error body; `validation_errors` only where the request was at fault, each with the path to the member."""
    body: dict[str, Any] = {
        "classifier": kind.code,
        "code": kind.status,
        "message": failure.message if failure else "An unexpected error occurred",
    }
    if isinstance(failure, (Malformed, Invalid)) and failure.faults:
        body["validation_errors"] = [{"path": fault.path, "message": fault.message} for fault in failure.faults]
    return body


def negotiate(request: Request) -> None:
    """The family has one version."""


def headers(request: Request) -> Mapping[str, str]:
    return {}


RISK = RiskDialect(
    name="risk",
    kinds=KINDS,
    render=render,
    negotiate=negotiate,
    headers=headers,
    idempotency_header="idempotency-key",
    replay_header="idempotency-replayed",
)


@dataclass(frozen=True, slots=True)
class RiskCaller(Caller):
    """A caller of the family, with the instance that it acts on."""

    instance: Instance | None = None


class Authenticator:
    """A bearer token whose audiences name the account's instance and whose scopes hold the route's, exactly.

    401 for a token that does not hold or names another instance, 403 for one that lacks the scope.
    """

    def __init__(self, table: Table, keyring: Keyring) -> None:
        self._tokens = AccessTokens(SigningKeys(table, keyring))
        self._instances = Instances(table)

    def __call__(self, request: Request, route: Route) -> None:
        grant = self._tokens.verify(request.header("authorization"))
        instance = self._instances.find(grant.account_id) if grant.account_id else None
        if instance is None or instance.audience not in grant.audiences:
            raise Unauthenticated
        request.caller_ = RiskCaller(instance.account_id, "access_token", grant.client_id, grant.scopes, instance)
        scope = SCOPES[route.method, route.path]
        if scope not in grant.scopes:
            raise ScopeMissing(scope)


def instance_of(request: Request) -> Instance:
    """The instance that an authenticated request acts on."""
    caller = request.caller
    if not isinstance(caller, RiskCaller) or caller.instance is None:
        raise RuntimeError("the route does not authenticate")
    return caller.instance


DEFAULT_LIMIT: Final = 20
LIMIT = Parameter(
    "limit", whole_number(1, 100), {"type": "integer", "minimum": 1, "maximum": 100, "default": DEFAULT_LIMIT},
    "The maximum number of objects returned per request", DEFAULT_LIMIT,
)  # fmt: skip
AFTER = Parameter(
    "after", plain_text(512), {"type": "string", "minLength": 1, "maxLength": 512},
    "A pagination cursor: the one of the previous page fetches the next one",
)  # fmt: skip


def place_of(cursors: Cursors, account_id: str, after: str | None) -> str | None:
    """The place that a page begins behind.

    Raises:
        Invalid: at `query.after`, for anything but a cursor of this list and this account.
    """
    try:
        return None if after is None else cursors.reader(account_id)(after)
    except ValueError as error:
        raise Invalid.at("query.after", str(error)) from None


def envelope(request: Request, data: Sequence[Any], cursor: str | None, limit: int) -> dict[str, Any]:
    """A list answer. `links.next` is absolute and keeps `limit`; null on the last page."""
    if cursor is None:
        return {"data": list(data), "links": {"next": None}}
    scheme = request.header("x-forwarded-proto") or "https"
    host = request.header("host") or request.event["requestContext"].get("domainName", "")
    query = urlencode({"after": cursor, "limit": limit})
    return {"data": list(data), "links": {"next": f"{scheme}://{host}{request.path}?{query}"}}
