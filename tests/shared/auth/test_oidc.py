"""Id tokens: forged, stale, misdirected and good ones, from an issuer of our own and from a provider made elsewhere.

Tokens are signed by joserfc, so that no library checks its own work.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import logging
import secrets
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from tests.shared.egress.peers import Peer, Script, Visit, answer, say
from tollgate import clock, errors
from tollgate.auth import issuer_keys
from tollgate.auth.oidc import IdToken, IdTokenVerifier, IssuerDown, Registration, TokenRefused
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


@pytest.fixture(autouse=True)
def held() -> Iterator[HeldClock]:
    held = HeldClock()
    former = clock.use(clock.Clock(lambda: held.now))
    yield held
    clock.use(former)


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


@pytest.fixture
def setting() -> Iterator[Setting]:
    issuer = Issuer()
    with Peer(issuer) as peer:
        yield Setting(peer, issuer)


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


class TestGoodTokens:
    @pytest.mark.parametrize(("algorithm", "key"), [("RS256", RSA), ("PS256", RSA), ("ES256", EC), ("EdDSA", ED)])
    def test_every_algorithm_of_the_pinned_set(self, setting: Setting, algorithm: str, key: Key) -> None:
        token = setting.token(key, {"alg": algorithm, "kid": key.kid, "typ": "JWT"})
        expected = IdToken(setting.url, "auth|1", CLIENT, NOW + timedelta(seconds=300))
        assert setting.verifier.verify(token) == expected

    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": [CLIENT]},
            {"aud": [CLIENT, "other"], "azp": CLIENT},
            {"azp": CLIENT},
            {"nbf": T},
            {"nbf": T + 60},
            {"iat": T + 60},
            {"exp": T - 59, "iat": T - 300},
            {"exp": T + 0.5},
            {"sub": "x" * 255},
            {"sub": "a b|c/@:"},
            {"nonce": "n", "at_hash": "h", "email": "\u00e9@example.com", "nested": {"a": [1, None, True]}},
        ],
        ids=str,
    )
    def test_what_the_standard_allows_passes(self, setting: Setting, changes: dict[str, Any]) -> None:
        assert setting.verifier.verify(setting.token(**changes)).client_id == CLIENT

    @pytest.mark.parametrize("extra", [{}, {"typ": "jwt"}, {"x5t": "abc"}, {"cty": "JWT"}], ids=str)
    def test_harmless_headers_pass(self, setting: Setting, extra: dict[str, Any]) -> None:
        assert setting.verifier.verify(setting.token(RSA, {"alg": "RS256", "kid": "rsa", **extra}))

    def test_the_token_says_which_of_several_clients_it_is_for(self, setting: Setting) -> None:
        assert setting.verifier.verify(setting.token(aud=OTHER_CLIENT)).client_id == OTHER_CLIENT
        both = setting.token(aud=[CLIENT, OTHER_CLIENT], azp=OTHER_CLIENT)
        assert setting.verifier.verify(both).client_id == OTHER_CLIENT

    def test_an_issuer_with_a_path_and_a_final_slash(self, setting: Setting) -> None:
        url = setting.url + "/"
        setting.issuer.discovery["issuer"] = url
        verifier = IdTokenVerifier({url: Registration(url, frozenset({CLIENT}))}.get, setting.egress)
        assert verifier.verify(setting.token(iss=url)).issuer == url
        assert setting.issuer.paths[0] == "/.well-known/openid-configuration"

    def test_times_follow_the_clock_of_the_house(self, setting: Setting, held: HeldClock) -> None:
        token = setting.token()
        held.pass_seconds(300 + 59)
        assert setting.verifier.verify(token)
        held.pass_seconds(1)
        assert setting.refusal(token) == "expired"


CLAIM_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("expired", {"exp": T - 60, "iat": T - 300}),
    ("expired", {"exp": T - 61, "iat": T - 300}),
    ("expired", {"exp": 1, "iat": 0.5}),
    ("time", {"exp": None}),
    ("time", {"exp": "tomorrow"}),
    ("time", {"exp": str(T + 300)}),
    ("time", {"exp": True}),
    ("time", {"exp": [T + 300]}),
    ("time", {"exp": -1}),
    ("time", {"exp": 0}),
    ("time", {"exp": 10**20}),
    ("time", {"exp": 10**400}),
    ("time", {"exp": T - 20, "iat": T - 10}),
    ("time", {"iat": None}),
    ("time", {"iat": "now"}),
    ("time", {"iat": False}),
    ("not yet", {"iat": T + 61}),
    ("not yet", {"nbf": T + 61}),
    ("time", {"nbf": "later"}),
    ("time", {"nbf": {}}),
    ("time", {"nbf": True}),
    ("audience", {"aud": None}),
    ("audience", {"aud": "other"}),
    ("audience", {"aud": ""}),
    ("audience", {"aud": []}),
    ("audience", {"aud": ["other"]}),
    ("audience", {"aud": [CLIENT, "other"]}),
    ("audience", {"aud": [CLIENT, 1], "azp": CLIENT}),
    ("audience", {"aud": [[CLIENT]]}),
    ("audience", {"aud": {"0": CLIENT}}),
    ("audience", {"aud": 7}),
    ("audience", {"aud": True}),
    ("audience", {"aud": CLIENT + "x"}),
    ("audience", {"aud": CLIENT.upper()}),
    ("audience", {"aud": f" {CLIENT}"}),
    ("audience", {"aud": f"https://{CLIENT}.example.com"}),
    ("audience", {"aud": f"{CLIENT},{OTHER_CLIENT}"}),
    ("audience", {"azp": "other"}),
    ("audience", {"azp": ""}),
    ("audience", {"azp": [CLIENT]}),
    ("audience", {"aud": "other", "azp": CLIENT}),
    ("audience", {"aud": [CLIENT, "other"], "azp": "other"}),
    ("audience", {"aud": [CLIENT, "other"], "azp": OTHER_CLIENT}),
    ("subject", {"sub": None}),
    ("subject", {"sub": ""}),
    ("subject", {"sub": "   "}),
    ("subject", {"sub": "x" * 256}),
    ("subject", {"sub": 1}),
    ("subject", {"sub": ["auth|1"]}),
    ("subject", {"sub": "auth|1\n"}),
    ("subject", {"sub": "auth|1\0"}),
    ("subject", {"sub": "\u0430uth|1"}),
    ("issuer", {"iss": None}),
    ("issuer", {"iss": ""}),
    ("issuer", {"iss": 1}),
    ("issuer", {"iss": ["http://127.0.0.1"]}),
    ("issuer", {"iss": "https://evil.example"}),
    ("type", {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
]


class TestClaims:
    @pytest.mark.parametrize(("reason", "changes"), CLAIM_FAULTS, ids=str)
    def test_a_wrong_claim_is_refused_without_asking_the_issuer(
        self, setting: Setting, reason: str, changes: dict[str, Any]
    ) -> None:
        assert setting.refusal(setting.token(**changes)) == reason
        assert setting.issuer.paths == []

    @pytest.mark.parametrize("change", [lambda url: url + "/", lambda url: url.upper(), lambda url: url + "#"])
    def test_the_issuer_is_compared_to_the_letter(self, setting: Setting, change: Callable[[str], str]) -> None:
        assert setting.refusal(setting.token(iss=change(setting.url))) == "issuer"

    def test_a_registration_for_another_issuer_does_not_count(self, setting: Setting) -> None:
        """A look-up that matches loosely must not widen the trust."""
        registration = Registration(setting.url, frozenset({CLIENT}))
        setting.verifier = IdTokenVerifier(lambda _issuer: registration, setting.egress)
        assert setting.refusal(setting.token(iss=setting.url + "/")) == "issuer"

    def test_a_client_of_another_issuer_is_not_ours(self, setting: Setting) -> None:
        setting.verifier = IdTokenVerifier(lambda issuer: Registration(issuer, frozenset({"x"})), setting.egress)
        assert setting.refusal(setting.token()) == "audience"


HEADER_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("algorithm", {"alg": "none"}),
    ("algorithm", {"alg": "None"}),
    ("algorithm", {"alg": "NONE"}),
    ("algorithm", {"alg": "nOnE"}),
    ("algorithm", {"alg": ""}),
    ("algorithm", {}),
    ("algorithm", {"alg": None}),
    ("algorithm", {"alg": ["RS256"]}),
    ("algorithm", {"alg": {"RS256": 1}}),
    ("algorithm", {"alg": "HS256"}),
    ("algorithm", {"alg": "HS512"}),
    ("algorithm", {"alg": "rs256"}),
    ("algorithm", {"alg": "RS256 "}),
    ("algorithm", {"alg": "RS384"}),
    ("algorithm", {"alg": "RS512"}),
    ("algorithm", {"alg": "PS512"}),
    ("algorithm", {"alg": "ES384"}),
    ("algorithm", {"alg": "ES256K"}),
    ("algorithm", {"alg": "dir"}),
    ("algorithm", {"alg": "RSA-OAEP"}),
    ("header", {"alg": "RS256", "kid": ""}),
    ("header", {"alg": "RS256", "kid": 1}),
    ("header", {"alg": "RS256", "kid": ["rsa"]}),
    ("header", {"alg": "RS256", "kid": {"$ne": ""}}),
    ("header", {"alg": "RS256", "kid": "rsa", "crit": ["exp"]}),
    ("header", {"alg": "RS256", "kid": "rsa", "crit": []}),
    ("header", {"alg": "RS256", "kid": "rsa", "b64": False}),
    ("header", {"alg": "RS256", "kid": "rsa", "zip": "DEF"}),
    ("header", {"alg": "RS256", "kid": "rsa", "enc": "A256GCM"}),
    ("header", {"alg": "RS256", "kid": "rsa", "x5u": "https://evil.example/cert"}),
    ("type", {"alg": "RS256", "kid": "rsa", "typ": "at+jwt"}),
    ("type", {"alg": "RS256", "kid": "rsa", "typ": "logout+jwt"}),
    ("type", {"alg": "RS256", "kid": "rsa", "typ": None}),
    ("type", {"alg": "RS256", "kid": "rsa", "typ": 1}),
]


class TestHeaders:
    @pytest.mark.parametrize(("reason", "header"), HEADER_FAULTS, ids=str)
    def test_a_wrong_header_is_refused_without_asking_the_issuer(
        self, setting: Setting, reason: str, header: dict[str, Any]
    ) -> None:
        assert setting.refusal(raw_token(header, setting.claims())) == reason
        assert setting.issuer.paths == []

    def test_no_signature_at_all(self, setting: Setting) -> None:
        header, claims, _ = setting.token().split(".")
        none = b64({"alg": "none"})
        for token in (f"{header}.{claims}.", f"{header}.{claims}", f"{none}.{claims}.", f"{none}.{claims}"):
            assert setting.refusal(token) == "form"

    @pytest.mark.parametrize("form", ["pem", "der", "n", "jwk"])
    def test_a_public_key_used_as_a_shared_secret(self, setting: Setting, form: str) -> None:
        """The classic confusion: HMAC with what everybody may read."""
        key = RSA.public_key
        secret = {
            "pem": key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
            "der": key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
            "n": str(public(RSA)["n"]).encode(),
            "jwk": json.dumps(public(RSA)).encode(),
        }[form]
        for claimed in ("HS256", "RS256"):
            message = f"{b64({'alg': claimed, 'kid': 'rsa'})}.{b64(setting.claims())}"
            token = f"{message}.{b64(hmac.digest(secret, message.encode(), hashlib.sha256))}"
            assert setting.refusal(token) in ("algorithm", "signature")

    @pytest.mark.parametrize("member", ["jwk", "jku", "x5u"])
    def test_a_key_that_the_token_brings_along_is_not_used(self, setting: Setting, member: str) -> None:
        with Peer(answer(json.dumps({"keys": [public(STRANGER)]}).encode())) as elsewhere:
            value = public(STRANGER) if member == "jwk" else elsewhere.url
            token = setting.token(STRANGER, {"alg": "RS256", "kid": "rsa", member: value})
            assert setting.refusal(token) == "header"
        assert elsewhere.dials == 0

    def test_a_certificate_that_the_token_brings_along_is_not_used(self, setting: Setting) -> None:
        token = setting.token(STRANGER, {"alg": "RS256", "kid": "rsa", "x5c": ["MIIB"]})
        assert setting.refusal(token) == "signature"

    @pytest.mark.parametrize(
        "key_id",
        ["../../../../dev/null", "/etc/passwd", "rsa'; --", "rsa\0", "RSA", "rsa ", "http://evil.example", "x" * 9000],
    )
    def test_a_key_id_is_only_ever_compared(self, setting: Setting, key_id: str) -> None:
        assert setting.refusal(raw_token({"alg": "RS256", "kid": key_id}, setting.claims())) == "key"
        assert set(setting.issuer.paths) == {"/.well-known/openid-configuration", "/keys"}


class TestForm:
    @pytest.mark.parametrize(
        "change",
        [
            lambda token: "",
            lambda token: ".",
            lambda token: "..",
            lambda token: "a.b.c",
            lambda token: token + ".",
            lambda token: token + "." + token,
            lambda token: token + "=",
            lambda token: token + "==",
            lambda token: token.replace(".", "=.", 1),
            lambda token: token + " ",
            lambda token: token + "\n",
            lambda token: " " + token,
            lambda token: token.replace(".", " .", 1),
            lambda token: token.replace(".", "\n.", 1),
            lambda token: token[:-3] + "+/+",
            lambda token: token[:-1] + "\u00e9",
            lambda token: token[:-1] + "\ud800",
            lambda token: token.split(".")[0] + "a." + token.split(".", 1)[1],
            lambda token: token.split(".", 1)[1],
            lambda token: "Bearer " + token,
        ],
    )
    def test_another_spelling_is_refused(self, setting: Setting, change: Callable[[str], str]) -> None:
        assert setting.refusal(change(setting.token())) == "form"

    def test_bits_that_say_nothing_must_be_zero(self, setting: Setting) -> None:
        """A signature of 256 bytes ends in a letter with four spare bits: only one of sixteen spellings counts."""
        token = setting.token()
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        spelling = alphabet[alphabet.index(token[-1]) + 1]
        assert setting.verifier.verify(token)
        assert setting.refusal(token[:-1] + spelling) == "form"

    @pytest.mark.parametrize(
        "claims",
        [
            b"",
            b"null",
            b"[]",
            b'"text"',
            b"1",
            b"{",
            b"{}{}",
            b'{"a":1,"a":2}',
            b'{"a":{"b":1,"b":2}}',
            b'{"exp":NaN}',
            b'{"exp":Infinity}',
            b'{"exp":-Infinity}',
            b"\xff\xfe{}",
            b"\xef\xbb\xbf{}",
            b"\x80",
            b"[" * 8000,
            b'{"a":' * 2000,
        ],
        ids=repr,
    )
    def test_what_is_no_plain_object_is_refused(self, setting: Setting, claims: bytes) -> None:
        good = {"alg": "RS256", "kid": "rsa"}
        assert setting.refusal(raw_token(good, claims or b" ")) == "form"
        assert setting.refusal(raw_token(claims or b" ", setting.claims())) == "form"

    def test_a_repeated_member_is_refused_though_it_is_signed(self, setting: Setting) -> None:
        text = json.dumps(setting.claims())[:-1] + ',"sub":"auth|2"}'
        assert setting.refusal(signed({"alg": "RS256", "kid": "rsa"}, text.encode(), RSA)) == "form"

    def test_a_giant_token_is_refused_before_it_is_read(self, setting: Setting) -> None:
        token = setting.token(padding="x" * 20_000)
        assert len(token) > 16 * 1024
        assert setting.refusal(token) == "size"
        assert setting.refusal("a." * 10_000_000) == "size"

    def test_a_large_token_within_the_limit_passes(self, setting: Setting) -> None:
        token = setting.token(padding="x" * 11_500)
        assert 15 * 1024 < len(token) <= 16 * 1024
        assert setting.verifier.verify(token)

    @given(st.text(max_size=200))
    def test_any_text_is_refused_quietly(self, text: str) -> None:
        verifier = IdTokenVerifier(lambda _issuer: None, Egress())
        with pytest.raises(TokenRefused):
            verifier.verify(text)

    @given(st.binary(max_size=60), st.binary(max_size=60), st.binary(min_size=1, max_size=60))
    def test_any_bytes_in_the_right_frame_are_refused_quietly(self, header: bytes, claims: bytes, end: bytes) -> None:
        verifier = IdTokenVerifier(lambda _issuer: None, Egress())
        with pytest.raises(TokenRefused):
            verifier.verify(raw_token(header, claims, end))


class TestSignatures:
    def test_another_key_under_the_same_id(self, setting: Setting) -> None:
        assert setting.refusal(setting.token(STRANGER)) == "signature"

    @pytest.mark.parametrize("part", [0, 1, 2])
    def test_one_changed_letter_anywhere_that_still_reads(self, setting: Setting, part: int) -> None:
        token = setting.token(RSA, {"alg": "RS256", "kid": "rsa", "note": "aaaaaa"}, note="aaaaaa")
        parts = token.split(".")
        if part == 2:
            parts[2] = ("B" if parts[2][0] == "A" else "A") + parts[2][1:]
        else:
            raw = base64.urlsafe_b64decode(parts[part] + "==")
            parts[part] = b64(raw.replace(b"aaaaaa", b"aaaaab"))
        changed = ".".join(parts)
        assert changed != token
        assert setting.refusal(changed) == "signature"

    @pytest.mark.parametrize("signature", [b"\0", b"\0" * 64, b"\0" * 256, b"\xff" * 256, b"x" * 1000])
    @pytest.mark.parametrize(
        ("algorithm", "key_id"), [("RS256", "rsa"), ("PS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")]
    )
    def test_trivial_signatures(self, setting: Setting, algorithm: str, key_id: str, signature: bytes) -> None:
        header = {"alg": algorithm, "kid": key_id}
        assert setting.refusal(raw_token(header, setting.claims(), signature)) == "signature"

    def test_a_signature_of_one_token_does_not_fit_another(self, setting: Setting) -> None:
        first, second = setting.token(sub="a"), setting.token(sub="b")
        mixed = ".".join([*second.split(".")[:2], first.split(".")[2]])
        assert setting.refusal(mixed) == "signature"

    def test_der_in_the_place_of_the_raw_ecdsa_signature(self, setting: Setting) -> None:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        message = f"{b64({'alg': 'ES256', 'kid': 'ec'})}.{b64(setting.claims())}"
        private = EC.private_key
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        der = private.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
        assert setting.refusal(f"{message}.{b64(der)}") == "signature"

    @pytest.mark.parametrize(
        ("algorithm", "key_id"), [("RS256", "ec"), ("PS256", "ed"), ("ES256", "rsa"), ("EdDSA", "ec")]
    )
    def test_an_algorithm_that_is_not_of_the_keys_type(self, setting: Setting, algorithm: str, key_id: str) -> None:
        assert setting.refusal(raw_token({"alg": algorithm, "kid": key_id}, setting.claims())) == "key"

    @pytest.mark.parametrize(
        "changes",
        [
            {"alg": "RS256"},
            {"alg": "RSA-OAEP"},
            {"kty": "oct"},
            {"use": "enc"},
            {"use": 1},
            {"key_ops": ["encrypt"]},
            {"key_ops": "verify"},
        ],
        ids=str,
    )
    def test_a_key_made_for_something_else(self, setting: Setting, changes: dict[str, Any]) -> None:
        setting.issuer.keys = [public(RSA, **changes)]
        assert setting.refusal(setting.token(RSA, {"alg": "PS256", "kid": "rsa"})) == "key"

    @pytest.mark.parametrize("changes", [{"alg": "RS256"}, {"use": "sig"}, {"key_ops": ["verify"]}], ids=str)
    def test_a_key_made_for_this(self, setting: Setting, changes: dict[str, Any]) -> None:
        setting.issuer.keys = [public(RSA, **changes)]
        assert setting.verifier.verify(setting.token())

    def test_a_shared_secret_among_the_keys_is_never_used(self, setting: Setting) -> None:
        secret = OctKey.import_key("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", {"kid": "oct"})
        setting.issuer.keys.append(secret.as_dict(private=True))
        assert setting.refusal(setting.token(secret, {"alg": "HS256", "kid": "oct"})) == "algorithm"
        assert setting.refusal(raw_token({"alg": "RS256", "kid": "oct"}, setting.claims())) == "key"

    def test_a_short_rsa_key_is_not_trusted(self, setting: Setting) -> None:
        with pytest.warns(SecurityWarning, match="2048"):
            short = RSAKey.generate_key(1024, {"kid": "short"}, private=True)
        setting.issuer.keys.append(public(short))
        assert setting.refusal(setting.token(short)) == "signature"

    def test_a_key_on_another_curve(self, setting: Setting) -> None:
        curve = ECKey.generate_key("P-384", {"kid": "p384"}, private=True)
        setting.issuer.keys.append(public(curve))
        assert setting.refusal(raw_token({"alg": "ES256", "kid": "p384"}, setting.claims(), b"x" * 64)) == "key"
        setting.issuer.keys.append(public(curve, kid="lies", crv="P-256"))
        other = setting.another_verifier()
        with pytest.raises(TokenRefused):
            other.verify(raw_token({"alg": "ES256", "kid": "lies"}, setting.claims(), b"x" * 64))

    def test_keys_that_are_no_keys_do_not_hide_the_good_one(self, setting: Setting) -> None:
        bad: list[Any] = [
            None,
            1,
            "x",
            [],
            {},
            {"kty": "RSA", "kid": "rsa"},
            {"kty": "RSA", "kid": "rsa", "n": 1, "e": []},
        ]
        setting.issuer.keys = [*bad, public(RSA, n="!!", e="AQAB"), public(RSA, n="", e=""), public(RSA)]
        assert setting.verifier.verify(setting.token())

    def test_a_private_key_published_by_mistake_is_read_as_a_public_one(self, setting: Setting) -> None:
        setting.issuer.keys = [RSA.as_dict(private=True)]
        assert setting.verifier.verify(setting.token())


class TestKeysWithoutIds:
    @pytest.fixture(autouse=True)
    def _nameless(self, setting: Setting) -> None:
        setting.issuer.keys = [{name: value for name, value in public(RSA).items() if name != "kid"}]

    def test_a_token_that_names_no_key(self, setting: Setting) -> None:
        assert setting.verifier.verify(setting.token(RSA, {"alg": "RS256"}))
        assert setting.refusal(setting.token(STRANGER, {"alg": "RS256"})) == "signature"

    def test_a_token_that_names_a_key_where_none_has_a_name(self, setting: Setting) -> None:
        assert setting.refusal(setting.token()) == "key"

    def test_a_rotation_is_noticed_by_the_signature(self, setting: Setting, held: HeldClock) -> None:
        setting.verifier.verify(setting.token(RSA, {"alg": "RS256"}))
        setting.issuer.keys = [{name: value for name, value in public(NEXT).items() if name != "kid"}]
        held.pass_seconds(31)
        assert setting.verifier.verify(setting.token(NEXT, {"alg": "RS256"}))
        assert setting.verifier.verify(setting.token(RSA, {"alg": "RS256"}))
        assert setting.issuer.fetches == 2

    def test_forgeries_do_not_flood_the_issuer(self, setting: Setting) -> None:
        for _ in range(20):
            setting.refusal(setting.token(STRANGER, {"alg": "RS256"}))
        assert setting.issuer.fetches == 1


class TestCaching:
    def test_keys_are_fetched_once_for_many_tokens(self, setting: Setting, held: HeldClock) -> None:
        for _ in range(5):
            setting.verifier.verify(setting.token())
            held.pass_seconds(50)
        assert setting.issuer.paths == ["/.well-known/openid-configuration", "/keys"]

    def test_and_again_when_they_are_old(self, setting: Setting, held: HeldClock) -> None:
        setting.verifier.verify(setting.token())
        held.pass_seconds(299)
        setting.verifier.verify(setting.token())
        assert setting.issuer.fetches == 1
        held.pass_seconds(1)
        setting.verifier.verify(setting.token())
        assert setting.issuer.fetches == 2

    def test_a_forgery_under_a_known_key_id_causes_no_fetch(self, setting: Setting, held: HeldClock) -> None:
        setting.verifier.verify(setting.token())
        held.pass_seconds(100)
        for _ in range(20):
            setting.refusal(setting.token(STRANGER))
        assert setting.issuer.fetches == 1

    def test_junk_key_ids_cause_at_most_one_fetch_in_thirty_seconds(self, setting: Setting, held: HeldClock) -> None:
        for second in range(91):
            header = {"alg": "RS256", "kid": secrets.token_hex(8)}
            setting.refusal(raw_token(header, setting.claims()))
            held.pass_seconds(1)
            assert setting.issuer.fetches <= 1 + second // 30
        assert setting.issuer.fetches == 4

    def test_a_new_key_is_found_by_its_id_and_the_old_one_stays_for_a_while(
        self, setting: Setting, held: HeldClock
    ) -> None:
        setting.verifier.verify(setting.token())
        setting.issuer.keys = [public(NEXT)]
        held.pass_seconds(29)
        assert setting.refusal(setting.token(NEXT)) == "key"
        held.pass_seconds(1)
        assert setting.verifier.verify(setting.token(NEXT))
        assert setting.verifier.verify(setting.token(RSA))
        held.pass_seconds(269)
        assert setting.verifier.verify(setting.token(RSA))
        held.pass_seconds(1)
        assert setting.refusal(setting.token(RSA)) == "key"
        assert setting.verifier.verify(setting.token(NEXT))

    def test_a_clock_set_back_makes_keys_old_not_young(self, setting: Setting, held: HeldClock) -> None:
        setting.verifier.verify(setting.token())
        held.pass_seconds(-50)
        setting.verifier.verify(setting.token(iat=T - 60))
        assert setting.issuer.fetches == 2

    def test_many_threads_fetch_once(self, setting: Setting) -> None:
        verified: list[IdToken] = []
        token = setting.token()
        threads = [threading.Thread(target=lambda: verified.append(setting.verifier.verify(token))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(verified) == 20
        assert setting.issuer.fetches == 1


class TestIssuerDown:
    def down(self, setting: Setting, token: str) -> str:
        with pytest.raises(IssuerDown) as raised:
            setting.verifier.verify(token)
        assert isinstance(raised.value, errors.Unavailable)
        assert raised.value.message == errors.Unavailable.default_message
        return raised.value.reason

    @pytest.mark.parametrize(
        ("broken", "reason"),
        [
            (answer(b"{}", "500 Internal Server Error"), "status"),
            (answer(b"{}", "404 Not Found"), "status"),
            (answer(b"", "302 Found", "location: http://169.254.169.254/"), "status"),
            (answer(b"not json"), "not JSON"),
            (answer(b"[]"), "not JSON"),
            (answer(b"[" * 60_000), "not JSON"),
            (answer(b"\xff\xfe"), "not JSON"),
            (answer(b"x" * 70_000), "BadAnswer"),
            (say("nonsense\r\n\r\n"), "BadAnswer"),
            (Visit.reset, "BadAnswer"),
        ],
    )
    def test_without_any_keys_nothing_can_be_said(self, setting: Setting, broken: Script, reason: str) -> None:
        setting.issuer.broken = broken
        assert self.down(setting, setting.token()) == reason

    def test_a_document_that_is_someone_elses_makes_the_issuer_untrusted(self, setting: Setting) -> None:
        for name in ("http://evil.example", setting.url + "/", None, 1, [setting.url]):
            setting.issuer.discovery["issuer"] = name
            setting.verifier = setting.another_verifier()
            assert setting.refusal(setting.token()) == "discovery names another issuer"
        assert setting.issuer.fetches == 0

    @pytest.mark.parametrize(
        "location",
        [
            "http://169.254.169.254/keys",
            "https://10.0.0.1/keys",
            "file:///etc/passwd",
            "http://127.0.0.1:1/",
            "",
            "/keys",
        ],
    )
    def test_keys_are_not_fetched_from_where_the_guard_forbids(self, setting: Setting, location: str) -> None:
        setting.issuer.discovery["jwks_uri"] = location
        assert setting.refusal(setting.token()) == "target refused"

    @pytest.mark.parametrize("value", [None, 1, ["x"], {}])
    def test_a_document_without_a_place_for_keys(self, setting: Setting, value: object) -> None:
        setting.issuer.discovery["jwks_uri"] = value
        assert self.down(setting, setting.token()) == "discovery names no keys"

    def test_an_issuer_that_the_guard_forbids(self, setting: Setting) -> None:
        setting.egress = Egress()
        setting.verifier = setting.another_verifier()
        assert setting.refusal(setting.token()) == "target refused"
        assert setting.issuer.paths == []

    @pytest.mark.parametrize("keys", [None, {}, "x", [{}] * 65], ids=lambda keys: str(keys)[:9])
    def test_a_key_set_that_is_none(self, setting: Setting, keys: Any) -> None:
        setting.issuer.keys = keys
        assert self.down(setting, setting.token()) == "no key set"

    def test_one_time_limit_bounds_both_fetches(self, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
        assert issuer_keys.FETCH_SECONDS == 3.0
        monkeypatch.setattr(issuer_keys, "FETCH_SECONDS", 0.3)
        setting.issuer.broken = lambda visit: visit.drip(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000)
        before = time.monotonic()
        assert self.down(setting, setting.token()) == "TimedOut"
        assert time.monotonic() - before < 0.8

    def test_a_failing_issuer_is_asked_again_after_five_seconds_not_at_each_token(
        self, setting: Setting, held: HeldClock
    ) -> None:
        setting.issuer.broken = answer(b"", "503 Service Unavailable")
        for _ in range(10):
            self.down(setting, setting.token())
        assert len(setting.issuer.paths) == 1
        held.pass_seconds(5)
        setting.issuer.broken = None
        assert setting.verifier.verify(setting.token())

    def test_the_last_keys_serve_for_an_hour(self, setting: Setting, held: HeldClock) -> None:
        setting.verifier.verify(setting.token())
        setting.issuer.broken = answer(b"", "503 Service Unavailable")
        held.pass_seconds(3599)
        later: dict[str, Any] = {"iat": T + 3500, "exp": T + 9000}
        assert setting.verifier.verify(setting.token(**later))
        assert setting.refusal(setting.token(STRANGER, **later)) == "signature"
        held.pass_seconds(1)
        self.down(setting, setting.token(**later))
        setting.issuer.broken = None
        held.pass_seconds(5)
        assert setting.verifier.verify(setting.token(**later))

    def test_an_outage_does_not_bring_a_withdrawn_key_back(self, setting: Setting, held: HeldClock) -> None:
        setting.verifier.verify(setting.token(RSA))
        setting.issuer.keys = [public(NEXT)]
        held.pass_seconds(100)
        setting.verifier.verify(setting.token(NEXT))
        setting.issuer.broken = answer(b"", "503 Service Unavailable")
        held.pass_seconds(310)
        later: dict[str, Any] = {"iat": T + 300, "exp": T + 9000}
        assert setting.verifier.verify(setting.token(NEXT, **later))
        self.down(setting, setting.token(RSA, **later))

    def test_an_unknown_key_id_in_an_outage_cannot_be_judged(self, setting: Setting, held: HeldClock) -> None:
        setting.verifier.verify(setting.token())
        setting.issuer.broken = answer(b"", "503 Service Unavailable")
        held.pass_seconds(31)
        self.down(setting, setting.token(NEXT))
        assert setting.verifier.verify(setting.token())


class TestDiscretion:
    def test_nothing_of_a_token_reaches_a_log_or_a_failure(
        self, setting: Setting, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        token = setting.token(STRANGER, sub="canary-subject")
        with pytest.raises(TokenRefused) as raised:
            setting.verifier.verify(token)
        told = caplog.text + repr(raised.value) + raised.value.reason + repr(raised.value.__dict__)
        assert not any(part in told for part in (*token.split("."), "canary"))

    def test_no_crypto_is_loaded_until_a_token_comes(self) -> None:
        code = (
            "import sys; sys.path[:0] = sys.argv[1:]\n"
            "from tollgate.auth.oidc import IdTokenVerifier\n"
            "from tollgate.egress import Egress\n"
            "IdTokenVerifier(lambda issuer: None, Egress())\n"
            "print(*sorted({'jwt', 'cryptography', 'joserfc', 'requests'} & sys.modules.keys()))"
        )
        done = subprocess.run([sys.executable, "-c", code, *sys.path], capture_output=True, text=True, check=False)
        assert (done.stderr, done.stdout.strip()) == ("", "")


class Provider:
    """`oidc-provider-mock` in a process of its own: a provider that nobody here wrote."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.listed = f"127.0.0.1:{port}"
        self._http = urllib3.PoolManager(retries=False)

    def answers(self) -> bool:
        try:
            return self._http.request("GET", self.url + "/.well-known/openid-configuration").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def id_token(self, client_id: str, subject: str) -> str:
        """Authorization code with PKCE (RFC 7636), as a browser and a client would do it."""
        found = json.loads(self._http.request("GET", self.url + "/.well-known/openid-configuration").data)
        verifier = secrets.token_urlsafe(48)
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": "http://127.0.0.1:9/callback",
            "scope": "openid",
            "state": secrets.token_urlsafe(8),
            "code_challenge": b64(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        place = f"{found['authorization_endpoint']}?{urlencode(asked)}"
        form = self._http.request("GET", place)
        assert client_id in html.unescape(form.data.decode())
        agreed = self._http.request("POST", place, fields={"sub": subject}, encode_multipart=False, redirect=False)
        returned = parse_qs(urlsplit(agreed.headers["location"]).query)
        assert returned["state"] == [asked["state"]]
        exchange = {
            "grant_type": "authorization_code",
            "code": returned["code"][0],
            "redirect_uri": asked["redirect_uri"],
            "client_id": client_id,
            "client_secret": "any",
            "code_verifier": verifier,
        }
        got = self._http.request("POST", found["token_endpoint"], fields=exchange, encode_multipart=False)
        assert got.status == 200, got.data
        return str(json.loads(got.data)["id_token"])


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            started = Provider(port)
            deadline = time.monotonic() + 20
            while not started.answers():
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < deadline, "the provider did not start"
                threading.Event().wait(0.05)
            yield started
        finally:
            process.terminate()


class TestProviderFromElsewhere:
    @pytest.fixture(autouse=True)
    def _real_time(self, held: HeldClock) -> None:
        clock.use(clock.Clock())

    def verifier(self, provider: Provider) -> IdTokenVerifier:
        registration = Registration(provider.url, frozenset({CLIENT}))
        return IdTokenVerifier({provider.url: registration}.get, Egress([provider.listed]))

    def test_a_token_from_code_and_pkce_holds(self, provider: Provider) -> None:
        proved = self.verifier(provider).verify(provider.id_token(CLIENT, "auth|alice"))
        assert proved[:3] == (provider.url, "auth|alice", CLIENT)
        assert clock.now() < proved.expires_at < clock.now() + timedelta(days=1)

    def test_a_token_for_another_client_does_not(self, provider: Provider) -> None:
        with pytest.raises(TokenRefused) as refusal:
            self.verifier(provider).verify(provider.id_token("someone-else", "auth|alice"))
        assert refusal.value.reason == "audience"

    def test_a_token_grown_old_does_not(self, provider: Provider) -> None:
        token = provider.id_token(CLIENT, "auth|alice")
        expires_at = self.verifier(provider).verify(token).expires_at
        clock.use(clock.Clock(lambda: expires_at + timedelta(seconds=60)))
        with pytest.raises(TokenRefused) as refusal:
            self.verifier(provider).verify(token)
        assert refusal.value.reason == "expired"

    def test_a_token_altered_on_the_way_does_not(self, provider: Provider) -> None:
        header, claims, signature = provider.id_token(CLIENT, "auth|alice").split(".")
        altered = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"sub": "auth|admin"}
        with pytest.raises(TokenRefused) as refusal:
            self.verifier(provider).verify(f"{header}.{b64(altered)}.{signature}")
        assert refusal.value.reason == "signature"

    def test_a_provider_that_has_gone_away(self, provider: Provider) -> None:
        token = provider.id_token(CLIENT, "auth|alice")
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        with socket.create_server(("127.0.0.1", 0)) as free:
            gone = f"127.0.0.1:{free.getsockname()[1]}"
        registration = Registration(f"http://{gone}", frozenset({CLIENT}))
        verifier = IdTokenVerifier(lambda _issuer: registration, Egress([gone]))
        moved = raw_token({"alg": "RS256"}, claims | {"iss": f"http://{gone}"})
        with pytest.raises(IssuerDown):
            verifier.verify(moved)
