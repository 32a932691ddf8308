"""Customers through their door: what a merchant does with them, and everything that is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from payments.customers.handler import handler
from tests.payments.conftest import MakeTenant
from tests.payments.customers.conftest import Create, Get
from tests.support.payments import Merchant
from tollgate import aws

LARGEST = 2**63


class TestLife:
    def test_creates_reads_lists_searches_updates_deletes(self, merchant: Merchant, create: Create, get: Get) -> None:
        made = create(customerId="c-1", givenName="Jane", emailAddress="jane@example.com", language="de-CH")
        assert made["version"] == 1
        assert made["linkedSpaceId"] == merchant.space_id
        path = f"/customers/{made['id']}"
        assert get(path).json == made
        assert get("/customers").json == {"data": [made], "hasMore": False, "limit": 10}
        found = {"data": [made], "hasMore": False, "limit": 10, "offset": 0}
        assert get("/customers/search?query=customerId:C-1").json == found
        after = merchant.call(None, "PATCH", path, {"version": 1, "familyName": "Doe", "givenName": None})
        assert after.status == 200
        assert after.json == {name: each for name, each in made.items() if name != "givenName"} | {
            "version": 2,
            "familyName": "Doe",
        }
        assert get(path).json == after.json
        assert [merchant.call(None, "DELETE", path).status for _ in range(2)] == [204, 404]
        assert get(path).status == 404
        assert get("/customers").json["data"] == get("/customers/search?query=customerId:c-1").json["data"] == []

    def test_creation_time_is_in_the_id(self, create: Create, get: Get) -> None:
        made = create()
        assert get(f"/customers/search?query=createdOn:%22{made['createdOn']}%22").json["data"] == [made]
        assert create()["id"] > made["id"]

    def test_post_on_an_item_is_an_update(self, merchant: Merchant, create: Create) -> None:
        path = f"/customers/{create(metaData={'a': 'b'})['id']}?expand=metaData"
        body = {"version": 1, "givenName": "Jane", "familyName": "Doe"}
        answer = merchant.call(None, "POST", path, body, base="/api/v2")
        assert (answer.status, answer.json["givenName"], answer.json["metaData"]) == (200, "Jane", {"a": "b"})
        assert merchant.call(None, "POST", path, body).status == 409

    def test_unknown_members_are_ignored(self, create: Create) -> None:
        made = create(id=5, version=9, nothing="x", linkedSpaceId=1)
        assert made["id"] != 5
        assert made["version"] == 1


class TestRefusals:
    @pytest.mark.parametrize("number", ["0", "-1", "abc", "1", str(LARGEST), "01", "1.0", "%31x"])
    def test_ids_that_are_none(self, merchant: Merchant, get: Get, number: str) -> None:
        answers = [
            get(f"/customers/{number}"),
            merchant.call(None, "PATCH", f"/customers/{number}", {"version": "wrong"}),
            merchant.call(None, "DELETE", f"/customers/{number}"),
            get(f"/customers/{number}/email-addresses?expand=wrong"),
            merchant.call(None, "POST", f"/customers/{number}/merge/1"),
            get(f"/customers/{number}/addresses?limit=0"),
        ]
        assert [answer.status for answer in answers] == [404] * len(answers)
        assert {answer.json["code"] for answer in answers} == {"not_found"}

    def test_a_foreign_space_is_closed(self, create: Create, make_tenant: MakeTenant, merchant: Merchant) -> None:
        made = create()
        stranger = make_tenant(handler)
        path = f"/customers/{made['id']}"
        assert stranger.call(None, "GET", path).status == 404
        assert stranger.call(None, "GET", path, space=merchant.space_id).status == 403
        assert stranger.call(None, "GET", path, space=None).status == 400
        for method, body in (("PATCH", {"version": 1}), ("DELETE", None), ("POST", {"version": 1})):
            assert stranger.call(None, method, path, body).status == 404
        bulk = stranger.call(None, "DELETE", "/customers/bulk", [made["id"]])
        assert bulk.json[0]["statusCode"] == 404
        assert merchant.call(None, "GET", path).json == made

    @pytest.mark.parametrize(
        ("members", "status", "errors"),
        [
            ({"customerId": 7}, 400, ["customerId"]),
            ({"metaData": []}, 400, ["metaData"]),
            ({"metaData": {"a": 1}}, 400, ["metaData"]),
            ({"metaData": {"a": None}}, 400, ["metaData"]),
            ({"emailAddress": True, "givenName": 5}, 400, ["emailAddress", "givenName"]),
            ({"givenName": 5, "familyName": "x" * 101}, 400, ["givenName"]),
            ({"customerId": "x" * 101}, 422, ["customerId"]),
            ({"customerId": "ümlaut"}, 422, ["customerId"]),
            ({"emailAddress": "jane"}, 422, ["emailAddress"]),
            ({"emailAddress": "j@" + "x" * 250 + ".ch"}, 422, ["emailAddress"]),
            ({"familyName": "x" * 101}, 422, ["familyName"]),
            ({"preferredCurrency": "eur"}, 422, ["preferredCurrency"]),
            ({"preferredCurrency": "XXX"}, 422, ["preferredCurrency"]),
            ({"language": "deutsch"}, 422, ["language"]),
            ({"metaData": {"": "x"}}, 422, ["metaData"]),
            ({"metaData": {"k" * 41: "x"}}, 422, ["metaData"]),
            ({"metaData": {"k": "😀" * 513}}, 422, ["metaData"]),
            ({"metaData": {str(n): "x" for n in range(26)}}, 422, ["metaData"]),
        ],
    )
    def test_bodies(
        self, merchant: Merchant, get: Get, members: dict[str, Any], status: int, errors: list[str]
    ) -> None:
        answer = merchant.call(None, "POST", "/customers", members)
        assert (answer.status, sorted(answer.json["errors"])) == (status, errors)
        assert get("/customers").json["data"] == []

    @pytest.mark.parametrize(
        "body", ["", "{", "[]", "null", '"x"', '{"a":1}x', '{"a":1,"a":2}', '{"givenName":"\\ud800"}']
    )
    def test_texts_that_are_no_object(self, merchant: Merchant, body: str) -> None:
        answer = merchant.call(None, "POST", "/customers", raw=body, headers={"content-type": "application/json"})
        assert answer.status == 400
        assert set(answer.json) == {"date", "id", "code", "message", "errors"}

    def test_what_was_sent_is_not_repeated(self, merchant: Merchant) -> None:
        secret = "s3cret-value"
        answer = merchant.call(None, "POST", "/customers", {"emailAddress": secret, "metaData": {secret: "x" * 600}})
        assert secret.encode() not in answer.body
        answer = merchant.call(None, "GET", f"/customers/search?query={secret}:1&order={secret}&expand={secret}")
        assert answer.status == 400
        assert secret.encode() not in answer.body


class TestMetadata:
    def test_limits_pass_exactly(self, create: Create, get: Get) -> None:
        metadata = {f"{n:02d}" + "k" * 38: "😀" * 512 for n in range(24)} | {'a."b"': " "}
        made = create(metaData=metadata)
        assert "metaData" not in made
        assert get(f"/customers/{made['id']}?expand=metaData").json["metaData"] == metadata

    def test_is_replaced_as_a_whole_and_cleared_by_null(self, merchant: Merchant, create: Create, get: Get) -> None:
        path = f"/customers/{create(metaData={'a': '1', 'b': '2'})['id']}"
        shown = f"{path}?expand=metaData"
        assert merchant.call(None, "PATCH", path, {"version": 1}).json["version"] == 2
        assert get(shown).json["metaData"] == {"a": "1", "b": "2"}
        merchant.call(None, "PATCH", path, {"version": 2, "metaData": {"c": ""}})
        assert get(shown).json["metaData"] == {"c": ""}
        over = {"version": 3, "metaData": {str(n): "x" for n in range(26)}}
        assert merchant.call(None, "PATCH", path, over).status == 422
        merchant.call(None, "PATCH", path, {"version": 3, "metaData": None})
        assert "metaData" not in get(shown).json


class TestVersion:
    @pytest.mark.parametrize(
        ("version", "status"),
        [(None, 409), (0, 409), (-1, 409), (2, 409), (2**31 - 1, 409), ("1", 400), (True, 400), (1, 200)],
    )
    def test_decides(self, merchant: Merchant, create: Create, version: Any, status: int) -> None:
        path = f"/customers/{create()['id']}"
        answer = merchant.call(None, "PATCH", path, {"version": version, "givenName": "x"})
        assert answer.status == status, answer.body

    def test_missing_is_a_conflict_and_elsewhere_not_read(self, merchant: Merchant, create: Create) -> None:
        path = f"/customers/{create()['id']}?version=1"
        answer = merchant.call(None, "PATCH", path, {"givenName": "x"}, headers={"version": "1"})
        assert (answer.status, answer.json["code"]) == (409, "version_conflict")

    def test_comes_before_the_rules_and_after_the_types(self, merchant: Merchant, create: Create) -> None:
        path = f"/customers/{create()['id']}"
        assert merchant.call(None, "PATCH", path, {"version": 7, "customerId": "ü"}).status == 409
        assert merchant.call(None, "PATCH", path, {"version": 7, "customerId": 1}).status == 400

    def test_of_the_parent_stays(self, merchant: Merchant, create: Create, get: Get) -> None:
        made = create()
        path = f"/customers/{made['id']}"
        merchant.call(None, "POST", f"{path}/comments", {"customer": made["id"], "content": "x"})
        assert get(path).json["version"] == 1

    def test_of_many_writers_one_wins(self, merchant: Merchant, create: Create, get: Get) -> None:
        path = f"/customers/{create()['id']}"
        bodies = [{"version": 1, "givenName": f"writer {n}"} for n in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda body: merchant.call(None, "PATCH", path, body), bodies))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 7
        won = next(answer.json for answer in answers if answer.status == 200)
        assert get(path).json == won
        assert won["version"] == 2


class TestBulk:
    def test_mixed_results_in_order(self, merchant: Merchant, get: Get) -> None:
        answer = merchant.call(None, "POST", "/customers/bulk", [{"customerId": "a"}, {"customerId": 1}, {}, "x", None])
        assert answer.status == 200
        assert [each["statusCode"] for each in answer.json] == [201, 400, 201, 400, 400]
        first = answer.json[0]
        assert first["link"] == f"/api/v2.0/customers/{first['id']}"
        assert get(first["link"].removeprefix("/api/v2.0")).json["customerId"] == "a"
        assert set(answer.json[1]["error"]) == {"date", "id", "code", "message", "errors"}

    def test_updates_name_the_object(self, merchant: Merchant, create: Create, get: Get) -> None:
        one, two = create(), create()
        updates = [
            {"id": one["id"], "version": 1, "givenName": "A"},
            {"id": one["id"], "version": 1, "givenName": "B"},
            {"id": one["id"], "version": 2, "givenName": "C"},
            {"id": 1, "version": 1},
            {"version": 1, "givenName": "D"},
            {"id": two["id"], "version": 1, "customerId": "ü"},
            {"id": True, "version": 1},
        ]
        answer = merchant.call(None, "PATCH", "/customers/bulk", updates)
        assert [each["statusCode"] for each in answer.json] == [200, 409, 200, 404, 400, 422, 400]
        assert get(f"/customers/{one['id']}").json["givenName"] == "C"
        assert get(f"/customers/{two['id']}").json == two

    def test_deletes_by_body(self, merchant: Merchant, create: Create, get: Get) -> None:
        made = create()
        answer = merchant.call(None, "DELETE", "/customers/bulk", [made["id"], made["id"], "x", 0, [1]])
        assert [each["statusCode"] for each in answer.json] == [204, 404, 400, 404, 400]
        assert get(f"/customers/{made['id']}").status == 404

    def test_limits(self, merchant: Merchant, get: Get) -> None:
        assert merchant.call(None, "POST", "/customers/bulk", []).json == []
        for body in ({}, "x", None, 5):
            assert merchant.call(None, "POST", "/customers/bulk", raw=str(body).lower()).status in {400, 415}
        for method in ("POST", "PATCH", "DELETE"):
            over = merchant.call(None, method, "/customers/bulk", [{}] * 101)
            assert (over.status, over.json["code"]) == (413, "too_many_operations")
        assert len(merchant.call(None, "DELETE", "/customers/bulk", [1] * 100).json) == 100
        assert get("/customers").json["data"] == []


class TestChildren:
    def test_addresses(self, merchant: Merchant, create: Create, get: Get) -> None:
        made = create()
        path = f"/customers/{made['id']}/addresses"
        body = {"customer": made["id"], "addressType": "BOTH", "address": {"city": "Bern", "country": "CH"}}
        one = merchant.call(None, "POST", path, body)
        assert one.status == 201, one.body
        assert one.json["address"] == {"city": "Bern", "country": "CH"}
        assert one.json["customer"] == {"id": made["id"]}
        assert one.json["defaultAddress"] is False
        two = merchant.call(None, "POST", path, body).json
        assert get(path).json["data"] == [one.json, two]
        found = get(f"{path}/search?query=address.city:BERN%20-id:{two['id']}").json
        assert found["data"] == [one.json]
        after = merchant.call(None, "PATCH", f"{path}/{two['id']}", {"version": 1, "address": {"city": "Basel"}}).json
        assert after["address"] == {"city": "Basel"}
        assert get(f"{path}/{two['id']}?expand=customer").json["customer"] == made
        assert merchant.call(None, "DELETE", f"{path}/{one.json['id']}").status == 204
        assert get(f"{path}/{one.json['id']}").status == 404

    @pytest.mark.parametrize(
        ("members", "status", "errors"),
        [
            ({}, 400, ["customer"]),
            ({"customer": "x"}, 400, ["customer"]),
            ({"customer": 1}, 422, ["customer"]),
            ({"address": {"country": "XX"}}, 422, ["address.country"]),
            ({"address": {"dateOfBirth": "2026-02-30"}}, 422, ["address.dateOfBirth"]),
            ({"address": "Bern"}, 400, ["address"]),
            ({"address": {"gender": "OTHER"}}, 422, ["address.gender"]),
            ({"addressType": "HOME"}, 422, ["addressType"]),
            ({"address": {"legalOrganizationForm": 7}}, 422, ["address.legalOrganizationForm"]),
        ],
    )
    def test_bodies_of_addresses(
        self, merchant: Merchant, create: Create, members: dict[str, Any], status: int, errors: list[str]
    ) -> None:
        made = create()
        body = members if "customer" in members or not members else {"customer": made["id"], **members}
        answer = merchant.call(None, "POST", f"/customers/{made['id']}/addresses", body)
        assert (answer.status, sorted(answer.json["errors"])) == (status, errors)

    def test_belong_to_their_customer_alone(self, merchant: Merchant, create: Create, get: Get) -> None:
        mine, other = create(), create()
        body = {"customer": mine["id"], "content": "x"}
        made = merchant.call(None, "POST", f"/customers/{mine['id']}/comments", body).json
        for path in (f"/customers/{other['id']}/comments/{made['id']}", f"/customers/1/comments/{made['id']}"):
            assert get(path).status == 404
        assert get(f"/customers/{other['id']}/comments").json["data"] == []
        assert get("/customers/1/comments").status == 404

    def test_one_default_address_whoever_asks(self, merchant: Merchant, create: Create, get: Get) -> None:
        made = create()
        path = f"/customers/{made['id']}/addresses"
        numbers = [merchant.call(None, "POST", path, {"customer": made["id"]}).json["id"] for _ in range(4)]

        def make_default(number: int) -> int:
            return merchant.call(None, "POST", f"{path}/{number}/default").status

        assert make_default(numbers[0]) == make_default(numbers[0]) == 204
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(make_default, numbers * 2)) <= {204, 409}
        addresses = get(path).json["data"]
        assert sum(each["defaultAddress"] for each in addresses) == 1
        default = next(each["id"] for each in addresses if each["defaultAddress"])
        assert merchant.call(None, "DELETE", f"{path}/{default}").status == 204
        rest = next(number for number in numbers if number != default)
        assert make_default(rest) == 204
        assert [each["id"] for each in get(path).json["data"] if each["defaultAddress"]] == [rest]
        assert make_default(1) == 404

    def test_comments_know_their_writers(self, merchant: Merchant, create: Create, get: Get) -> None:
        made = create()
        path = f"/customers/{made['id']}/comments"
        one = merchant.call(None, "POST", path, {"customer": made["id"], "content": "hello"}).json
        assert (one["createdBy"], one["pinned"]) == (merchant.user_id, False)
        assert "editedBy" not in one
        edited = merchant.call(None, "PATCH", f"{path}/{one['id']}", {"version": 1, "content": "bye"}).json
        assert (edited["editedBy"], edited["content"]) == (merchant.user_id, "bye")
        assert edited["editedOn"] >= one["createdOn"]
        for action, pinned in (("pin", True), ("pin", True), ("unpin", False)):
            assert merchant.call(None, "POST", f"{path}/{one['id']}/{action}").status == 204
            assert get(f"{path}/{one['id']}").json["pinned"] is pinned
        assert merchant.call(None, "POST", f"{path}/1/pin").status == 404

    def test_a_comment_may_be_long(self, merchant: Merchant, create: Create, get: Get) -> None:
        made = create()
        path = f"/customers/{made['id']}/comments"
        for text in ("x" * 262_144, "ü" * 262_144, "😀" * 240_000):
            one = merchant.call(None, "POST", path, raw=_json({"customer": made["id"], "content": text}), headers=JSON)
            assert one.status == 201, one.body
            assert get(f"{path}/{one.json['id']}").json["content"] == text
        over = merchant.call(None, "POST", path, {"customer": made["id"], "content": "x" * 262_145})
        assert (over.status, list(over.json["errors"])) == (422, ["content"])

    def test_emails_are_remembered(self, merchant: Merchant, create: Create, get: Get) -> None:
        made = create(emailAddress="one@example.com")
        path = f"/customers/{made['id']}"
        merchant.call(None, "PATCH", path, {"version": 1, "emailAddress": "two@example.com"})
        merchant.call(None, "PATCH", path, {"version": 2, "emailAddress": "ONE@example.com"})
        merchant.call(None, "PATCH", path, {"version": 3, "emailAddress": None})
        found = get(f"{path}/email-addresses").json
        assert [each["emailAddress"] for each in found["data"]] == ["one@example.com", "two@example.com"]
        assert found["data"][0]["createdOn"][:10] == made["createdOn"][:10]
        assert found["hasMore"] is False


JSON = {"content-type": "application/json"}


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


class TestGoing:
    def test_takes_everything_along(self, merchant: Merchant, create: Create) -> None:
        made = create(emailAddress="gone@example.com")
        path = f"/customers/{made['id']}"
        address = merchant.call(None, "POST", f"{path}/addresses", {"customer": made["id"]}).json
        merchant.call(None, "POST", f"{path}/addresses/{address['id']}/default")
        for _ in range(45):
            merchant.call(None, "POST", f"{path}/comments", {"customer": made["id"], "content": "x"})
        assert merchant.call(None, "DELETE", path).status == 204
        assert _left_of(merchant, made["id"]) == []

    def test_merges(self, merchant: Merchant, create: Create, get: Get) -> None:
        one = create(customerId="one", emailAddress="one@example.com", metaData={"a": "1"})
        two = create(customerId="two", givenName="Zoe", emailAddress="two@example.com", metaData={"a": "2", "b": "2"})
        kept, gone = f"/customers/{one['id']}", f"/customers/{two['id']}"
        body = {"customer": two["id"]}
        address = merchant.call(None, "POST", f"{gone}/addresses", body).json
        merchant.call(None, "POST", f"{gone}/addresses/{address['id']}/default")
        comments = [
            merchant.call(None, "POST", f"{gone}/comments", {**body, "content": str(n)}).json for n in range(43)
        ]
        answer = merchant.call(None, "POST", f"{kept}/merge/{two['id']}?expand=metaData")
        assert answer.status == 200, answer.body
        merged = answer.json
        assert (merged["id"], merged["customerId"], merged["givenName"]) == (one["id"], "one", "Zoe")
        assert merged["metaData"] == {"a": "1", "b": "2"}
        assert get(gone).status == 404
        moved = get(f"{kept}/comments?limit=100").json["data"]
        assert [each["id"] for each in moved] == [each["id"] for each in comments]
        assert {each["customer"]["id"] for each in moved} == {one["id"]}
        assert get(f"{kept}/addresses").json["data"][0]["defaultAddress"] is False
        emails = [each["emailAddress"] for each in get(f"{kept}/email-addresses").json["data"]]
        assert sorted(emails) == ["one@example.com", "two@example.com"]
        assert _left_of(merchant, two["id"]) == []

    def test_merging_is_refused_with_itself_and_with_nobody(self, merchant: Merchant, create: Create) -> None:
        number = create()["id"]
        assert merchant.call(None, "POST", f"/customers/{number}/merge/{number}").status == 422
        assert merchant.call(None, "POST", f"/customers/{number}/merge/1").status == 404
        assert merchant.call(None, "POST", f"/customers/1/merge/{number}").status == 404


def _left_of(merchant: Merchant, number: int) -> list[str]:
    """Partition keys of what mentions a customer's id in the merchant's space."""
    from tests.support.environment import variables
    from tests.support.tables import items

    rows = items(aws.dynamodb(), variables()["PAYMENTS_TABLE"], f"S{merchant.space_id}#")
    return [row["pk"]["S"] for row in rows if f"={number}" in row["pk"]["S"] or row["sk"]["S"] == f"{number:016d}"]
