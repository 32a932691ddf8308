"""The proxy through its door: what is sent, what is relayed, every refusal, tenancy, and the life of a code."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.shared.egress.peers import Visit
from tests.support.http import Merchant, event, send
from tests.vault.forward.conftest import CARD, OK, Destination, Shop
from tollgate import aws
from tollgate.egress import Egress
from tollgate.store.table import Table
from vault.forward import handler as door
from vault.forward import service
from vault.tokens.handler import handler as tokens_door

PAN, CODE = CARD["account_number"], CARD["security_code"]
BODY = '{"n":"{{ account_number }}","m":{{ expiration_month | unwrap }},"h":"{{ cardholder_name }}"}'
WITH_CODE = '{"n":"{{ account_number }}","c":"{{ security_code }}"}'


def answering(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class TestSending:
    def test_fills_in_the_card_and_sends_the_request_on(self, shop: Shop, destination: Destination) -> None:
        answer = shop.forward(shop.token(), BODY, to=f"{shop.url}/now?a=%20&b")
        assert (answer.status, answer.json) == (200, {})
        assert json.loads(destination.bodies[0]) == {"n": PAN, "m": 4, "h": CARD["cardholder_name"]}
        assert destination.peer.visits[0].request.startswith(b"POST /pay/now?a=%20&b HTTP/1.1\r\n")

    def test_sends_the_callers_headers_and_none_of_ours(self, shop: Shop, destination: Destination) -> None:
        own = {"authorization": "Bearer theirs", "x-own-header-key": "x-api-key", "x-own-header-value": "123456"}
        assert shop.forward(shop.token(), headers={**own, "x-forwarded-for": "1.2.3.4"}).status == 200
        head = {name.lower(): value for name, value in destination.heads[0].items()}
        assert head == {
            "host": destination.peer.listed,
            "accept-encoding": "identity",
            "connection": "close",
            "content-type": "application/json",
            "authorization": "Bearer theirs",
            "x-api-key": "123456",
            "content-length": "2",
        }
        assert shop.merchant.api_key.encode() not in destination.peer.visits[0].request

    def test_sends_bytes_that_are_no_text_unchanged(self, shop: Shop, destination: Destination) -> None:
        noise = bytes(range(256))
        assert shop.forward(shop.token(), noise, headers={"content-type": "application/octet-stream"}).status == 200
        assert destination.bodies == [noise]

    def test_leaves_a_compressed_body_alone(self, shop: Shop, destination: Destination) -> None:
        packed = gzip.compress(b"{{ account_number }}")
        assert shop.forward(shop.token(), packed, headers={"content-encoding": "gzip"}).status == 200
        assert destination.bodies == [packed]


class TestRelaying:
    @pytest.mark.parametrize("status", [200, 201, 204, 302, 304, 400, 401, 403, 404, 407, 422, 429, 500, 502, 503])
    def test_relays_any_status_as_it_is(self, shop: Shop, destination: Destination, status: int) -> None:
        bodiless = status in (204, 304)
        destination.answer = [
            answering(f"{status} X", b"" if bodiless else b'{"theirs":1}', "location: http://169.254.169.254/")
        ]
        answer = shop.forward(shop.token())
        assert answer.status == status
        assert answer.body == (b"" if bodiless else b'{"theirs":1}')
        assert answer.headers["x-tollgate-relayed"] == "true"
        assert answer.headers["x-hellgate-version"] == "2.0"
        assert destination.peer.dials == 1

    def test_relays_headers_cookies_and_bytes(self, shop: Shop, destination: Destination) -> None:
        noise = bytes(range(256))
        destination.answer = [
            answering(
                "200 OK", noise, "content-type: text/plain; charset=x", "x-theirs: 1", "proxy-authenticate: Basic",
                "strict-transport-security: max-age=0",
            )
        ]  # fmt: skip
        answer = shop.forward(shop.token())
        assert answer.body == noise
        assert answer.headers["content-type"] == "text/plain; charset=x"
        assert answer.headers["x-theirs"] == "1"
        assert "proxy-authenticate" not in answer.headers
        assert "max-age=0" not in answer.headers["strict-transport-security"]

    def test_keeps_cookies_apart(self, shop: Shop, destination: Destination) -> None:
        destination.answer = [answering("200 OK", b"", "set-cookie: a=1; Path=/", "set-cookie: b=2")]
        headers = {
            "x-api-key": shop.merchant.api_key,
            "x-hellgate-token": shop.token(),
            "x-destination-url": shop.url,
        }
        answer = door.handler(event("POST", "/forward", headers=headers), object())
        assert answer["cookies"] == ["a=1; Path=/", "b=2"]
        assert "set-cookie" not in answer["headers"]

    def test_decodes_what_came_compressed(self, shop: Shop, destination: Destination) -> None:
        packed = gzip.compress(b'{"theirs":1}')
        destination.answer = [answering("200 OK", packed, "content-encoding: gzip", "content-type: application/json")]
        answer = shop.forward(shop.token())
        assert answer.json == {"theirs": 1}
        assert "content-encoding" not in answer.headers

    def test_masks_what_the_destination_repeats(self, shop: Shop, destination: Destination) -> None:
        def repeat(visit: Visit) -> None:
            visit.send(answering("402 No", visit.request.partition(b"\r\n\r\n")[2], f"x-seen: {PAN}"))

        destination.script = repeat
        answer = shop.forward(shop.token(), WITH_CODE)
        assert answer.json == {"n": "424242******4242", "c": "***"}
        assert answer.headers["x-seen"] == "424242******4242"

    def test_can_be_told_not_to_mask(
        self, shop: Shop, destination: Destination, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(door._service, "_masks", False)
        destination.script = lambda visit: visit.send(answering("200 OK", PAN.encode()))
        assert shop.forward(shop.token(), BODY).body == PAN.encode()


class TestRefusals:
    """Nothing is sent, and the answer is in the family's words."""

    @pytest.fixture(autouse=True)
    def _nothing_is_sent(self, destination: Destination) -> Any:
        yield
        assert destination.peer.dials == 0

    @pytest.mark.parametrize(
        "headers",
        [{}, {"x-api-key": ""}, {"x-api-key": "tg_sbx_0000000000000000_" + "A" * 43}, {"authorization": "Bearer x"}],
    )
    def test_407_without_a_key_that_holds(self, headers: dict[str, str]) -> None:
        answer = send(door.handler, "POST", "/forward", headers=headers, json_body={})
        assert answer.status == 407
        assert answer.headers["proxy-authenticate"] == 'ApiKey realm="tollgate"'
        assert answer.json == {
            "code": 407,
            "status": 407,
            "classifier": "PROXY_AUTHENTICATION_REQUIRED",
            "message": "No valid means of authentication was provided",
        }
        assert "x-tollgate-relayed" not in answer.headers
        assert answer.headers["x-hellgate-version"] == "2.0"

    @pytest.mark.parametrize("token", [None, "", "1", "not-a-uuid", "{{ account_number }}"])
    def test_400_without_a_token_id(self, shop: Shop, token: str | None) -> None:
        answer = shop.forward(token)
        assert (answer.status, answer.json["classifier"]) == (400, "BAD_REQUEST")
        assert answer.paths() == ["header.x-hellgate-token"]

    def test_400_for_every_token_that_cannot_be_used_alike(
        self, shop: Shop, make_shop: Callable[[], Shop], held_clock: Any
    ) -> None:
        deleted = shop.token()
        assert shop.merchant.at(tokens_door).send("DELETE", f"/tokens/{deleted}").status == 204
        tokens = ["00000000-0000-4000-8000-000000000000", deleted, make_shop().token()]
        answers = [shop.forward(token, BODY) for token in tokens]
        assert [answer.status for answer in answers] == [400, 400, 400]
        assert len({answer.body for answer in answers}) == 1
        assert answers[0].paths() == ["header.x-hellgate-token"]

    @pytest.mark.parametrize(
        "url", ["", "x", "/pay", "//allowed.example", "https://", "https:allowed.example", "h" * 3000]
    )
    def test_400_for_what_is_no_url(self, shop: Shop, url: str) -> None:
        answer = shop.forward(shop.token(), headers={"x-destination-url": url})
        assert (answer.status, answer.paths()) == (400, ["header.x-destination-url"])

    @pytest.mark.parametrize("suffix", ["ment", "/../admin", "/%2e%2e/admin", "//x", "/%2f"])
    def test_403_outside_the_listed_path(self, shop: Shop, suffix: str) -> None:
        answer = shop.forward(shop.token(), to=shop.url + suffix)
        assert (answer.status, answer.json["classifier"]) == (403, "FORBIDDEN")
        assert answer.json["message"] == "The destination is not permitted"

    def test_403_for_an_account_that_lists_nothing(self, make_merchant: Callable[..., Merchant], shop: Shop) -> None:
        nobody = Shop(make_merchant(door.handler), shop.url)
        assert nobody.forward(nobody.token()).status == 403

    def test_403_says_nothing_of_the_token(self, shop: Shop) -> None:
        elsewhere = "https://elsewhere.example/"
        known = shop.forward(shop.token(), to=elsewhere)
        unknown = shop.forward("00000000-0000-4000-8000-000000000000", to=elsewhere)
        assert (known.status, known.body) == (403, unknown.body)

    def test_403_where_a_listed_destination_leads_inside(
        self, shop: Shop, provision: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        provision("update_account", account_id=shop.merchant.account_id, forward_destinations=["https://in.example/"])
        monkeypatch.setattr(door._service, "_egress", Egress(resolver=lambda name: ["10.0.0.1"]))
        answer = shop.forward(shop.token(), to="https://in.example/x")
        assert (answer.status, answer.json["message"]) == (403, "The destination is not permitted")

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
    def test_405_for_other_methods(self, shop: Shop, method: str) -> None:
        answer = shop.merchant.send(method, "/forward")
        assert (answer.status, answer.headers["allow"]) == (405, "POST")

    def test_400_for_a_version_that_is_none(self, shop: Shop) -> None:
        answer = shop.forward(shop.token(), headers={"x-hellgate-version": "9"})
        assert (answer.status, answer.paths()) == (400, ["header.x-hellgate-version"])

    def test_413_over_a_mebibyte(self, shop: Shop) -> None:
        assert shop.forward(shop.token(), b" " * 1_048_577).status == 413

    @pytest.mark.parametrize(
        "body",
        ['{"n":"{{ number }}"}', '{"n":{{ account_number }}}', '{"n":"{{ account_number }}"', '{"x":"{{"}', b"\xff"],
    )
    def test_400_for_a_body_that_cannot_be_filled_in(self, shop: Shop, body: str | bytes) -> None:
        answer = shop.forward(shop.token(), body)
        assert (answer.status, answer.paths()) == (400, ["$"])
        assert PAN.encode() not in answer.body

    def test_400_for_headers_that_cannot_be_sent(self, shop: Shop) -> None:
        for headers in ({"x-api-value": "1"}, {"x-a-key": "Host", "x-a-value": "1"}, {"x-b": "\u4e2d"}):
            assert shop.forward(shop.token(), headers=headers).status == 400

    def test_400_for_a_code_or_name_that_was_never_given(self, shop: Shop) -> None:
        assert shop.forward(shop.token(security_code=None), WITH_CODE).status == 400
        assert shop.forward(shop.token(cardholder_name=None), BODY).status == 400

    def test_503_when_names_cannot_be_resolved(
        self, shop: Shop, provision: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(name: str) -> list[str]:
            raise OSError

        provision("update_account", account_id=shop.merchant.account_id, forward_destinations=["https://a.example/"])
        monkeypatch.setattr(door._service, "_egress", Egress(resolver=down))
        answer = shop.forward(shop.token(), to="https://a.example/x")
        assert (answer.status, answer.json["classifier"]) == (503, "SERVICE_UNAVAILABLE")


class TestBadDestinations:
    def test_502_for_what_is_no_http(self, shop: Shop, destination: Destination) -> None:
        destination.answer = [b"SSH-2.0-x\r\n"]
        answer = shop.forward(shop.token(), BODY)
        assert (answer.status, answer.json["classifier"]) == (502, "BAD_GATEWAY")
        assert "x-tollgate-relayed" not in answer.headers

    def test_502_when_it_hangs_up(self, shop: Shop, destination: Destination) -> None:
        destination.script = Visit.reset
        assert shop.forward(shop.token()).status == 502

    def test_502_when_nobody_listens(self, shop: Shop, destination: Destination) -> None:
        destination.peer.__exit__()
        assert shop.forward(shop.token()).status == 502

    def test_502_over_the_limit(self, shop: Shop, destination: Destination) -> None:
        fits = b"x" * service.MOST_ANSWER_BYTES
        destination.answer = [answering("200 OK", fits), answering("200 OK", fits + b"x")]
        answer = shop.forward(shop.token())
        assert (answer.status, len(answer.body)) == (200, len(fits))
        assert shop.forward(shop.token()).status == 502

    def test_502_for_headers_that_cannot_be_handed_on(self, shop: Shop, destination: Destination) -> None:
        destination.answer = [answering("200 OK", b"", *(f"x-{n}: {'y' * 1000}" for n in range(9)))]
        assert shop.forward(shop.token()).status == 502

    @pytest.mark.parametrize("script", [Visit.hang, lambda visit: visit.drip(OK * 100)], ids=["silent", "dripping"])
    def test_504_past_the_deadline(
        self, shop: Shop, destination: Destination, monkeypatch: pytest.MonkeyPatch, script: Callable[[Visit], None]
    ) -> None:
        monkeypatch.setattr(service, "DEADLINE_SECONDS", 1)
        destination.script = script
        answer = shop.forward(shop.token())
        assert (answer.status, answer.json["classifier"]) == (504, "GATEWAY_TIMEOUT")


class TestSecurityCode:
    def test_is_used_up_by_the_first_success(self, shop: Shop, destination: Destination) -> None:
        token = shop.token()
        assert shop.forward(token, WITH_CODE).status == 200
        again = shop.forward(token, WITH_CODE)
        assert (again.status, again.paths()) == (400, ["$"])
        assert shop.forward(token, BODY).status == 200
        assert [json.loads(body).get("c") for body in destination.bodies] == [CODE, None]

    @pytest.mark.parametrize("first", [answering("402 No", b"{}"), answering("500 No", b"{}"), b"nonsense\r\n\r\n"])
    def test_survives_what_is_no_success(self, shop: Shop, destination: Destination, first: bytes) -> None:
        destination.answer = [first, OK]
        token = shop.token()
        assert shop.forward(token, WITH_CODE).status != 200
        assert shop.forward(token, WITH_CODE).status == 200
        assert shop.forward(token, WITH_CODE).status == 400

    def test_survives_a_body_that_cannot_be_filled_in(self, shop: Shop) -> None:
        token = shop.token()
        assert shop.forward(token, WITH_CODE[:-1]).status == 400
        assert shop.forward(token, WITH_CODE).status == 200

    def test_is_untouched_by_a_body_that_does_not_ask_for_it(self, shop: Shop) -> None:
        token = shop.token()
        assert shop.forward(token, BODY).status == 200
        assert shop.forward(token, WITH_CODE).status == 200

    def test_is_gone_after_an_hour(self, shop: Shop, held_clock: Any) -> None:
        token = shop.token()
        held_clock.advance(seconds=3601)
        assert shop.forward(token, WITH_CODE).status == 400
        assert shop.forward(token, BODY).status == 200

    def test_goes_to_one_of_many_at_once(self, shop: Shop, destination: Destination) -> None:
        """All the others are told before the first is answered: while it is taken nobody else has it."""
        token = shop.token()
        taken, told = threading.Event(), threading.Event()

        def hold(visit: Visit) -> None:
            taken.set()
            told.wait(10)
            visit.send(OK)

        destination.script = hold
        statuses: list[int] = []
        first = threading.Thread(target=lambda: statuses.append(shop.forward(token, WITH_CODE).status))
        first.start()
        assert taken.wait(10)
        others = [
            threading.Thread(target=lambda: statuses.append(shop.forward(token, WITH_CODE).status)) for _ in range(5)
        ]
        for other in others:
            other.start()
        for other in others:
            other.join(10)
        told.set()
        first.join(10)
        assert sorted(statuses) == [200, 400, 400, 400, 400, 400]
        assert len(destination.bodies) == 1

    def test_a_success_is_relayed_though_the_code_cannot_be_dropped(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The caller must not take a payment for failed because our store was; the code stays unusable."""
        token = shop.token()

        def fail(_: object) -> None:
            raise ConnectionError

        with monkeypatch.context() as broken:
            broken.setattr(door._service._tokens, "use_up_security_code", fail)
            assert shop.forward(token, WITH_CODE).status == 200
        assert shop.forward(token, WITH_CODE).status == 400

    def test_stays_taken_when_its_user_dies(
        self, shop: Shop, destination: Destination, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody knows whether it was used, so it counts as used."""
        token = shop.token()

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as dying:
            dying.setattr(door._service, "_settle_security_code", die)
            with pytest.raises(KeyboardInterrupt):
                shop.forward(token, WITH_CODE)
        assert len(destination.bodies) == 1
        assert shop.forward(token, WITH_CODE).status == 400

    def test_is_not_brought_back_to_a_token_deleted_meanwhile(self, shop: Shop, destination: Destination) -> None:
        token = shop.token()

        def delete(visit: Visit) -> None:
            assert shop.merchant.at(tokens_door).send("DELETE", f"/tokens/{token}").status == 204
            visit.send(answering("402 No", b"{}"))

        destination.script = delete
        assert shop.forward(token, WITH_CODE).status == 402
        assert shop.forward(token, WITH_CODE).status == 400
        ephemeral = Table(door._settings.vault_ephemeral_table, aws.dynamodb())
        assert ephemeral.get(f"CODE#{shop.merchant.account_id}#{token}", "#") is None


class TestDiscretion:
    def test_logs_the_host_and_the_token_and_nothing_that_was_sent(
        self, shop: Shop, destination: Destination, caplog: pytest.LogCaptureFixture
    ) -> None:
        destination.script = lambda visit: visit.send(answering("200 OK", visit.request))
        token = shop.token()
        caplog.clear()
        assert shop.forward(token, WITH_CODE, to=f"{shop.url}?secret=1", headers={"x-their-key": "sk_1"}).status == 200
        (line,) = [vars(record) for record in caplog.records if record.msg == "request"]
        assert (line["host"], line["token_id"], line["outcome"], line["status"]) == ("127.0.0.1", token, "relayed", 200)
        for secret in (PAN, CODE, "secret", "sk_1", CARD["cardholder_name"], shop.merchant.api_key):
            assert secret not in str(line)

    def test_leaves_no_card_in_any_table(self, shop: Shop, destination: Destination) -> None:
        destination.answer = [answering("500 No", b"{}"), OK]
        token = shop.token()
        assert shop.forward(token, WITH_CODE).status == 500
        assert shop.forward(token, WITH_CODE).status == 200
        client = aws.dynamodb()
        names = client.list_tables()["TableNames"]
        for name in names:
            for page in client.get_paginator("scan").paginate(TableName=name):
                assert PAN not in str(page["Items"])
