"""Access tokens of our own OAuth 2.0 server: HS256 JWTs (RFC 7519, 8725, 9068), signed with keys that rotate.

The signing keys lie in the identity table, sealed under the platform's keyring, and a token names its key (`kid`). A
token says which client it was given to, for which account, which audiences and which scopes; whether an audience is the
account's and a scope is enough for a route is for the dialect. It must not accept a token whose `alg` is anything but
HS256, and it looks nowhere for keys but in the table (`jku`, `x5u`, `jwk` are not even read).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from tollgate import clock, ids
from tollgate.auth import records
from tollgate.crypto.keyring import CannotOpen, Keyring
from tollgate.errors import Unauthenticated
from tollgate.store.table import Table

ISSUER: Final = "tollgate"
LIFETIME_SECONDS: Final = 1800
LEEWAY_SECONDS: Final = 60
"""How far the clocks of two services may be apart (RFC 7519, 4.1.4)."""

LONGEST_TOKEN: Final = 8192
KEYS_KEPT_SECONDS: Final = 2 * 24 * 3600
CACHE_SECONDS: Final = 300
_CACHE_SIZE: Final = 1000
_MOST_KEYS: Final = 20
_KEY_BYTES: Final = 32
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
_KID: Final = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token lets its bearer do: act as `client_id` for `account_id` at the audiences, within the scopes."""

    client_id: str
    account_id: str
    audiences: frozenset[str]
    scopes: frozenset[str]
    expires: int


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs access tokens; 256 random bits."""

    id: str
    secret: bytes


class SigningKeys:
    """The signing keys of a deployment: read by all who verify, made by provisioning alone."""

    def __init__(self, table: Table, keyring: Keyring, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._table = table
        self._keyring = keyring
        self._monotonic = monotonic
        self._read_at: float | None = None
        self._keys: dict[str, SigningKey] = {}
        self._newest: SigningKey | None = None

    def newest(self) -> SigningKey | None:
        """The key to sign with; None before provisioning has made one."""
        if self._read_at is None or self._monotonic() - self._read_at >= CACHE_SECONDS or self._newest is None:
            self._load()
        return self._newest

    def find(self, key_id: str) -> SigningKey | None:
        """A key that is not forgotten yet. An unknown id is looked up at once: a rotation is seen without delay."""
        if key_id not in self._keys or self._read_at is None or self._monotonic() - self._read_at >= CACHE_SECONDS:
            self._load()
        return self._keys.get(key_id)

    def add(self) -> SigningKey:
        """Sign with a new key from now on. Former ones verify until no token of theirs can be alive."""
        key = SigningKey(ids.new_uuid().replace("-", "")[:16], ids.new_secret(_KEY_BYTES).encode())
        created = clock.iso(clock.now())
        for row in self._rows():
            if "expires" not in row:
                self._table.update(
                    row["pk"], row["sk"], "SET expires = :end", values={":end": clock.epoch() + KEYS_KEPT_SECONDS}
                )
        sealed = self._keyring.seal(records.PLATFORM, _context(key.id), key.secret)
        self._table.put({"pk": records.SIGNING_KEYS, "sk": f"{created}#{key.id}", "id": key.id, "secret": sealed})
        self._read_at = None
        return key

    def _rows(self) -> list[dict[str, Any]]:
        return self._table.query(records.SIGNING_KEYS, descending=True, limit=_MOST_KEYS)

    def _load(self) -> None:
        keys: dict[str, SigningKey] = {}
        newest: SigningKey | None = None
        for row in self._rows():
            if row.get("expires", clock.epoch() + 1) <= clock.epoch():
                continue
            try:
                secret = self._keyring.open(records.PLATFORM, _context(row["id"]), row["secret"])
            except CannotOpen:
                continue
            keys[row["id"]] = SigningKey(row["id"], secret)
            newest = newest or keys[row["id"]]
        self._keys, self._newest, self._read_at = keys, newest, self._monotonic()


def _context(key_id: str) -> dict[str, str]:
    return {"record": "signing-key", "key": key_id}


def sign(claims: Mapping[str, Any], key: SigningKey) -> str:
    """A compact JWS of the claims."""
    header = {"alg": "HS256", "typ": "JWT", "kid": key.id}
    signed = f"{_encode(_json(header))}.{_encode(_json(claims))}"
    return f"{signed}.{_encode(_mac(key.secret, signed))}"


def issue(grant: Grant, key: SigningKey) -> str:
    """An access token for a grant (RFC 9068, 2.2). `expires` of the grant is its end."""
    return sign(
        {
            "iss": ISSUER,
            "sub": grant.client_id,
            "client_id": grant.client_id,
            "account": grant.account_id,
            "aud": sorted(grant.audiences),
            "scope": " ".join(sorted(grant.scopes)),
            "iat": grant.expires - LIFETIME_SECONDS,
            "nbf": grant.expires - LIFETIME_SECONDS,
            "exp": grant.expires,
            "jti": ids.new_uuid(),
        },
        key,
    )


class AccessTokens:
    """Verifies access tokens; a good one is remembered until it ends, so that its signature is computed once."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._known: dict[bytes, Grant] = {}

    def verify(self, authorization: str | None) -> Grant:
        """The grant of a bearer token.

        Raises:
            Unauthenticated: no token, or one that does not hold; nobody learns which.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or len(token) > LONGEST_TOKEN:
            raise Unauthenticated
        fingerprint = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._known.get(fingerprint)
        if known is None:
            known = self._verify(token)
            if len(self._known) >= _CACHE_SIZE:
                self._known.clear()
            self._known[fingerprint] = known
        if clock.epoch() > known.expires + LEEWAY_SECONDS:
            raise Unauthenticated
        return known

    def _verify(self, token: str) -> Grant:
        header = header_of(token)
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not _KID.fullmatch(key_id):
            raise Unauthenticated
        key = self._keys.find(key_id)
        if key is None:
            raise Unauthenticated
        return grant_of(verified_claims(token, key.secret), ISSUER)


def header_of(token: str) -> Mapping[str, Any]:
    """The header, not yet to be believed.

    Raises:
        Unauthenticated: it is not a compact JWS, or of another algorithm than HS256.
    """
    parts = token.split(".")
    if len(parts) != 3 or not all(_SEGMENT.fullmatch(part) for part in parts):
        raise Unauthenticated
    header = _object(parts[0])
    kind = header.get("typ", "JWT")
    if header.get("alg") != "HS256" or "crit" in header:
        raise Unauthenticated
    if not isinstance(kind, str) or kind.lower() not in ("jwt", "at+jwt", "application/at+jwt"):
        raise Unauthenticated
    return header


def verified_claims(token: str, secret: bytes) -> Mapping[str, Any]:
    """The claims of a token that this secret signed.

    Raises:
        Unauthenticated: it did not.
    """
    header_of(token)
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_encode(_mac(secret, signed)), signature):
        raise Unauthenticated
    return _object(signed.partition(".")[2])


def grant_of(claims: Mapping[str, Any], issuer: str) -> Grant:
    """The grant that signed claims make at this moment.

    Raises:
        Unauthenticated: another issuer, a time out of bounds, or a member that is missing or of the wrong type.
    """
    now = clock.epoch()
    expires, issued, begins = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    if not (_is_time(expires) and _is_time(issued) and _is_time(begins)) or claims.get("iss") != issuer:
        raise Unauthenticated
    ahead = now + LEEWAY_SECONDS
    if now > expires + LEEWAY_SECONDS or issued > ahead or begins > ahead:
        raise Unauthenticated
    subject, scope, account = claims.get("sub"), claims.get("scope"), claims.get("account", "")
    if not (isinstance(subject, str) and isinstance(scope, str) and isinstance(account, str)):
        raise Unauthenticated
    return Grant(subject, account, _audiences(claims.get("aud")), frozenset(scope.split(" ")) - {""}, expires)


def _audiences(value: object) -> frozenset[str]:
    """`aud` is one name or several (RFC 7519, 4.1.3)."""
    names: Sequence[object] = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise Unauthenticated
    return frozenset(name for name in names if isinstance(name, str))


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _object(segment: str) -> Mapping[str, Any]:
    try:
        value = json.loads(base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise Unauthenticated from None
    if not isinstance(value, dict):
        raise Unauthenticated
    return value


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _mac(secret: bytes, signed: str) -> bytes:
    return hmac.new(secret, signed.encode("ascii"), hashlib.sha256).digest()
