"""The dialect of the payments family: requests signed one by one, `Space` and `Account` headers, two base paths.

Source: payments API reference, "Authentication" and the table of status codes; the order of checks and every point it
leaves open from docs/decisions/0032-payments-access.md: route (404, 405), token (401), rate (429), `Accept` (406),
`Content-Type` (415), scope header (400), permission (403); an endpoint goes on with object (404), query (400, 416),
body (400), version (409), content (422). A route says its scope (`SPACE`, `ACCOUNT` or none) and its permission.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tollgate import aws, clock, ids
from tollgate.auth import permissions, request_tokens
from tollgate.auth.caller import Caller
from tollgate.auth.directory import ACTIVE, APPLICATION_USER, KEYRING, Assignment, Directory, Space, User
from tollgate.auth.rate_limits import Failures, RateLimits
from tollgate.auth.request_tokens import SignedRequest
from tollgate.config import PaymentsSettings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.errors import (
    Conflict,
    Failure,
    Fault,
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
from tollgate.http.message import Request
from tollgate.http.route import Route
from tollgate.store.table import Table

BASE: Final = "/api/v2.0"
ALIAS: Final = "/api/v2"

SIGNED: Final = frozenset({"signed_request"})
SPACE: Final = "space"
ACCOUNT: Final = "account"
HEADERS: Final[Mapping[str, str]] = {SPACE: "space", ACCOUNT: "account"}

JSON: Final = "application/json"
_LARGEST_ID: Final = request_tokens.LARGEST_ID


class NotAcceptable(Failure):
    """The client takes no form in which the operation can answer."""

    default_message = "The operation cannot answer in any of the media types that the request accepts"


class BadParameters(Malformed):
    """Query parameters or headers that cannot be read; `faults` has one line per parameter."""

    default_message = "A parameter of the request is missing or not valid"

    def __init__(self, faults: Sequence[Fault], *, code: str | None = None) -> None:
        super().__init__(code=code)
        self.faults = tuple(faults)

    @classmethod
    def at(cls, name: str, message: str, *, code: str | None = None) -> BadParameters:
        return cls([Fault(name, message)], code=code)


class OffsetTooLarge(BadParameters):
    """A search was asked to begin behind the furthest object that it can begin at."""

    default_message = "The offset exceeds the limit"


class StateInvalid(Invalid):
    """The object's state does not allow the operation."""

    default_message = "The state of the object does not allow the operation"

    def __init__(self, message: str | None = None) -> None:
        super().__init__((), message, code="state_invalid")


KINDS: Final[Mapping[type[Failure], Kind]] = {
    Failure: Kind(500, "internal_error"),
    Malformed: Kind(400, "request_invalid"),
    OffsetTooLarge: Kind(416, "offset_too_large"),
    Unauthenticated: Kind(401, "unauthorized"),
    Forbidden: Kind(403, "permission_denied"),
    NotFound: Kind(404, "not_found"),
    MethodNotAllowed: Kind(405, "method_not_allowed"),
    NotAcceptable: Kind(406, "not_acceptable"),
    Conflict: Kind(409, "conflict"),
    TooLarge: Kind(413, "payload_too_large"),
    UnsupportedMedia: Kind(415, "unsupported_media_type"),
    Invalid: Kind(422, "content_invalid"),
    StateInvalid: Kind(422, "state_invalid"),
    Throttled: Kind(429, "too_many_requests"),
    UpstreamRefused: Kind(502, "bad_gateway"),
    Unavailable: Kind(503, "service_unavailable"),
    UpstreamTimeout: Kind(504, "gateway_timeout"),
}


def render(kind: Kind, failure: Failure | None) -> dict[str, Any]:
    """The error body: `errors` maps members and parameters to what is wrong with each."""
    faults = getattr(failure, "faults", ())
    return {
        "date": clock.iso(clock.now()),
        "id": ids.new_uuid(),
        "code": (failure.code if failure else None) or kind.code,
        "message": failure.message if failure else "An internal error occurred",
        "errors": {_member(fault.path): fault.message for fault in faults},
    }


def _member(path: str) -> str:
    """A fault's path as the caller knows it: `$.name` and `query.name` are `name`."""
    for prefix in ("$.", "query.", "header."):
        if path.startswith(prefix):
            return path[len(prefix) :]
    return path


def negotiate(request: Request) -> None:
    """The version is in the path; media types are negotiated in the order of checks, by the authenticator."""


def headers(request: Request) -> Mapping[str, str]:
    return {}


def canonical_path(path: str) -> str:
    """The path as routes declare it; the alias answers the same."""
    return BASE + path[len(ALIAS) :] if path.startswith(f"{ALIAS}/") else path


PAYMENTS: Final = Dialect(
    name="payments",
    kinds=KINDS,
    render=render,
    negotiate=negotiate,
    headers=headers,
    idempotency_header="",
    replay_header="x-replayed",
    canonical_path=canonical_path,
    post_updates_items=True,
)


@dataclass(frozen=True, slots=True)
class PaymentsCaller(Caller):
    """An application user, and where the request acts: a space, an account, or the whole tenant.

    `account_id` is the platform's id of the tenant, `root` the payments account that it begins with, `account` the one
    acted on: the `Account` header's, the space's, or without either the user's own. `partition` is the storage scope of
    the objects that the request is about (`S405`, `A1`).
    """

    user_id: int = 0
    root: int = 0
    account: int = 0
    space: int | None = None
    partition: str = ""
    directory: Directory | None = None
    assignments: tuple[Assignment, ...] = ()

    def may(self, permission: str, path: Sequence[int], space: int | None = None) -> bool:
        """Whether the user has a permission in an account (its path from the root) or in one of its spaces."""
        if self.directory is None:
            return False
        return permission in self.directory.held(each for each in self.assignments if each.reaches(path, space))

    def may_anywhere(self, permission: str) -> bool:
        """Whether the user has a permission in some account or space."""
        return self.directory is not None and permission in self.directory.held(self.assignments)

    def may_everywhere(self, permission: str) -> bool:
        """Whether the user has a permission in all accounts of the tenant."""
        whole = [each for each in self.assignments if each.account == self.root and each.below]
        return self.directory is not None and permission in self.directory.held(whole)


def caller_of(request: Request) -> PaymentsCaller:
    """The caller of an authenticated request."""
    caller = request.caller
    if not isinstance(caller, PaymentsCaller):
        raise RuntimeError("the route does not authenticate")
    return caller


def directory_of(settings: PaymentsSettings) -> Directory:
    """The directory of a deployed function, from its settings."""
    return Directory(Table(settings.payments_table, aws.dynamodb()), keyring_of(settings))


def keyring_of(settings: PaymentsSettings) -> Keyring:
    """The keyring that seals what the family must keep secret and recover; owners are tenants."""
    identity = Table(settings.identity_table, aws.dynamodb())
    return Keyring(identity, Kms(aws.kms(), settings.platform_key_id), KEYRING)


class Authenticator:
    """Everything that is checked before an endpoint is called, in the order of the family."""

    def __init__(self, directory: Directory, limits: RateLimits, failures: Failures | None = None) -> None:
        self.directory = directory
        self._limits = limits
        self._failures = failures or Failures()

    @classmethod
    def of(cls, settings: PaymentsSettings) -> Authenticator:
        """The authenticator of a deployed function, from its settings."""
        return cls(directory_of(settings), RateLimits(Table(settings.payments_table, aws.dynamodb())))

    def __call__(self, request: Request, route: Route) -> None:
        named = _number(request.header(HEADERS[SPACE]))
        try:
            user = self._prove(_token_of(request), named)
        except Unauthenticated:
            self._failures.note(request.source_ip)
            raise
        space = self._space_of(user, named)
        self._count(user, space)
        _check_accept(request, route)
        _check_content_type(request, route)
        try:
            self._admit(request, route, user, space)
        except Forbidden:  # never by remembered rows
            self._admit(request, route, *self._reread(user, named))

    def _prove(self, token: SignedRequest, space: int | None) -> User:
        """The user that made the signature.

        Raises:
            Unauthenticated: none; whether because there is no such user, it may not act or another key signed is told
                to nobody.
        """
        names = self.directory.names_of(token.user_id, space)
        was_read = self.directory.load(names)
        user = self._signer(token)
        if user is None and not was_read:
            self.directory.load(names, fresh=True)
            user = self._signer(token)
        if user is None:
            raise Unauthenticated
        return user

    def _signer(self, token: SignedRequest) -> User | None:
        user = self.directory.user(token.user_id)
        able = user is not None and user.kind == APPLICATION_USER and user.state == ACTIVE
        keys = self.directory.keys_of(user) if user is not None and able else []
        return user if token.is_signed_by(keys) else None

    def _space_of(self, user: User, named: int | None) -> Space | None:
        """The space that the request names, if the user has anything to do with it; a foreign one is not there."""
        space = self.directory.space(named) if named else None
        if space is None or space.tenant != user.tenant:
            return None
        return space if any(each.reaches(space.path, space.id) for each in user.assignments) else None

    def _count(self, user: User, space: Space | None) -> None:
        self._limits.take(f"USER#{user.id}", user.limit)
        if space is not None:
            self._limits.take(f"SPACE#{space.id}", space.limit)

    def _caller(self, request: Request, route: Route, user: User, space: Space | None) -> PaymentsCaller:
        """The caller with the scope that the route asks for.

        Raises:
            BadParameters: the scope's header is missing or no number.
            Forbidden: it names what the user has no right in; whether that exists is told to nobody.
        """
        account, partition, number = user.account, f"A{user.root}", None
        if route.scope == SPACE:
            _require_number(request, SPACE)
            if space is None:
                raise Forbidden("The user has no rights in this space", code="space_not_permitted")
            if space.state != ACTIVE or not self.directory.is_open(space.path):
                raise Forbidden("The space, or an account above it, is not active", code="space_inactive")
            account, partition, number = space.path[-1], f"S{space.id}", space.id
        elif route.scope == ACCOUNT:
            account = _require_number(request, ACCOUNT)
            partition = f"A{account}"
            self._require_account(user, account)
        return PaymentsCaller(
            account_id=user.tenant, credential="signed_request", subject=str(user.id), user_id=user.id, root=user.root,
            account=account, space=number, partition=partition, directory=self.directory, assignments=user.assignments,
        )  # fmt: skip

    def _require_account(self, user: User, number: int) -> None:
        account = self.directory.account(number)
        path = account.path if account is not None and account.tenant == user.tenant else ()
        if not any(each.reaches(path, None) for each in user.assignments):
            raise Forbidden("The user has no rights in this account", code="account_not_permitted")
        if not self.directory.is_open(path):
            raise Forbidden("The account, or one above it, is not active", code="account_inactive")

    def _admit(self, request: Request, route: Route, user: User, space: Space | None) -> None:
        """Set the caller, if the user has the route's permission where the request acts.

        Raises:
            BadParameters, Forbidden: see `_caller`; also Forbidden where none of the user's roles there has it.
        """
        if route.permission and route.permission not in permissions.leaves():
            raise LookupError(f"{route.permission} is no permission")
        caller = self._caller(request, route, user, space)
        request.caller_ = caller
        if route.permission and not self._holds(caller, route):
            raise Forbidden(f"The user lacks the permission {route.permission}")

    def _reread(self, user: User, named: int | None) -> tuple[User, Space | None]:
        own = {each.role for each in user.assignments if each.built_in is None}
        names = [*self.directory.names_of(user.id, named), *(("ROLE", role) for role in own)]
        self.directory.load(names, fresh=True)
        user = self.directory.user(user.id) or user
        return user, self._space_of(user, named)

    def _holds(self, caller: PaymentsCaller, route: Route) -> bool:
        if route.scope == SPACE and caller.space is not None:
            space = self.directory.space(caller.space)
            return space is not None and caller.may(route.permission, space.path, space.id)
        if route.scope == ACCOUNT:
            account = self.directory.account(caller.account)
            return account is not None and caller.may(route.permission, account.path)
        return caller.may_anywhere(route.permission)


def _token_of(request: Request) -> SignedRequest:
    return request_tokens.read(request.header("authorization"), request.method, request.path, request.raw_query)


def _number(text: str | None) -> int | None:
    """An id from a header; None for anything else."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if 1 <= number <= _LARGEST_ID else None


def _require_number(request: Request, scope: str) -> int:
    header = HEADERS[scope]
    text = request.header(header)
    number = _number(text)
    if number is None:
        message = "is required" if text is None else "must be the id of the scope, a whole number"
        raise BadParameters.at(header.capitalize(), message, code=f"{scope}_invalid")
    return number


# ------------------------------------------------------------------ media types


def accepts(request: Request, media_type: str) -> bool:
    """Whether the client takes this media type: `Accept` names it, its family or everything, and not with `q=0`."""
    header = request.header("accept")
    if header is None or not header.strip():
        return True
    quality = [each for each in (_range(part, media_type) for part in header.split(",")) if each is not None]
    return bool(quality) and max(quality)[1]  # the most specific range decides (RFC 9110, 12.5.1)


def _range(part: str, media_type: str) -> tuple[int, bool] | None:
    """How specific a range is that fits the media type, and whether it takes it at all."""
    pieces = [piece.strip().lower() for piece in part.split(";")]
    family = media_type.partition("/")[0]
    try:
        specific = ("*/*", f"{family}/*", media_type).index(pieces[0])
    except ValueError:
        return None
    refused = any(piece.startswith("q=") and not piece[2:].strip("0.") for piece in pieces[1:])
    return specific, not refused


def _check_accept(request: Request, route: Route) -> None:
    """Every operation can answer in JSON; some also in a form of their own."""
    if not any(accepts(request, media_type) for media_type in {route.media_type, JSON}):
        raise NotAcceptable


def _check_content_type(request: Request, route: Route) -> None:
    if request.method == "GET" or not request.event.get("body") or (request.method == "DELETE" and route.body is None):
        return
    media_type, *parameters = [part.strip() for part in (request.header("content-type") or "").lower().split(";")]
    if media_type != route.body_media_type:
        raise UnsupportedMedia(f"The content type must be {route.body_media_type}")
    charsets = [part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset")]
    if media_type == JSON and any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise UnsupportedMedia("The character set must be UTF-8")
