"""The token resource over HTTP: shapes of the reference, every refusal, tenancy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.http import Merchant, Response, send
from tests.vault.tokens.samples import CARD
from vault.tokens.handler import handler

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def merchant(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


@pytest.fixture
def other(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


def import_card(merchant: Merchant, **changes: Any) -> Response:
    return merchant.send("POST", "/cde-import", json_body={**CARD, **changes})


class TestImport:
    def test_answers_the_token_of_the_reference(self, merchant: Merchant) -> None:
        answer = import_card(merchant)
        token = answer.json
        assert answer.status == 200
        assert UUID4.fullmatch(token["id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", token["created_at"])
        assert {name: value for name, value in token.items() if name not in ("id", "created_at")} == {
            "cardholder_name": "John Doe",
            "expiry_month": 4,
            "expiry_year": 2033,
            "expires_at": None,
            "issuer_identification_number": "424242",
            "masked_account_number": "424242******4242",
            "network_token_status": "not_available",
            "scheme": "VISA",
        }

    def test_makes_a_new_token_for_a_card_seen_before(self, merchant: Merchant) -> None:
        assert import_card(merchant).json["id"] != import_card(merchant).json["id"]

    def test_needs_neither_name_nor_security_code(self, merchant: Merchant) -> None:
        body = {name: CARD[name] for name in ("account_number", "expiry_month", "expiry_year")}
        answer = merchant.send("POST", "/cde-import", json_body=body)
        assert (answer.status, answer.json["cardholder_name"]) == (200, None)

    def test_ignores_members_it_does_not_know_and_never_repeats_them(self, merchant: Merchant) -> None:
        answer = import_card(merchant, surprise="4111111111111111")
        assert answer.status == 200
        assert b"surprise" not in answer.body

    def test_names_every_fault_with_its_path_and_no_value(self, merchant: Merchant) -> None:
        answer = import_card(
            merchant, account_number="4242424242424241", expiry_month=13, expiry_year="2033", security_code="12a"
        )
        assert answer.status == 422
        assert answer.json["classifier"] == "VALIDATION_ERROR"
        assert answer.json["code"] == answer.json["status"] == 422
        assert sorted(answer.paths()) == ["$.account_number", "$.expiry_month", "$.expiry_year", "$.security_code"]
        assert b"4242424242424241" not in answer.body
        assert b"12a" not in answer.body

    @pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", "1", '{"account_number": NaN}', "{}", b"\xff\xfe"])
    def test_refuses_what_is_not_a_card(self, merchant: Merchant, body: str | bytes) -> None:
        answer = merchant.send("POST", "/cde-import", body=body, headers={"content-type": "application/json"})
        assert answer.status == 422
        assert answer.paths()

    def test_refuses_a_body_over_a_mebibyte(self, merchant: Merchant) -> None:
        exact = json.dumps({**CARD, "filler": ""})
        filler = "x" * (1_048_576 - len(exact))
        fits = merchant.send("POST", "/cde-import", body=json.dumps({**CARD, "filler": filler}))
        over = merchant.send("POST", "/cde-import", body=json.dumps({**CARD, "filler": filler + "x"}))
        assert (fits.status, over.status) == (200, 413)
        assert over.json["classifier"] == "PAYLOAD_TOO_LARGE"

    def test_refuses_another_content_type(self, merchant: Merchant) -> None:
        answer = merchant.send("POST", "/cde-import", body="a=1", headers={"content-type": "text/plain"})
        assert (answer.status, answer.json["classifier"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


class TestRead:
    def test_answers_what_the_import_answered(self, merchant: Merchant) -> None:
        made = import_card(merchant).json
        answer = merchant.send("GET", f"/tokens/{made['id']}")
        assert (answer.status, answer.json) == (200, made)

    def test_takes_an_id_in_upper_case(self, merchant: Merchant) -> None:
        made = import_card(merchant).json
        assert merchant.send("GET", f"/tokens/{made['id'].upper()}").json == made

    def test_hides_a_foreign_token(self, merchant: Merchant, other: Merchant) -> None:
        made = import_card(merchant).json
        foreign = other.send("GET", f"/tokens/{made['id']}")
        absent = other.send("GET", "/tokens/00000000-0000-4000-8000-000000000000")
        assert (foreign.status, foreign.body) == (404, absent.body)

    @pytest.mark.parametrize("id_", ["1", "not-a-uuid", "%00", "x" * 3000, "..", "%2e%2e%2f", "%ff%fe"])
    def test_answers_404_to_what_is_no_id(self, merchant: Merchant, id_: str) -> None:
        answer = merchant.send("GET", f"/tokens/{id_}")
        assert (answer.status, answer.json["classifier"]) == (404, "NOT_FOUND")


class TestDelete:
    def test_removes_the_token_for_good(self, merchant: Merchant) -> None:
        made = import_card(merchant).json
        path = f"/tokens/{made['id']}"
        gone = merchant.send("DELETE", path)
        assert (gone.status, gone.body) == (204, b"")
        assert merchant.send("GET", path).status == 404
        assert merchant.send("DELETE", path).status == 404
        assert merchant.send("GET", "/tokens").json["total_items"] == 0

    def test_leaves_a_foreign_token_alone(self, merchant: Merchant, other: Merchant) -> None:
        made = import_card(merchant).json
        assert other.send("DELETE", f"/tokens/{made['id']}").status == 404
        assert merchant.send("GET", f"/tokens/{made['id']}").status == 200


class TestCredentials:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"x-api-key": ""},
            {"x-api-key": "tg_sbx_0000000000000000_" + "A" * 43},
            {"x-api-key": "\u00e9"},
            {"authorization": "Bearer x"},
            {"authorization": "Basic eDp5"},
        ],
    )
    def test_are_required(self, headers: dict[str, str]) -> None:
        for method, path in (
            ("POST", "/cde-import"),
            ("GET", "/tokens"),
            ("GET", "/tokens/x"),
            ("DELETE", "/tokens/x"),
        ):
            answer = send(handler, method, path, headers=headers, json_body=CARD)
            assert answer.status == 401
            assert answer.json == {
                "code": 401,
                "status": 401,
                "classifier": "UNAUTHORIZED",
                "message": "No valid means of authentication was provided",
            }

    def test_must_have_the_right_secret(self, merchant: Merchant) -> None:
        forged = merchant.api_key[:-1] + ("A" if merchant.api_key[-1] != "A" else "B")
        assert send(handler, "GET", "/tokens", headers={"x-api-key": forged}).status == 401

    def test_must_both_hold_when_both_are_sent(self, merchant: Merchant) -> None:
        assert merchant.send("GET", "/tokens", headers={"authorization": "Bearer forged"}).status == 401


class TestConventions:
    def test_echo_the_version_on_every_answer(self, merchant: Merchant) -> None:
        answers = [
            import_card(merchant),
            merchant.send("GET", "/tokens/x"),
            send(handler, "GET", "/tokens"),
            merchant.send("PUT", "/tokens"),
            merchant.send("GET", "/tokens", headers={"x-hellgate-version": "9"}),
        ]
        assert [answer.status for answer in answers] == [200, 404, 401, 405, 422]
        assert {answer.headers["x-hellgate-version"] for answer in answers} == {"2.0"}

    def test_refuse_an_unknown_version_at_its_header(self, merchant: Merchant) -> None:
        answer = merchant.send("GET", "/tokens", headers={"x-hellgate-version": "1999"})
        assert answer.paths() == ["header.x-hellgate-version"]

    def test_name_the_methods_that_are_allowed(self, merchant: Merchant) -> None:
        answer = merchant.send("PUT", "/tokens/x")
        assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET")


class TestList:
    @pytest.mark.parametrize(
        ("query", "path"),
        [
            ("limit=0", "query.limit"),
            ("limit=501", "query.limit"),
            ("limit=abc", "query.limit"),
            ("limit=", "query.limit"),
            ("limit=-1", "query.limit"),
            ("limit=1.0", "query.limit"),
            ("limit=1&limit=2", "query.limit"),
            ("page=0", "query.page"),
            ("page=x", "query.page"),
            ("sort=legal_name", "query.sort"),
            ("sort=created_at+up", "query.sort"),
            ("scheme=VISA,bogus", "query.scheme"),
            ("network_token_status=active,", "query.network_token_status"),
            ("from=2026-13-01", "query.from"),
            ("from=yesterday", "query.from"),
            ("from=2026-01-02&to=2026-01-01", "query.from"),
            ("business_key=", "query.business_key"),
            ("business_key=" + "x" * 256, "query.business_key"),
        ],
    )
    def test_refuses_nonsense_with_its_path(self, merchant: Merchant, query: str, path: str) -> None:
        answer = merchant.send("GET", f"/tokens?{query}")
        assert (answer.status, answer.paths()) == (422, [path])

    def test_carries_both_forms_of_the_envelope(self, merchant: Merchant) -> None:
        for _ in range(3):
            import_card(merchant)
        answer = merchant.send("GET", "/tokens?limit=2").json
        four = {"current_page": 1, "page_size": 2, "total_items": 3, "total_pages": 2}
        assert answer["pagination"] == four
        assert {name: answer[name] for name in four} == four
        assert len(answer["data"]) == 2

    def test_is_empty_past_the_end_with_true_totals(self, merchant: Merchant) -> None:
        import_card(merchant)
        answer = merchant.send("GET", "/tokens?page=7").json
        assert (answer["data"], answer["total_items"], answer["total_pages"]) == ([], 1, 1)

    def test_is_empty_for_a_new_account(self, merchant: Merchant) -> None:
        answer = merchant.send("GET", "/tokens").json
        assert (answer["data"], answer["total_items"], answer["total_pages"]) == ([], 0, 0)

    @pytest.mark.parametrize("sort", ["created_at+asc", "created_at%20asc", "created_at%2Basc", "created_at"])
    def test_sorts_both_ways(self, merchant: Merchant, sort: str) -> None:
        made = [import_card(merchant).json["id"] for _ in range(4)]
        up = [each["id"] for each in merchant.send("GET", f"/tokens?sort={sort}").json["data"]]
        down = [each["id"] for each in merchant.send("GET", "/tokens?sort=created_at+desc").json["data"]]
        assert up == made
        assert down == list(reversed(made))

    def test_filters_by_scheme_in_any_case(self, merchant: Merchant) -> None:
        import_card(merchant)
        import_card(merchant, account_number="5555555555554444")
        import_card(merchant, account_number="378282246310005", security_code=None)
        listed = merchant.send("GET", "/tokens?scheme=visa,American%20Express").json
        assert [each["scheme"] for each in listed["data"]] == ["American Express", "VISA"]
        assert listed["total_items"] == 2

    def test_filters_by_status(self, merchant: Merchant) -> None:
        import_card(merchant)
        assert merchant.send("GET", "/tokens?network_token_status=active").json["total_items"] == 0
        assert merchant.send("GET", "/tokens?network_token_status=active,not_available").json["total_items"] == 1

    def test_filters_by_time_inclusively(self, merchant: Merchant, held_clock: Any) -> None:
        ids = []
        for _ in range(3):
            ids.append(import_card(merchant).json["id"])
            held_clock.advance(days=1)
        first = held_clock.at.date().fromordinal(held_clock.at.date().toordinal() - 3)
        second = first.fromordinal(first.toordinal() + 1)
        assert [t["id"] for t in merchant.send("GET", f"/tokens?from={second}&to={second}").json["data"]] == [ids[1]]
        assert merchant.send("GET", f"/tokens?from={second}").json["total_items"] == 2
        assert merchant.send("GET", f"/tokens?to={second}").json["total_items"] == 2

    def test_finds_nothing_by_an_unknown_business_key(self, merchant: Merchant) -> None:
        import_card(merchant)
        assert merchant.send("GET", "/tokens?business_key=%25").json["total_items"] == 0
