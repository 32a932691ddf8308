"""Id tokens against keys: signatures, rotation, caching, and an issuer that fails."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.shared.auth.issuers import (
    EC,
    NEXT,
    RSA,
    STRANGER,
    HeldClock,
    Setting,
    T,
    b64,
    public,
    raw_token,
)
from tests.shared.egress.peers import Script, Visit, answer, say
from tollgate import errors
from tollgate.auth import issuer_keys
from tollgate.auth.oidc import IdToken, IssuerDown, TokenRefused
from tollgate.egress import Egress


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
