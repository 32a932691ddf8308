"""Sessions over HTTP: the shapes that clients speak, every refusal, one token and no more, tenancy."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.http import Merchant, Response, send
from tests.vault.sessions.clients import CARD, HEADER, Client, decoded, seal
from vault.sessions.handler import handler
from vault.tokens import handler as tokens

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
NOBODYS = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def merchant(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


@pytest.fixture
def other(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


def open_session(merchant: Merchant, **wishes: Any) -> Client:
    answer = merchant.send("POST", "/tokens/session", json_body=wishes)
    assert answer.status == 200, answer.body
    return Client(handler, answer.json["session_id"])


@pytest.fixture
def client(merchant: Merchant) -> Client:
    return open_session(merchant)


def read_token(merchant: Merchant, token_id: str) -> Response:
    return merchant.at(tokens.handler).send("GET", f"/tokens/{token_id}")


class TestOpen:
    @pytest.mark.parametrize(
        "body",
        [
            None, "{}", '{"bypass_identification": false, "expiration_time": 1}', '{"expiration_time": 2592000}',
            '{"bypass_identification": null, "expiration_time": null}', '{"surprise": 1}',
        ],
    )  # fmt: skip
    def test_answers_a_session_id_and_nothing_else(self, merchant: Merchant, body: str | None) -> None:
        answer = merchant.send("POST", "/tokens/session", body=body)
        assert answer.status == 200
        assert list(answer.json) == ["session_id"]
        assert UUID4.fullmatch(answer.json["session_id"])

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("expiration_time", 0), ("expiration_time", -1), ("expiration_time", 2592001), ("expiration_time", "60"),
            ("expiration_time", 1.5), ("expiration_time", True), ("bypass_identification", 1),
            ("bypass_identification", "true"),
        ],
    )  # fmt: skip
    def test_refuses_wishes_out_of_bounds(self, merchant: Merchant, member: str, value: Any) -> None:
        answer = merchant.send("POST", "/tokens/session", json_body={member: value})
        assert (answer.status, answer.paths()) == (422, [f"$.{member}"])

    @pytest.mark.parametrize("body", ["{", "[]", '"x"', "1", "null"])
    def test_refuses_what_is_no_object(self, merchant: Merchant, body: str) -> None:
        answer = merchant.send("POST", "/tokens/session", body=body)
        assert (answer.status, answer.json["classifier"]) == (422, "VALIDATION_ERROR")

    @pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"authorization": "Bearer x.y.z"}])
    def test_takes_an_api_key_only(self, headers: dict[str, str]) -> None:
        answer = send(handler, "POST", "/tokens/session", headers=headers, body="{")
        assert (answer.status, answer.json["classifier"]) == (401, "UNAUTHORIZED")

    def test_is_opened_once_per_idempotency_key(self, merchant: Merchant) -> None:
        headers = {"x-idempotency-key": "order-1"}
        first, again = (
            merchant.send("POST", "/tokens/session", json_body={"expiration_time": 60}, headers=headers)
            for _ in range(2)
        )
        assert (first.status, first.body) == (again.status, again.body)
        changed = merchant.send("POST", "/tokens/session", json_body={"expiration_time": 61}, headers=headers)
        assert changed.status == 422

    def test_leaves_other_methods_to_nobody(self, merchant: Merchant) -> None:
        answer = merchant.send("GET", "/tokens/session")
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


class TestRead:
    def test_answers_the_key_to_encrypt_for(self, client: Client) -> None:
        answer = client.read()
        assert answer.status == 200
        jwk = answer.json["data"]["jwk"]
        assert {name: value for name, value in jwk.items() if name != "n"} == {
            "kty": "RSA", "use": "enc", "alg": "RSA-OAEP-256", "kid": client.id, "e": "AQAB",
        }  # fmt: skip
        assert len(decoded(jwk["n"])) == 256

    def test_says_what_is_to_be_done(self, client: Client) -> None:
        answer = client.read().json
        assert (answer["next_action"], answer["status"]) == ("tokenize_card", "pending")
        data = {name: value for name, value in answer["data"].items() if name != "jwk"}
        assert data == {"base_url": "https://api.example", "api_key": client.id, "provider": "guardian"}

    def test_names_the_scheme_that_the_gateway_was_called_by(self, client: Client) -> None:
        headers = {"host": "127.0.0.1:8080", "x-forwarded-proto": "http"}
        answer = send(handler, "GET", f"/sessions/{client.id}", headers=headers)
        assert answer.json["data"]["base_url"] == "http://127.0.0.1:8080"

    def test_repeats_no_host_that_is_none(self, client: Client) -> None:
        answer = send(handler, "GET", f"/sessions/{client.id}", headers={"host": 'x"><script>'})
        assert b"script" not in answer.body

    def test_takes_an_id_in_upper_case(self, client: Client) -> None:
        assert Client(handler, client.id.upper()).read().json["data"]["jwk"]["kid"] == client.id

    @pytest.mark.parametrize("session_id", [NOBODYS, "1", "%00", "x" * 3000, "%2e%2e"])
    def test_is_404_for_what_is_no_session(self, session_id: str) -> None:
        for answer in (Client(handler, session_id).read(), Client(handler, session_id).complete("x")):
            assert (answer.status, answer.json["classifier"]) == (404, "NOT_FOUND")

    def test_uses_one_key_for_an_account_and_hour(self, merchant: Merchant, other: Merchant, held_clock: Any) -> None:
        held_clock.at = held_clock.at.replace(minute=10)
        first, second, foreign = (open_session(each).key()["n"] for each in (merchant, merchant, other))
        held_clock.advance(hours=1)
        later = open_session(merchant).key()["n"]
        assert first == second
        assert len({first, foreign, later}) == 3


class TestComplete:
    def test_makes_a_token_of_the_merchants(self, merchant: Merchant, client: Client) -> None:
        answer = client.hand_over()
        assert answer.status == 200
        assert answer.json == {"data": {"token_id": answer.json["data"]["token_id"]}, "status": "success"}
        token = read_token(merchant, answer.json["data"]["token_id"]).json
        assert {name: token[name] for name in token if name not in ("id", "created_at")} == {
            "cardholder_name": "John Doe",
            "expiry_month": 4,
            "expiry_year": 2033,
            "expires_at": None,
            "issuer_identification_number": "424242",
            "masked_account_number": "424242******4242",
            "network_token_status": "not_available",
            "scheme": "VISA",
        }

    def test_makes_a_token_that_strangers_do_not_see(self, client: Client, other: Merchant) -> None:
        token_id = client.hand_over().json["data"]["token_id"]
        assert read_token(other, token_id).status == 404

    def test_ends_the_session(self, client: Client) -> None:
        enc_payload = seal(client.key(), CARD)
        token_id = client.complete(enc_payload).json["data"]["token_id"]
        for again in (client.complete(enc_payload), client.complete("no JWE at all"), client.complete(None)):
            assert (again.status, again.json["classifier"]) == (409, "CONFLICT")
        assert client.read().json == {"data": {"token_id": token_id}, "next_action": None, "status": "success"}

    def test_takes_a_card_without_name_and_code(self, merchant: Merchant, client: Client) -> None:
        members = {name: CARD[name] for name in ("account_number", "expiry_month", "expiry_year")}
        answer = client.complete(seal(client.key(), members)).json
        assert read_token(merchant, answer["data"]["token_id"]).json["cardholder_name"] is None

    def test_ignores_further_claims(self, client: Client) -> None:
        answer = client.hand_over(email="payer@example.com", billing_address_city="Berlin", iat=1, surprise=[])
        assert answer.json["status"] == "success"

    @pytest.mark.parametrize(
        "header", [{**HEADER, "kid": "SESSION"}, {**HEADER, "typ": "JWE", "cty": "JWT"}, {**HEADER, "x-made-up": 1}]
    )
    def test_takes_headers_that_change_nothing(self, client: Client, header: dict[str, Any]) -> None:
        named = {name: client.id if value == "SESSION" else value for name, value in header.items()}
        assert client.complete(seal(client.key(), CARD, named)).json["status"] == "success"

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"action": "wait"}, "$.action"), ({"action": None}, "$.action"), ({"action": 1}, "$.action"),
            ({"result": None}, "$.result"), ({"result": {}}, "$.result.enc_payload"),
            ({"result": {"enc_payload": 1}}, "$.result.enc_payload"),
            ({"result": {"enc_payload": ""}}, "$.result.enc_payload"),
            ({"result": {"enc_payload": "x" * 8193}}, "$.result.enc_payload"),
        ],
    )  # fmt: skip
    def test_refuses_another_body(self, client: Client, changes: dict[str, Any], path: str) -> None:
        answer = client.complete("x", **changes)
        assert (answer.status, answer.paths()) == (422, [path])


class TestRefusedCards:
    @pytest.mark.parametrize(
        ("changes", "reason_code"),
        [
            ({"account_number": "4242424242424241"}, "invalid_card_number"),
            ({"account_number": "4242 4242 4242 4242"}, "invalid_card_number"),
            ({"account_number": 4242424242424242}, "invalid_card_number"),
            ({"account_number": None}, "invalid_card_number"),
            ({"account_number": "424242424242", "expiry_month": 13}, "invalid_card_number"),
            ({"expiry_month": 0}, "invalid_expiry_date"),
            ({"expiry_month": "04"}, "invalid_expiry_date"),
            ({"expiry_year": 33}, "invalid_expiry_date"),
            ({"expiry_year": 2020}, "invalid_expiry_date"),
            ({"expiry_year": None}, "invalid_expiry_date"),
            ({"security_code": "12"}, "invalid_security_code"),
            ({"security_code": "1234"}, "invalid_security_code"),
            ({"security_code": 123}, "invalid_security_code"),
            ({"cardholder_name": "4242424242424242"}, "invalid_payload"),
        ],
    )
    def test_are_answered_with_the_reason(self, client: Client, changes: dict[str, Any], reason_code: str) -> None:
        answer = client.hand_over(**changes)
        assert answer.status == 200
        assert answer.json["status"] == "failed"
        assert answer.json["data"] == {**answer.json["data"], "reason_code": reason_code, "attempts_left": 4}
        assert answer.json["data"]["reason"]
        assert "424" not in answer.body.decode()

    def test_may_be_corrected(self, client: Client) -> None:
        assert client.hand_over(security_code="12").json["status"] == "failed"
        assert client.read().json["status"] == "pending"
        assert client.hand_over().json["status"] == "success"

    def test_end_the_session_when_there_are_five(self, client: Client) -> None:
        key = client.key()
        left = [
            client.complete(seal(key, {**CARD, "expiry_month": 13})).json["data"]["attempts_left"] for _ in range(5)
        ]
        assert left == [4, 3, 2, 1, 0]
        assert client.complete(seal(key, CARD)).status == 409
        ended = client.read().json
        assert (ended["next_action"], ended["status"]) == (None, "failed")
        assert ended["data"]["reason_code"] == "invalid_expiry_date"

    def test_are_not_used_up_by_what_is_no_payload(self, client: Client) -> None:
        assert {client.complete("x").status for _ in range(7)} == {422}
        assert client.hand_over().json["status"] == "success"


class TestTime:
    def test_is_over_after_half_an_hour(self, client: Client, held_clock: Any) -> None:
        key = client.key()
        held_clock.advance(minutes=30, seconds=1)
        assert client.read().status == 404
        assert client.complete(seal(key, CARD)).status == 404
        assert client.complete("no JWE at all").status == 404

    def test_lasts_until_then(self, merchant: Merchant, held_clock: Any) -> None:
        held_clock.at = held_clock.at.replace(minute=59, second=59)
        client = open_session(merchant)
        held_clock.advance(minutes=29, seconds=59)
        assert client.hand_over().json["status"] == "success"


class TestOrigins:
    """Pages of any origin may call the client's half, and nothing else."""

    @pytest.mark.parametrize(("suffix", "method"), [("", "GET"), ("/complete-action", "POST")])
    def test_are_let_in_by_the_preflight(self, client: Client, suffix: str, method: str) -> None:
        headers = {"origin": "https://shop.example", "access-control-request-method": method}
        answer = send(handler, "OPTIONS", f"/sessions/{client.id}{suffix}", headers=headers)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert method in answer.headers["access-control-allow-methods"]
        assert "content-type" in answer.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in answer.headers

    def test_may_read_every_answer(self, client: Client) -> None:
        answers = [
            client.read(),
            client.complete("x"),
            client.hand_over(),
            client.complete("x"),
            Client(handler, NOBODYS).read(),
            send(handler, "DELETE", f"/sessions/{client.id}"),
            send(handler, "GET", f"/sessions/{client.id}", headers={"x-hellgate-version": "9"}),
        ]
        assert [answer.status for answer in answers] == [200, 422, 200, 409, 404, 405, 422]
        assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}

    def test_may_not_read_the_merchants_half(self, merchant: Merchant) -> None:
        answers = [
            merchant.send("POST", "/tokens/session", headers={"origin": "https://shop.example"}),
            send(handler, "POST", "/tokens/session"),
            send(handler, "OPTIONS", "/tokens/session"),
        ]
        assert [answer.status for answer in answers] == [200, 401, 405]
        assert not any("access-control-allow-origin" in answer.headers for answer in answers)
