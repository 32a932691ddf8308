"""Id tokens taken at their word: form, header, claims. What is wrong there is refused without asking the issuer."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import Key

from tests.shared.auth.issuers import (
    CLIENT,
    EC,
    ED,
    NOW,
    OTHER_CLIENT,
    RSA,
    STRANGER,
    HeldClock,
    Setting,
    T,
    b64,
    public,
    raw_token,
    signed,
)
from tests.shared.egress.peers import Peer, answer
from tollgate.auth.oidc import IdToken, IdTokenVerifier, Registration, TokenRefused
from tollgate.egress import Egress


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
