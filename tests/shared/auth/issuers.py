"""An OpenID issuer on loopback whose documents, keys and failures a test decides, and the tokens it signs.

Tokens are signed by joserfc, so that no library checks its own work.
"""

from __future__ import annotations

import base64
import json
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from tests.shared.egress.peers import Peer, Script, Visit, answer
from tollgate import errors
from tollgate.auth.oidc import IdTokenVerifier, Registration, TokenRefused
from tollgate.egress import Egress

CLIENT = "tollgate-demo"
OTHER_CLIENT = "tollgate-other"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
T = int(NOW.timestamp())
MESSAGE = "No valid means of authentication was provided"

RSA = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
EC = ECKey.generate_key("P-256", {"kid": "ec"}, private=True)
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"}, private=True)
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)  # another key under a trusted key's id
NEXT = RSAKey.generate_key(2048, {"kid": "next"}, private=True)


class HeldClock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Issuer:
    """An issuer on loopback: its discovery document, its keys, and what was asked of it."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [public(RSA), public(EC), public(ED)]
        self.discovery: dict[str, Any] = {}
        self.paths: list[str] = []
        self.broken: Script | None = None

    def __call__(self, visit: Visit) -> None:
        path = visit.request.split(b" ")[1].decode()
        self.paths.append(path)
        if self.broken is not None:
            self.broken(visit)
        elif path == "/.well-known/openid-configuration":
            answer(json.dumps(self.discovery).encode())(visit)
        elif path == "/keys":
            answer(json.dumps({"keys": self.keys}).encode())(visit)
        else:
            answer(b"", "404 Not Found")(visit)

    @property
    def fetches(self) -> int:
        return self.paths.count("/keys")


class Setting:
    """A trusted issuer and a verifier that trusts it."""

    def __init__(self, peer: Peer, issuer: Issuer) -> None:
        self.url = peer.url
        self.issuer = issuer
        issuer.discovery = {"issuer": self.url, "jwks_uri": self.url + "/keys"}
        self.egress = Egress([peer.listed])
        self.verifier = self.another_verifier()

    def another_verifier(self) -> IdTokenVerifier:
        registration = Registration(self.url, frozenset({CLIENT, OTHER_CLIENT}))
        return IdTokenVerifier({self.url: registration}.get, self.egress)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims, with changes; None takes one out."""
        good = {"iss": self.url, "sub": "auth|1", "aud": CLIENT, "iat": T - 10, "exp": T + 300}
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, key: Key = RSA, header: Any = None, /, **changes: Any) -> str:
        return signed(header or {"alg": "RS256", "kid": key.kid}, self.claims(**changes), key)

    def refusal(self, token: str) -> str:
        """The reason for which `token` is refused; the caller's message is checked on the way."""
        with pytest.raises(TokenRefused) as raised:
            self.verifier.verify(token)
        assert isinstance(raised.value, errors.Unauthenticated)
        assert (raised.value.message, str(raised.value)) == (MESSAGE, MESSAGE)
        return raised.value.reason


def public(key: Key, **changes: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **changes}


def signed(header: dict[str, Any], claims: Any, key: Key) -> str:
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    registry.check_header = lambda header: None  # type: ignore[method-assign]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # it has an opinion on the name EdDSA, and on short keys
        return jws.serialize_compact(header, payload, key, algorithms=[header["alg"]], registry=registry)


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_token(header: bytes | dict[str, Any], claims: bytes | dict[str, Any], signature: bytes = b"x" * 256) -> str:
    return f"{b64(header)}.{b64(claims)}.{b64(signature)}"
