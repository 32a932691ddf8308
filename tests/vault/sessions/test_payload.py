"""Which JWE opens a session: one kind, made for this session, whole. Anything else gives nothing away."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey, RSAKey

from tests.support.http import Merchant
from tests.vault.sessions.clients import CARD, HEADER, Client, decoded, encoded, seal
from tollgate.errors import Invalid
from vault.sessions import rules
from vault.sessions.errors import CardRefused
from vault.sessions.handler import handler


@pytest.fixture
def merchant(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


@pytest.fixture
def client(merchant: Merchant) -> Client:
    return Client(handler, merchant.send("POST", "/tokens/session").json["session_id"])


def sealed_by_joserfc(client: Client, header: dict[str, Any], plaintext: bytes = b"{}") -> str:
    algorithms = [header["alg"], header["enc"], *([header["zip"]] if "zip" in header else [])]
    key: Any = OctKey.generate_key(256) if header["alg"] == "dir" else RSAKey.import_key(client.key())
    return jwe.encrypt_compact(header, plaintext, key, algorithms=algorithms)


class TestKinds:
    """Refused by the header alone: 422 at its path, and no attempt is used up."""

    @pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # that is why it is refused
    @pytest.mark.parametrize(
        "header",
        [
            {"alg": "RSA1_5", "enc": "A256GCM"},
            {"alg": "RSA-OAEP", "enc": "A256GCM"},
            {"alg": "RSA-OAEP-256", "enc": "A128GCM"},
            {"alg": "RSA-OAEP-256", "enc": "A256CBC-HS512"},
            {"alg": "dir", "enc": "A256GCM"},
            {"alg": "RSA-OAEP-256", "enc": "A256GCM", "zip": "DEF"},
        ],
    )
    def test_of_other_algorithms_are_refused(self, client: Client, header: dict[str, Any]) -> None:
        self.refused(client, sealed_by_joserfc(client, header, json.dumps(CARD).encode()))

    @pytest.mark.parametrize(
        "header",
        [
            {}, {"alg": "RSA-OAEP-256"}, {"enc": "A256GCM"}, {**HEADER, "alg": "none"}, {**HEADER, "alg": None},
            {**HEADER, "alg": ["RSA-OAEP-256"]}, {**HEADER, "alg": "rsa-oaep-256"}, {**HEADER, "enc": "a256gcm"},
            {**HEADER, "zip": None}, {**HEADER, "zip": ""}, {**HEADER, "crit": ["exp"], "exp": 1},
            {**HEADER, "crit": []}, {**HEADER, "crit": None},
        ],
    )  # fmt: skip
    def test_of_other_headers_are_refused(self, client: Client, header: dict[str, Any]) -> None:
        self.refused(client, seal(client.key(), CARD, header))

    def test_that_would_inflate_to_megabytes_are_refused_unopened(self, client: Client) -> None:
        bomb = zlib.compress(b" " * 4_000_000, 9)[2:-4]
        self.refused(client, seal(client.key(), bomb, {**HEADER, "zip": "DEF"}))

    @pytest.mark.parametrize(
        "change",
        [
            lambda jwe: "x",
            lambda jwe: jwe + ".x",
            lambda jwe: jwe.rpartition(".")[0],
            lambda jwe: jwe.replace(".", "..", 1),
            lambda jwe: jwe + "=",
            lambda jwe: jwe + " ",
            lambda jwe: jwe + "\u0663",
            lambda jwe: jwe[:-2],  # a tag of 14 bytes
            lambda jwe: "." + jwe.partition(".")[2],
            lambda jwe: base64.b64encode(b"[]").decode() + "." + jwe.partition(".")[2],
            lambda jwe: encoded(b'{"alg":"RSA-OAEP-256","alg":"dir","enc":"A256GCM"}') + "." + jwe.partition(".")[2],
            lambda jwe: encoded(b"\xff") + "." + jwe.partition(".")[2],
            lambda jwe: json.dumps({"protected": jwe}),
        ],
    )
    def test_that_are_no_compact_jwe_are_refused(self, client: Client, change: Callable[[str], str]) -> None:
        self.refused(client, change(seal(client.key(), CARD)))

    @pytest.mark.parametrize("index", [1, 2, 4])
    def test_with_a_short_part_are_refused(self, client: Client, index: int) -> None:
        parts = seal(client.key(), CARD).split(".")
        parts[index] = encoded(decoded(parts[index])[:-1])
        self.refused(client, ".".join(parts))

    @staticmethod
    def refused(client: Client, enc_payload: str) -> None:
        answer = client.complete(enc_payload)
        assert (answer.status, answer.paths()) == (422, ["$.result.enc_payload"])
        assert client.hand_over(security_code="1").json["data"]["attempts_left"] == 4


class TestContent:
    """Opened in vain: one and the same refusal, whatever the cause."""

    def test_for_another_key_is_refused(self, client: Client, make_merchant: Callable[..., Merchant]) -> None:
        stranger = make_merchant(handler)
        foreign = Client(handler, stranger.send("POST", "/tokens/session").json["session_id"])
        self.refused(client, seal(foreign.key(), CARD))

    def test_for_another_session_is_refused(self, client: Client, merchant: Merchant) -> None:
        second = Client(handler, merchant.send("POST", "/tokens/session").json["session_id"])
        assert second.key()["n"] == client.key()["n"]
        self.refused(client, seal(client.key(), CARD, {**HEADER, "kid": second.id}))

    @pytest.mark.parametrize("kid", [None, 1, "", [], {}])
    def test_for_a_key_of_no_name_is_refused(self, client: Client, kid: Any) -> None:
        self.refused(client, seal(client.key(), CARD, {**HEADER, "kid": kid}))

    @pytest.mark.parametrize("index", [0, 1, 2, 3, 4])
    def test_that_was_changed_is_refused(self, client: Client, index: int) -> None:
        parts = seal(client.key(), CARD, {**HEADER, "x": "a"}).split(".")
        raw = bytearray(decoded(parts[index]))
        raw = bytearray(raw.replace(b'"a"', b'"b"')) if index == 0 else bytearray([raw[0] ^ 1, *raw[1:]])
        parts[index] = encoded(bytes(raw))
        self.refused(client, ".".join(parts))

    @pytest.mark.parametrize(
        "payload",
        [b"", b"{", b"\xff\xfe", b"\x00" * 64, [], "x", None, 1, b'{"a":1,"a":2}', b'{"expiry_month": NaN}',
         b"[" * 2000],
    )  # fmt: skip
    def test_that_is_no_object_is_refused(self, client: Client, payload: Any) -> None:
        self.refused(client, seal(client.key(), payload))

    @staticmethod
    def refused(client: Client, enc_payload: str) -> None:
        answer = client.complete(enc_payload)
        assert answer.status == 200
        assert answer.json == {
            "data": {
                "reason": "The card details could not be read",
                "reason_code": "invalid_payload",
                "attempts_left": 4,
            },
            "status": "failed",
        }


class TestInterchange:
    def test_takes_what_another_library_makes(self, client: Client) -> None:
        sealed = sealed_by_joserfc(client, HEADER, json.dumps(CARD).encode())
        assert client.complete(sealed).json["status"] == "success"


class TestTestCards:
    """A live session takes nobody's card for none."""

    @pytest.mark.parametrize("number", sorted(rules.TEST_CARDS))
    def test_are_refused_outside_a_sandbox(self, number: str, held_clock: Any) -> None:
        members = {**CARD, "account_number": number, "security_code": None}
        assert rules.card_of(members, held_clock.at, takes_test_cards=True).account_number == number
        with pytest.raises(CardRefused) as refused:
            rules.card_of(members, held_clock.at, takes_test_cards=False)
        assert refused.value.reason_code == "invalid_test_card"

    def test_leave_other_cards_alone(self, held_clock: Any) -> None:
        members = {**CARD, "account_number": "4000000000000002"}
        assert rules.card_of(members, held_clock.at, takes_test_cards=False)


def test_the_form_is_checked_without_a_key() -> None:
    with pytest.raises(Invalid):
        rules.check_form("a.b.c.d.e")
