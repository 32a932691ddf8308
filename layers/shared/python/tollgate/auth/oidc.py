"""OpenID Connect id tokens: is this bearer token one that a trusted issuer gave to one of our clients, and to whom?

Verifies signature, audience and times of an id token (OpenID Connect Core 1.0, 3.1.3.7; RFC 7519; RFC 8725) with keys
that it fetches through the egress guard, and nothing more: which account a subject belongs to is the caller's question.
It must not import `jwt` or `cryptography` before a token is at hand (a call with an API key must not pay for them),
must not follow what a token says about keys (`jku`, `x5u`, `jwk`), and must not tell the sender why it was refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from tollgate import clock, errors
from tollgate.auth.issuer_keys import ALGORITHMS, IssuerKeys, KeysUnavailableError, Requester, VerificationKey

MAX_TOKEN_BYTES: Final = 16 * 1024
LEEWAY_SECONDS: Final = 60
MAX_SUBJECT_CHARACTERS: Final = 255
_LATEST_TIME: Final = 253402300799  # the last second of year 9999: what a datetime can hold
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
_REFUSED_HEADERS: Final = frozenset({"crit", "b64", "jku", "jwk", "x5u", "zip", "enc"})


class Registration(NamedTuple):
    """A trusted issuer and the client ids under which our accounts are known to it.

    Several accounts may use one public issuer, each with its own client; the token says which one it was made for.
    """

    issuer: str
    client_ids: frozenset[str]


class IdToken(NamedTuple):
    """What a good id token says. `client_id` is the client the token was issued to: a membership is
    (issuer, client_id, subject), never the subject alone. `expires_at` is aware, in UTC."""

    issuer: str
    subject: str
    client_id: str
    expires_at: datetime


class TokenRefused(errors.Unauthenticated):
    """The token does not hold. `reason` is one of a fixed set of words, fit for a log; the sender never sees it."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class IssuerDown(errors.Unavailable):
    """The issuer's keys cannot be had now, so nothing can be said about the token. `reason` is fit for a log."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class IdTokenVerifier:
    """Verifies id tokens; keep one per execution environment, because it holds the issuers' keys.

    `find_issuer` answers the registration of an `iss` claim, or None for an issuer nobody trusts. `egress` is the guard
    (`tollgate.egress.Egress`). Safe to share between threads.
    """

    def __init__(self, find_issuer: Callable[[str], Registration | None], egress: Requester) -> None:
        self._find_issuer = find_issuer
        self._keys = IssuerKeys(egress)

    def verify(self, token: str) -> IdToken:
        """Return what the token says; raise TokenRefused (an Unauthenticated) or IssuerDown (an Unavailable).

        Everything that needs no network is checked first, so that a token which cannot hold never causes a request.
        """
        parts = _Parts.of(token)
        registration = self._registration(parts.claims.get("iss"))
        verified = _verified_claims(parts.claims, registration)
        self._check_signature(parts, registration.issuer)
        return verified

    def _registration(self, issuer: object) -> Registration:
        if not isinstance(issuer, str) or not issuer:
            raise TokenRefused("issuer")
        registration = self._find_issuer(issuer)
        if registration is None or registration.issuer != issuer:
            raise TokenRefused("issuer")
        return registration

    def _check_signature(self, parts: _Parts, issuer: str) -> None:
        candidates = self._candidates(parts, issuer)
        if _is_signed_by_any(candidates, parts):
            return
        # A token that names no key shows a rotation only by not holding any more.
        if parts.key_id is None and _is_signed_by_any(self._candidates(parts, issuer, missed=True), parts):
            return
        raise TokenRefused("signature" if candidates else "key")

    def _candidates(self, parts: _Parts, issuer: str, *, missed: bool = False) -> list[VerificationKey]:
        try:
            return self._keys.matching(issuer, parts.algorithm, parts.key_id, missed=missed)
        except KeysUnavailableError as problem:
            raise (TokenRefused if problem.lasting else IssuerDown)(problem.reason) from None


def _is_signed_by_any(candidates: Iterable[VerificationKey], parts: _Parts) -> bool:
    return any(key.verifies(parts.signed, parts.signature) for key in candidates)


class _Parts(NamedTuple):
    """A token taken apart (RFC 7515, compact form), not yet believed."""

    algorithm: str
    key_id: str | None
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    @classmethod
    def of(cls, token: str) -> _Parts:
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenRefused("size")
        segments = token.split(".")
        if len(segments) != 3 or not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise TokenRefused("form")
        header = _json_object(_decoded(segments[0]))
        algorithm, key_id = _checked_header(header)
        claims = _json_object(_decoded(segments[1]))
        signed = f"{segments[0]}.{segments[1]}".encode("ascii")
        return cls(algorithm, key_id, claims, signed, _decoded(segments[2]))


def _decoded(segment: str) -> bytes:
    """Base64url without padding, in its one canonical spelling: trailing bits that say nothing must be zero."""
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (binascii.Error, ValueError):
        raise TokenRefused("form") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != segment.encode("ascii"):
        raise TokenRefused("form")
    return raw


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise TokenRefused("form") from None
    if not isinstance(value, dict):
        raise TokenRefused("form")
    return value


def _without_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Two parsers may read a repeated member differently (RFC 7519, section 4), so it is refused."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError("repeated member")
        members[name] = value
    return members


def _no_constant(_name: str) -> float:
    raise ValueError("not JSON")


def _checked_header(header: Mapping[str, Any]) -> tuple[str, str | None]:
    if _REFUSED_HEADERS & header.keys():
        raise TokenRefused("header")
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefused("algorithm")
    if key_id is not None and (not isinstance(key_id, str) or not key_id):
        raise TokenRefused("header")
    # An access token (`at+jwt`) or a logout token of the same issuer is not an id token (RFC 8725, 3.11).
    if not isinstance(kind, str) or kind.lower() not in ("jwt", "application/jwt"):
        raise TokenRefused("type")
    return algorithm, key_id


def _verified_claims(claims: Mapping[str, Any], registration: Registration) -> IdToken:
    if "events" in claims:  # a back-channel logout token: same issuer, audience and subject, other purpose
        raise TokenRefused("type")
    client_id = _client(claims, registration.client_ids)
    expires = _checked_times(claims)
    return IdToken(registration.issuer, _subject(claims), client_id, datetime.fromtimestamp(expires, UTC))


def _client(claims: Mapping[str, Any], client_ids: frozenset[str]) -> str:
    """The client the token was issued to: in `aud`, and named by `azp` where that is given or there are several."""
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not all(isinstance(one, str) for one in audiences):
        raise TokenRefused("audience")
    party = claims.get("azp") if "azp" in claims or len(audiences) != 1 else audiences[0]
    if not isinstance(party, str) or party not in audiences or party not in client_ids:
        raise TokenRefused("audience")
    return party


def _checked_times(claims: Mapping[str, Any]) -> int:
    """`exp` and `iat` are required (OpenID Connect Core, section 2), `nbf` is honoured; seconds since 1970."""
    now = clock.now().timestamp()
    expires, issued, not_before = _time(claims, "exp"), _time(claims, "iat"), _time(claims, "nbf", required=False)
    if expires is None or issued is None or expires <= issued:
        raise TokenRefused("time")
    if now >= expires + LEEWAY_SECONDS:
        raise TokenRefused("expired")
    if issued > now + LEEWAY_SECONDS or (not_before is not None and not_before > now + LEEWAY_SECONDS):
        raise TokenRefused("not yet")
    return int(expires)


def _time(claims: Mapping[str, Any], name: str, *, required: bool = True) -> int | float | None:
    value = claims.get(name)
    if value is None and not required and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LATEST_TIME:
        raise TokenRefused("time")
    return value


def _subject(claims: Mapping[str, Any]) -> str:
    """At most 255 ASCII characters (OpenID Connect Core, section 2)."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
        raise TokenRefused("subject")
    if not (subject.isascii() and subject.isprintable()) or not subject.strip():
        raise TokenRefused("subject")
    return subject
