"""The merchant resource over HTTP: shapes of the reference, rules between members, lists, races."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.http import Merchant, Response
from vault.merchants.handler import handler

BODY: dict[str, Any] = {
    "company_city": "Berlin",
    "country_code": "DE",
    "legal_name": "Example Merchant",
    "website_url": "https://example.com",
    "3ds_enabled": True,
}
SCHEME = {"name": "visa", "acquirer_bin": "40001", "category_code": "3200", "requestor_id": "123456789.visa"}


@pytest.fixture
def account(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


@pytest.fixture
def other(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


def create(account: Merchant, **changes: Any) -> Response:
    return account.send("POST", "/merchants", json_body={**BODY, **changes})


class TestCreate:
    def test_answers_the_seven_members_of_the_reference(self, account: Merchant) -> None:
        answer = create(account)
        assert answer.status == 200
        assert sorted(answer.json) == [
            "company_city", "country_code", "created_at", "encryption_key", "id", "legal_name", "website_url",
        ]  # fmt: skip

    def test_gives_a_key_of_256_bits_that_begins_as_documented(self, account: Merchant) -> None:
        key = create(account).json["encryption_key"]
        jwk = json.loads(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
        assert key.startswith("eyJhbGc")
        assert (jwk["kty"], jwk["alg"], jwk["enc"]) == ("oct", "dir", "A256GCM")
        assert len(base64.urlsafe_b64decode(jwk["k"] + "=")) == 32

    def test_makes_the_first_one_primary_and_the_others_not(self, account: Merchant) -> None:
        types = [account.send("GET", f"/merchants/{create(account).json['id']}").json["type"] for _ in range(3)]
        assert types == ["primary", "submerchant", "submerchant"]

    def test_makes_one_primary_of_many_at_once(self, account: Merchant) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: create(account), range(12)))
        assert {each.status for each in made} == {200}
        types = [account.send("GET", f"/merchants/{each.json['id']}").json["type"] for each in made]
        assert sorted(types) == ["primary"] + ["submerchant"] * 11

    def test_replays_the_key_under_an_idempotency_key_and_stores_it_sealed(self, account: Merchant) -> None:
        first = account.send("POST", "/merchants", json_body=BODY, headers={"x-idempotency-key": "m"})
        again = account.send("POST", "/merchants", json_body=BODY, headers={"x-idempotency-key": "m"})
        assert first.body == again.body
        assert account.send("GET", "/merchants").json["total_items"] == 1

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"company_city": ""}, "$.company_city"),
            ({"company_city": "  "}, "$.company_city"),
            ({"company_city": None}, "$.company_city"),
            ({"country_code": "DEU"}, "$.country_code"),
            ({"country_code": "XX"}, "$.country_code"),
            ({"country_code": "de"}, "$.country_code"),
            ({"legal_name": "x" * 256}, "$.legal_name"),
            ({"legal_name": 7}, "$.legal_name"),
            ({"website_url": "example.com"}, "$.website_url"),
            ({"3ds_enabled": "true"}, "$.3ds_enabled"),
            ({"3ds_enabled": 1}, "$.3ds_enabled"),
            ({"default_currency": "eur"}, "$.default_currency"),
            ({"default_currency": "XXX"}, "$.default_currency"),
            ({"default_merchant_id": "1"}, "$.schemes"),
            ({"default_merchant_id": 1234567890}, "$.default_merchant_id"),
            ({"schemes": {}}, "$.schemes"),
            ({"schemes": [{"name": "maestro"}]}, "$.schemes[0].name"),
            ({"schemes": [SCHEME, {**SCHEME, "acquirer_bin": "1"}]}, "$.schemes[1].acquirer_bin"),
            ({"schemes": [SCHEME, SCHEME]}, "$.schemes[1].name"),
            ({"schemes": [{"name": "amex"}, {"name": "american express"}]}, "$.schemes[1].name"),
            ({"schemes": [{**SCHEME, "category_code": "32"}]}, "$.schemes[0].category_code"),
            ({"schemes": [{**SCHEME, "merchant_name": ""}]}, "$.schemes[0].merchant_name"),
        ],
    )
    def test_refuses_with_the_path(self, account: Merchant, changes: dict[str, Any], path: str) -> None:
        answer = create(account, **changes)
        assert (answer.status, answer.paths()) == (422, [path])
        assert account.send("GET", "/merchants").json["total_items"] == 0

    def test_names_every_missing_member(self, account: Merchant) -> None:
        answer = account.send("POST", "/merchants", json_body={})
        assert sorted(answer.paths()) == sorted(f"$.{name}" for name in BODY)

    def test_keeps_identification_and_verification_to_the_primary(self, account: Merchant) -> None:
        assert create(account, identity_and_verification_enabled=True).status == 200
        answer = create(account, identity_and_verification_enabled=True)
        assert (answer.status, answer.paths()) == (422, ["$.identity_and_verification_enabled"])


class TestRead:
    def test_answers_the_members_of_the_reference_with_the_key_redacted(self, account: Merchant) -> None:
        made = create(account, default_currency="EUR", default_merchant_id="1234567890", schemes=[SCHEME]).json
        answer = account.send("GET", f"/merchants/{made['id']}").json
        assert answer == {
            **BODY,
            "id": made["id"],
            "created_at": made["created_at"],
            "encryption_key": "eyJhbGciO[redacted]",
            "type": "primary",
            "identity_and_verification_enabled": False,
            "default_currency": "EUR",
            "default_merchant_id": "1234567890",
            "schemes": [{**SCHEME, "requestor_name": None, "merchant_id": None, "merchant_name": None}],
        }

    def test_hides_a_foreign_merchant_from_every_method(self, account: Merchant, other: Merchant) -> None:
        path = f"/merchants/{create(account).json['id']}"
        answers = [
            other.send("GET", path),
            other.send("PATCH", path, json_body={"3ds_enabled": "wrong type"}),
            other.send("DELETE", path),
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({answer.body for answer in answers}) == 1


class TestUpdate:
    def test_changes_what_is_given_and_nothing_else(self, account: Merchant) -> None:
        made = create(account).json
        before = account.send("GET", f"/merchants/{made['id']}").json
        after = account.send("PATCH", f"/merchants/{made['id']}", json_body={"company_city": "Bonn"}).json
        assert after == {**before, "company_city": "Bonn"}
        assert account.send("GET", f"/merchants/{made['id']}").json == after
        assert account.send("GET", "/merchants").json["data"] == [after]

    def test_unsets_with_null_what_is_optional(self, account: Merchant) -> None:
        made = create(account, default_currency="EUR").json
        after = account.send("PATCH", f"/merchants/{made['id']}", json_body={"default_currency": None})
        assert (after.status, after.json["default_currency"]) == (200, None)

    def test_refuses_null_for_what_is_required(self, account: Merchant) -> None:
        made = create(account).json
        answer = account.send("PATCH", f"/merchants/{made['id']}", json_body={"legal_name": None, "3ds_enabled": None})
        assert answer.status == 422
        assert sorted(answer.paths()) == ["$.3ds_enabled", "$.legal_name"]

    def test_holds_the_merchant_as_a_whole_to_the_rules(self, account: Merchant) -> None:
        made = create(account, default_merchant_id="1", schemes=[SCHEME]).json
        answer = account.send("PATCH", f"/merchants/{made['id']}", json_body={"schemes": []})
        assert (answer.status, answer.paths()) == (422, ["$.schemes"])

    def test_moves_the_merchant_in_every_list(self, account: Merchant) -> None:
        first, second = create(account, legal_name="Alpha").json, create(account, legal_name="Beta").json
        account.send("PATCH", f"/merchants/{first['id']}", json_body={"legal_name": "Zeta", "country_code": "US"})
        by_name = account.send("GET", "/merchants?sort=legal_name").json["data"]
        assert [each["legal_name"] for each in by_name] == ["Beta", "Zeta"]
        assert [each["id"] for each in account.send("GET", "/merchants?country_code=US").json["data"]] == [first["id"]]
        assert [each["id"] for each in account.send("GET", "/merchants?country_code=DE").json["data"]] == [second["id"]]

    def test_loses_no_change_of_two_writers(self, account: Merchant) -> None:
        path = f"/merchants/{create(account).json['id']}"
        changes: list[dict[str, Any]] = [{"company_city": "Bonn"}, {"legal_name": "Other"}, {"default_currency": "EUR"}]
        with ThreadPoolExecutor(3) as pool:
            statuses = list(pool.map(lambda change: account.send("PATCH", path, json_body=change).status, changes))
        after = account.send("GET", path).json
        assert statuses == [200, 200, 200]
        assert (after["company_city"], after["legal_name"], after["default_currency"]) == ("Bonn", "Other", "EUR")


class TestDelete:
    def test_removes_a_submerchant_once(self, account: Merchant) -> None:
        create(account)
        path = f"/merchants/{create(account).json['id']}"
        assert [account.send("DELETE", path).status for _ in range(2)] == [204, 404]
        assert account.send("GET", path).status == 404
        assert account.send("GET", "/merchants").json["total_items"] == 1
        assert account.send("GET", "/merchants?sort=legal_name").json["total_items"] == 1

    def test_keeps_the_primary(self, account: Merchant) -> None:
        path = f"/merchants/{create(account).json['id']}"
        answer = account.send("DELETE", path)
        assert (answer.status, answer.json["classifier"]) == (403, "FORBIDDEN")
        assert account.send("GET", path).status == 200

    def test_of_many_at_once_one_succeeds(self, account: Merchant) -> None:
        create(account)
        path = f"/merchants/{create(account).json['id']}"
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: account.send("DELETE", path).status, range(16)))
        assert sorted(statuses) == [204] + [404] * 15


class TestList:
    def test_sorts_by_name_without_regard_to_case_and_by_time(self, account: Merchant) -> None:
        for name in ("beta", "Alpha", "Gamma", "alpha"):
            create(account, legal_name=name)

        def names(query: str) -> list[str]:
            return [each["legal_name"] for each in account.send("GET", f"/merchants?{query}").json["data"]]

        assert names("sort=legal_name+asc") == ["Alpha", "alpha", "beta", "Gamma"]
        assert names("sort=legal_name+desc") == ["Gamma", "beta", "alpha", "Alpha"]
        assert names("sort=legal_name&limit=2&page=2") == ["beta", "Gamma"]
        assert names("") == ["alpha", "Gamma", "Alpha", "beta"]
        assert names("sort=created_at+asc") == ["beta", "Alpha", "Gamma", "alpha"]

    def test_filters_by_country_in_both_codes(self, account: Merchant) -> None:
        for country in ("DE", "US", "AU"):
            create(account, country_code=country)
        listed = account.send("GET", "/merchants?country_code=US,AUS").json
        assert [each["country_code"] for each in listed["data"]] == ["AU", "US"]
        assert account.send("GET", "/merchants?country_code=US,AUS&sort=legal_name").json["total_items"] == 2

    @pytest.mark.parametrize(
        ("query", "path"),
        [
            ("country_code=ZZ", "query.country_code"),
            ("country_code=", "query.country_code"),
            ("sort=id", "query.sort"),
            ("limit=1e1", "query.limit"),
            ("from=2026-02-30", "query.from"),
        ],
    )
    def test_refuses_nonsense_with_its_path(self, account: Merchant, query: str, path: str) -> None:
        answer = account.send("GET", f"/merchants?{query}")
        assert (answer.status, answer.paths()) == (422, [path])
