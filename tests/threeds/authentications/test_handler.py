"""The merchant's routes over HTTP: every refusal, tenancy, the list."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.http import Merchant, send
from tests.support.session import HeldClock
from tests.threeds import conftest
from tests.threeds.conftest import INSTALMENTS, PAYMENT, SERIES, Shop
from tests.threeds.network import Network
from threeds.authentications.handler import handler

NOBODY = "00000000-0000-4000-8000-000000000000"
ROUTES = {"cof": PAYMENT, "recurring": SERIES, "installment": INSTALMENTS}


def body_of(kind: str, shop: Shop) -> dict[str, Any]:
    return {**ROUTES[kind], "token_id": shop.token(conftest.FRICTIONLESS)}


class TestCreate:
    @pytest.mark.parametrize(
        ("kind", "type_"),
        [("cof", "COF_PAYMENT"), ("recurring", "INITIAL_RECURRING"), ("installment", "INITIAL_INSTALLMENT")],
    )
    def test_answers_what_was_asked_for(self, shop: Shop, kind: str, type_: str) -> None:
        body = {**body_of(kind, shop), "purchase_date": "20240229235959", "challenge_preference": "NO_CHALLENGE"}
        answer = shop.ask(kind, **body)
        assert (answer.status, answer.json["type"], answer.json["status"]) == (200, type_, "COMPLETED")
        assert {name: answer.json[name] for name in body} == body

    def test_takes_the_merchant_named(self, shop: Shop) -> None:
        second = shop.merchant(legal_name="Second")["id"]
        assert shop.pay(conftest.FRICTIONLESS, merchant_id=second)["merchant_id"] == second
        assert shop.pay(conftest.FRICTIONLESS, merchant_id=None)["merchant_id"] != second

    def test_ignores_members_it_does_not_know(self, shop: Shop) -> None:
        answer = shop.ask(**body_of("cof", shop), surprise="4111111111111111")
        assert answer.status == 200
        assert b"surprise" not in answer.body

    @pytest.mark.parametrize(
        ("kind", "changes", "paths"),
        [
            ("cof", {"amount": None}, ["$.amount"]),
            ("cof", {"amount": -1}, ["$.amount"]),
            ("cof", {"amount": 1.5}, ["$.amount"]),
            ("cof", {"amount": "100"}, ["$.amount"]),
            ("cof", {"amount": True}, ["$.amount"]),
            ("cof", {"amount": 2**53}, ["$.amount"]),
            ("cof", {"currency_code": "eur"}, ["$.currency_code"]),
            ("cof", {"currency_code": "XXX"}, ["$.currency_code"]),
            ("cof", {"token_id": "1"}, ["$.token_id"]),
            ("cof", {"token_id": ""}, ["$.token_id"]),
            ("cof", {"merchant_id": "1"}, ["$.merchant_id"]),
            ("cof", {"challenge_preference": "PLEASE"}, ["$.challenge_preference"]),
            ("cof", {"challenge_preference": ""}, ["$.challenge_preference"]),
            ("cof", {"purchase_date": ""}, ["$.purchase_date"]),
            ("cof", {"purchase_date": "20230229120000"}, ["$.purchase_date"]),
            ("cof", {"purchase_date": "20231301120000"}, ["$.purchase_date"]),
            ("cof", {"purchase_date": "20230101240000"}, ["$.purchase_date"]),
            ("cof", {"purchase_date": "20230101126000"}, ["$.purchase_date"]),
            ("cof", {"purchase_date": "20230101120060"}, ["$.purchase_date"]),
            ("cof", {"purchase_date": "2023010112000"}, ["$.purchase_date"]),
            ("cof", {"purchase_date": "202301011200000"}, ["$.purchase_date"]),
            ("cof", {"purchase_date": "2023-01-01T12:"}, ["$.purchase_date"]),
            ("cof", {"purchase_date": "２0230101120000"}, ["$.purchase_date"]),
            ("cof", {"purchase_date": 20230101120000}, ["$.purchase_date"]),
            ("recurring", {"recurring_expiry": None}, ["$.recurring_expiry"]),
            ("recurring", {"recurring_expiry": "20230230"}, ["$.recurring_expiry"]),
            ("recurring", {"recurring_expiry": "2099-1-1"}, ["$.recurring_expiry"]),
            ("recurring", {"recurring_expiry": "20200101"}, ["$.recurring_expiry"]),
            ("recurring", {"recurring_frequency": 0}, ["$.recurring_frequency"]),
            ("recurring", {"recurring_frequency": -1}, ["$.recurring_frequency"]),
            ("recurring", {"recurring_frequency": 10000}, ["$.recurring_frequency"]),
            ("recurring", {"recurring_frequency": "28"}, ["$.recurring_frequency"]),
            ("installment", {"number_of_installments": None}, ["$.number_of_installments"]),
            ("installment", {"number_of_installments": 0}, ["$.number_of_installments"]),
            ("installment", {"number_of_installments": 1}, ["$.number_of_installments"]),
            ("installment", {"number_of_installments": 1000}, ["$.number_of_installments"]),
            ("installment", {"amount": -1, "recurring_frequency": 0}, ["$.amount", "$.recurring_frequency"]),
        ],
    )
    def test_names_every_fault(
        self, shop: Shop, network: Network, kind: str, changes: dict[str, Any], paths: list[str]
    ) -> None:
        answer = shop.ask(kind, **{**ROUTES[kind], "token_id": NOBODY, **changes})
        assert (answer.status, answer.json["classifier"]) == (422, "VALIDATION_ERROR")
        assert sorted(answer.paths()) == paths
        assert network.sent == []

    @pytest.mark.parametrize("kind", ROUTES)
    def test_needs_every_required_member(self, shop: Shop, kind: str) -> None:
        answer = shop.ask(kind)
        assert answer.status == 422
        assert set(answer.paths()) == {f"$.{name}" for name in (*ROUTES[kind], "token_id")}

    @pytest.mark.parametrize("kind", [*ROUTES, "subsequent"])
    @pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", "NaN", b"\xff"])
    def test_refuses_what_is_no_object(self, shop: Shop, kind: str, body: str | bytes) -> None:
        assert shop.send("POST", f"/authentications/{kind}", body=body).status == 422

    @pytest.mark.parametrize(
        ("amount", "currency", "expiry"),
        [(0, "EUR", "20240229"), (100, "JPY", "20240301"), (2**53 - 1, "KWD", "20991231")],
    )
    def test_takes_the_edges(self, shop: Shop, amount: int, currency: str, expiry: str) -> None:
        made = shop.begin(
            "installment", amount=amount, currency_code=currency, purchase_date="20240229000000",
            recurring_expiry=expiry, recurring_frequency=9999, number_of_installments=999,
        )  # fmt: skip
        assert (made["status"], made["amount"], made["currency_code"]) == ("COMPLETED", amount, currency)

    def test_dates_are_utc_and_default_to_now(self, shop: Shop, held_clock: HeldClock) -> None:
        assert shop.pay(conftest.FRICTIONLESS)["purchase_date"] == held_clock.now().strftime("%Y%m%d%H%M%S")
        today = held_clock.now().strftime("%Y%m%d")
        assert shop.begin(recurring_expiry=today)["status"] == "COMPLETED"

    def test_hides_what_is_not_the_callers(self, shop: Shop, other_shop: Shop, network: Network) -> None:
        foreign = shop.token(conftest.FRICTIONLESS)
        absent = other_shop.ask(**PAYMENT, token_id=NOBODY)
        assert (absent.status, absent.json["classifier"]) == (404, "NOT_FOUND")
        assert other_shop.ask(**PAYMENT, token_id=foreign).body == absent.body
        foreign_merchant = shop.pay(conftest.FRICTIONLESS)["merchant_id"]
        body = {**PAYMENT, "token_id": other_shop.token(conftest.FRICTIONLESS), "merchant_id": foreign_merchant}
        assert other_shop.ask(**body).status == 404
        assert other_shop.send("GET", "/authentications").json["total_items"] == 0

    def test_finds_no_token_that_was_deleted_or_has_expired(self, shop: Shop) -> None:
        token_id = shop.token(conftest.FRICTIONLESS)
        shop.delete_token(token_id)
        assert shop.ask(**PAYMENT, token_id=token_id).status == 404

    @pytest.mark.parametrize(
        ("changes", "account_number"),
        [
            ({"3ds_enabled": False}, conftest.FRICTIONLESS),
            ({"schemes": [{"name": "mastercard"}]}, conftest.FRICTIONLESS),
            ({"schemes": None}, conftest.FRICTIONLESS),
            ({}, "6759649826438453"),
        ],
    )
    def test_fails_where_the_merchant_is_not_set_up(
        self, shop: Shop, network: Network, changes: dict[str, Any], account_number: str
    ) -> None:
        merchant_id = shop.merchant(legal_name="Second", **changes)["id"]
        made = shop.pay(account_number, merchant_id=merchant_id)
        (detail,) = made["failure_details"]
        assert (made["status"], detail["reason"], detail["source"]) == ("FAILED", "merchant_not_configured", "merchant")
        assert made["finished_at"] is not None
        assert made["authentication_result"] is made["action_requirement"] is None
        assert network.sent == []
        assert shop.read(made) == made

    def test_fails_where_there_is_no_merchant(self, make_merchant: Callable[..., Merchant], network: Network) -> None:
        made = Shop(make_merchant(handler)).pay(conftest.FRICTIONLESS)
        assert (made["status"], made["merchant_id"]) == ("FAILED", None)
        assert made["failure_details"][0]["reason"] == "merchant_not_configured"

    @pytest.mark.parametrize("name", ["amex", "american express"])
    def test_knows_a_scheme_by_all_its_names(self, shop: Shop, name: str, network: Network) -> None:
        merchant_id = shop.merchant(schemes=[{"name": name, "requestor_id": "mine"}])["id"]
        shop.pay(conftest.REJECTED, merchant_id=merchant_id)
        assert network.messages("AReq")[0]["threeDSRequestorID"] == "mine"


class TestAccess:
    TARGETS = (
        ("POST", "/authentications/cof"),
        ("POST", "/authentications/recurring"),
        ("POST", "/authentications/installment"),
        ("POST", "/authentications/subsequent"),
        ("GET", "/authentications"),
        ("GET", f"/authentications/{NOBODY}"),
    )

    @pytest.mark.parametrize(("method", "target"), TARGETS)
    @pytest.mark.parametrize(
        "headers", [{}, {"x-api-key": "wrong"}, {"authorization": "Bearer x"}], ids=["none", "wrong", "bearer"]
    )
    def test_takes_an_api_key_alone(self, method: str, target: str, headers: dict[str, str]) -> None:
        answer = send(handler, method, target, headers=headers, body="{")
        assert (answer.status, answer.json["classifier"]) == (401, "UNAUTHORIZED")
        assert answer.headers["x-hellgate-version"] == "2.0"

    @pytest.mark.parametrize(
        ("method", "target", "allowed"),
        [
            ("GET", "/authentications/cof", "POST"),
            ("DELETE", f"/authentications/{NOBODY}", "GET"),
            ("GET", "/authentications/results", "POST"),
            ("POST", "/authentications", "GET"),
            ("PUT", f"/authentications/challenges/{NOBODY}", "GET, POST"),
        ],
    )
    def test_says_which_methods_there_are(self, shop: Shop, method: str, target: str, allowed: str) -> None:
        answer = shop.send(method, target)
        assert (answer.status, answer.headers["allow"]) == (405, allowed)


class TestRead:
    @pytest.mark.parametrize("account_number", [conftest.FRICTIONLESS, conftest.REFUSED])
    def test_answers_what_the_creation_answered(self, shop: Shop, account_number: str) -> None:
        answer = shop.ask(**PAYMENT, token_id=shop.token(account_number))
        made = answer.json
        assert shop.send("GET", f"/authentications/{made['id']}").body == answer.body
        assert shop.read({"id": made["id"].upper()}) == made

    def test_hides_a_foreign_one(self, shop: Shop, other_shop: Shop) -> None:
        made = shop.pay(conftest.FRICTIONLESS)
        foreign = other_shop.send("GET", f"/authentications/{made['id']}")
        assert (foreign.status, foreign.body) == (404, other_shop.send("GET", f"/authentications/{NOBODY}").body)

    @pytest.mark.parametrize("id_", ["1", "%00", "x" * 3000, "..", "%2e%2e%2f", "%ff"])
    def test_answers_404_to_what_is_no_id(self, shop: Shop, id_: str) -> None:
        assert shop.send("GET", f"/authentications/{id_}").status == 404


class TestList:
    def test_is_in_the_familys_envelope_newest_first(self, shop: Shop) -> None:
        made = [shop.pay(conftest.FRICTIONLESS), shop.pay(conftest.REFUSED), shop.pay(conftest.CHALLENGE)]
        answer = shop.send("GET", "/authentications").json
        assert answer["data"] == list(reversed(made))
        pagination = {"current_page": 1, "page_size": 50, "total_items": 3, "total_pages": 1}
        assert answer["pagination"] == pagination
        assert {name: answer[name] for name in pagination} == pagination

    def test_shows_an_authentication_as_it_now_is(self, shop: Shop) -> None:
        from tests.threeds import browser

        made = shop.pay(conftest.CHALLENGE)
        browser.post(made["action_requirement"]["target_url"], {"cancel": "1"})
        (listed,) = shop.send("GET", "/authentications").json["data"]
        assert listed == shop.read(made) != made

    def test_filters_by_type(self, shop: Shop) -> None:
        cof, recurring = shop.pay(conftest.FRICTIONLESS), shop.begin()
        installment = shop.begin("installment")

        def ids(types: str) -> list[str]:
            answer = shop.send("GET", f"/authentications?type={types}").json
            assert answer["total_items"] == len(answer["data"])
            return [each["id"] for each in answer["data"]]

        assert ids("COF_PAYMENT") == [cof["id"]]
        assert ids("initial_recurring") == [recurring["id"]]
        assert ids("INITIAL_INSTALLMENT,COF_PAYMENT") == [installment["id"], cof["id"]]
        assert ids("SUBSEQUENT_RECURRING") == []

    def test_goes_page_by_page(self, shop: Shop) -> None:
        made = [shop.pay(conftest.FRICTIONLESS)["id"] for _ in range(3)]
        pages = [shop.send("GET", f"/authentications?limit=2&page={page}").json for page in (1, 2, 3)]
        assert [[each["id"] for each in page["data"]] for page in pages] == [[made[2], made[1]], [made[0]], []]
        assert {page["total_pages"] for page in pages} == {2}

    @pytest.mark.parametrize(
        ("query", "path"),
        [
            ("limit=0", "query.limit"),
            ("limit=501", "query.limit"),
            ("limit=", "query.limit"),
            ("page=0", "query.page"),
            ("page=x", "query.page"),
            ("type=COF", "query.type"),
            ("type=", "query.type"),
            ("type=COF_PAYMENT&type=COF_PAYMENT", "query.type"),
        ],
    )
    def test_refuses_bad_queries(self, shop: Shop, query: str, path: str) -> None:
        answer = shop.send("GET", f"/authentications?{query}")
        assert (answer.status, answer.paths()) == (422, [path])

    def test_is_each_accounts_own(self, shop: Shop, other_shop: Shop) -> None:
        shop.pay(conftest.FRICTIONLESS)
        assert json.loads(other_shop.send("GET", "/authentications").body)["data"] == []
