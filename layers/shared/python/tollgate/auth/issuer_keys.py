"""The public keys of OpenID Connect issuers: fetched through the egress guard, kept for a while, refreshed with care.

Answers "which keys of this issuer could have made this signature", from the issuer's discovery document and key set
(OpenID Connect Discovery 1.0, section 4; RFC 7517). It must not let a caller cause more than one fetch per issuer in
`MISS_INTERVAL_SECONDS` by sending junk key ids, and must not use a key with an algorithm other than the key's own.
Ages are measured on `tollgate.clock`: a frozen execution environment stops its monotonic clock, and a key must not
live longer for that.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from tollgate import clock, errors

KEEP_SECONDS: Final = 300
STALE_SECONDS: Final = 3600
MISS_INTERVAL_SECONDS: Final = 30
RETRY_SECONDS: Final = 5
FETCH_SECONDS: Final = 3.0
MAX_KEYS: Final = 64
MAX_ISSUERS: Final = 256
_MAX_DISCOVERY_BYTES: Final = 64 * 1024
_MAX_KEY_SET_BYTES: Final = 256 * 1024
_HEADERS: Final = (("accept", "application/json"), ("user-agent", "tollgate"))
_MIN_RSA_BITS: Final = 2048
_MAX_RSA_BITS: Final = 8192

ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
_PUBLIC_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}


class Reply(Protocol):
    """The part of `tollgate.egress.Answer` that is read here."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...


class Requester(Protocol):
    """The part of `tollgate.egress.Egress` that is used here."""

    def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        *,
        deadline_seconds: float,
        max_response_bytes: int,
    ) -> Reply: ...


class KeysUnavailableError(Exception):
    """No usable keys and no way to get them now; `reason` is one of a fixed set of words.

    `lasting` when waiting will not help: the registered issuer is not what it claims to be, or may not be called.
    """

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        self.reason = reason
        self.lasting = lasting
        super().__init__(reason)


class VerificationKey(NamedTuple):
    """One public key, bound to the one algorithm it was asked for."""

    algorithm: str
    members: Mapping[str, str]

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """True when `signature` is this key's over `signed`; a key that cannot be built verifies nothing."""
        import jwt  # see the head of oidc.py

        try:
            made = jwt.PyJWK(dict(self.members), algorithm=self.algorithm)
            bits = getattr(made.key, "key_size", _MIN_RSA_BITS)
            if self.members["kty"] == "RSA" and not _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS:
                return False
            return bool(made.Algorithm.verify(signed, made.key, signature))
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            return False


class _Issuer:
    """What is known of one issuer: each key (its JWK) with the moment it was last seen in the issuer's key set."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[Mapping[str, Any], float]] = {}
        self.fetched_at: float | None = None
        self.tried_at: float | None = None
        self.problem: KeysUnavailableError | None = None
        self.lock = threading.Lock()


class IssuerKeys:
    """Key sets by issuer. Only trusted issuers may be asked for: every one of them is remembered."""

    def __init__(self, egress: Requester) -> None:
        self._egress = egress
        self._issuers: dict[str, _Issuer] = {}
        self._lock = threading.Lock()

    def matching(
        self, issuer: str, algorithm: str, key_id: str | None, *, missed: bool = False
    ) -> list[VerificationKey]:
        """The keys of `issuer` fit for `algorithm`, and called `key_id` where that is given; may be empty.

        Fetches when the keys are older than `KEEP_SECONDS`, and when there is none (or the caller says by `missed` that
        it was none of those), but then at most every `MISS_INTERVAL_SECONDS`. While the issuer is down its last keys
        serve until they are `STALE_SECONDS` old.

        Raises:
            KeysUnavailableError: there is none, and the issuer could not be asked.
        """
        known = self._known(issuer)
        with known.lock:
            fetched = self._refresh_if_due(issuer, known)
            found = _usable(known, algorithm, key_id)
            if (missed or not found) and not fetched and _since(known.tried_at) >= MISS_INTERVAL_SECONDS:
                self._refresh(issuer, known)
                found = _usable(known, algorithm, key_id)
            if not found and known.problem is not None:
                raise KeysUnavailableError(known.problem.reason, lasting=known.problem.lasting)
            return found

    def _known(self, issuer: str) -> _Issuer:
        with self._lock:
            if issuer not in self._issuers and len(self._issuers) >= MAX_ISSUERS:
                self._issuers.pop(next(iter(self._issuers)))
            return self._issuers.setdefault(issuer, _Issuer())

    def _refresh_if_due(self, issuer: str, known: _Issuer) -> bool:
        due = _since(known.fetched_at) >= KEEP_SECONDS
        if due and (known.problem is None or _since(known.tried_at) >= RETRY_SECONDS):
            self._refresh(issuer, known)
            return True
        return False

    def _refresh(self, issuer: str, known: _Issuer) -> None:
        known.tried_at = _now()
        try:
            current = self._fetch(issuer)
        except KeysUnavailableError as problem:
            known.problem = problem
            return
        known.problem = None
        known.fetched_at = _now()
        remembered = {name: (jwk, seen) for name, (jwk, seen) in known.keys.items() if _since(seen) < KEEP_SECONDS}
        known.keys = remembered | {name: (jwk, known.fetched_at) for name, jwk in current.items()}

    def _fetch(self, issuer: str) -> dict[str, Mapping[str, Any]]:
        deadline = time.monotonic() + FETCH_SECONDS
        location = issuer.removesuffix("/") + "/.well-known/openid-configuration"
        discovery = self._get(location, deadline, _MAX_DISCOVERY_BYTES)
        if discovery.get("issuer") != issuer:
            raise KeysUnavailableError("discovery names another issuer", lasting=True)
        key_set_location = discovery.get("jwks_uri")
        if not isinstance(key_set_location, str):
            raise KeysUnavailableError("discovery names no keys")
        keys = self._get(key_set_location, deadline, _MAX_KEY_SET_BYTES).get("keys")
        if not isinstance(keys, list) or len(keys) > MAX_KEYS:
            raise KeysUnavailableError("no key set")
        return {_name(jwk): jwk for jwk in keys if isinstance(jwk, dict)}

    def _get(self, url: str, deadline: float, max_bytes: int) -> Mapping[str, Any]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise KeysUnavailableError("too slow")
        try:
            answer = self._egress.request("GET", url, _HEADERS, deadline_seconds=left, max_response_bytes=max_bytes)
        except errors.Forbidden:
            raise KeysUnavailableError("target refused", lasting=True) from None
        except errors.Failure as failure:
            raise KeysUnavailableError(type(failure).__name__) from None
        if answer.status != 200:
            raise KeysUnavailableError("status")
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise KeysUnavailableError("not JSON") from None
        if not isinstance(value, dict):
            raise KeysUnavailableError("not JSON")
        return value


def _now() -> float:
    return clock.now().timestamp()


def _since(moment: float | None) -> float:
    """Seconds since `moment`; endless where there was none, or where the clock was set back behind it."""
    age = float("inf") if moment is None else _now() - moment
    return age if age >= 0 else float("inf")


def _name(jwk: Mapping[str, Any]) -> str:
    """What tells keys of one set apart: an issuer may serve two types under one id, and keys without an id."""
    return json.dumps([jwk.get(member) for member in ("kid", "kty", "crv", "n", "x", "alg", "use")], default=str)


def _lifetime(known: _Issuer, seen: float) -> int:
    """A failing issuer lengthens the life of the keys it last served, not of one it had withdrawn before."""
    return STALE_SECONDS if known.problem is not None and seen == known.fetched_at else KEEP_SECONDS


def _usable(known: _Issuer, algorithm: str, key_id: str | None) -> list[VerificationKey]:
    live = [jwk for jwk, seen in known.keys.values() if _since(seen) < _lifetime(known, seen)]
    named = [jwk for jwk in live if key_id is None or jwk.get("kid") == key_id]
    return [key for jwk in named if (key := _key(jwk, algorithm)) is not None]


def _key(jwk: Mapping[str, Any], algorithm: str) -> VerificationKey | None:
    """The key as a verification key for `algorithm`, or None where its type, curve, use or own `alg` forbid it."""
    kind, curve = ALGORITHMS[algorithm]
    operations = jwk.get("key_ops", ["verify"])
    fits = (
        jwk.get("kty") == kind
        and (curve is None or jwk.get("crv") == curve)
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", algorithm) == algorithm
        and isinstance(operations, list)
        and "verify" in operations
    )
    members = {name: jwk.get(name) for name in _PUBLIC_MEMBERS[kind]} if fits else {}
    if not members or not all(isinstance(value, str) for value in members.values()):
        return None
    return VerificationKey(algorithm, {"kty": kind, **{name: str(value) for name, value in members.items()}})
