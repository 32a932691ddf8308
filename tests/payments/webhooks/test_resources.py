"""Webhook URLs, listeners, identities and keys through their door."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from payments.webhooks.repository import MOST_LISTENERS
from tests.payments.webhooks.conftest import REFUND, TRANSACTION, Shop
from tests.support.faults import deaths
from tollgate import aws


class TestUrls:
    def test_life(self, shop: Shop) -> None:
        made = shop.url()
        assert made == {
            "id": made["id"], "version": 1, "linkedSpaceId": shop.merchant.space_id, "name": "shop", "state": "ACTIVE",
            "url": shop.inbox.peer.url + "/hooks", "applicationManaged": False,
        }  # fmt: skip
        path = f"/urls/{made['id']}"
        changed = shop.call("PATCH", path, {"version": 1, "state": "INACTIVE", "name": None})
        assert (changed.json["state"], changed.json["version"], "name" in changed.json) == ("INACTIVE", 2, False)
        assert shop.call("GET", "/urls/search?query=state:INACTIVE").json["data"] == [changed.json]
        assert shop.call("DELETE", path).status == 204
        assert shop.call("DELETE", path).status == 204
        assert shop.call("GET", path).json["state"] == "DELETED"
        gone = shop.call("PATCH", path, {"version": 3, "state": "ACTIVE"})
        assert (gone.status, gone.json["code"]) == (422, "state_invalid")

    @pytest.mark.parametrize(
        ("members", "member"),
        [
            ({"name": "n" * 51}, "name"),
            ({"url": "http://x"}, "url"),
            ({"url": "https://h.example/" + "x" * 483}, "url"),
            ({"url": "ftp://shop.example/"}, "url"),
            ({"url": "https://127.0.0.1/"}, "url"),
            ({"url": "https://10.0.0.1/"}, "url"),
            ({"url": "http://shop.example/"}, "url"),
            ({"url": "https://user@shop.example/"}, "url"),
            ({"state": "DELETED"}, "state"),
            ({"state": "GONE"}, "state"),
        ],
    )
    def test_refusals(self, shop: Shop, members: dict[str, Any], member: str) -> None:
        answer = shop.call("POST", "/urls", {"url": "https://shop.example/hooks", **members})
        assert (answer.status, list(answer.json["errors"])) == (422, [member])

    def test_in_bulk(self, shop: Shop) -> None:
        target = shop.inbox.peer.url
        made = shop.call(
            "POST", "/urls/bulk", [{"url": f"{target}/1"}, {"url": "https://[::1]/"}, {"url": f"{target}/2"}]
        )
        assert [each["statusCode"] for each in made.json] == [201, 422, 201]
        numbers = [made.json[0]["id"], made.json[2]["id"]]
        changes = [{"id": numbers[0], "version": 1, "name": "one"}, {"id": numbers[1], "version": 7, "name": "two"}]
        assert [each["statusCode"] for each in shop.call("PATCH", "/urls/bulk", changes).json] == [200, 409]
        assert [each["statusCode"] for each in shop.call("DELETE", "/urls/bulk", [*numbers, 5]).json] == [204, 204, 404]
        assert shop.call("DELETE", "/urls/bulk", [1] * 101).status == 413


class TestListeners:
    def test_life(self, shop: Shop) -> None:
        url = shop.url()
        made = shop.listen(url=url["id"], name="paid", entityStates=["FULFILL"], state="INACTIVE")
        assert made == {
            "id": made["id"], "version": 1, "linkedSpaceId": shop.merchant.space_id, "name": "paid",
            "state": "INACTIVE", "entity": TRANSACTION, "entityStates": ["FULFILL"], "notifyEveryChange": False,
            "enablePayloadSignatureAndState": True, "url": {"id": url["id"]}, "identity": made["identity"],
        }  # fmt: skip
        path = f"/listeners/{made['id']}"
        assert shop.call("GET", f"{path}?expand=url,identity").json["url"] == url
        changed = shop.call("PATCH", path, {"version": 1, "state": "ACTIVE", "entityStates": []})
        assert (changed.json["state"], changed.json["entityStates"], changed.json["entity"]) == (
            "ACTIVE",
            [],
            TRANSACTION,
        )
        assert shop.call("GET", f"/listeners/search?query=url:{url['id']}").json["data"] == [changed.json]
        assert shop.call("DELETE", path).status == 204
        assert shop.call("GET", path).json["state"] == "DELETED"

    @pytest.mark.parametrize(
        ("members", "status", "member"),
        [
            ({"entity": 17}, 422, "entity"),
            ({"entity": None}, 400, "entity"),
            ({"url": "https://shop.example/"}, 400, "url"),
            ({"url": 5}, 422, "url"),
            ({"identity": 5}, 422, "identity"),
            ({"entityStates": ["PAID"]}, 422, "entityStates[0]"),
            ({"entityStates": ["FULFILL", None]}, 400, "entityStates[1]"),
            ({"name": "n" * 51}, 422, "name"),
            ({"state": "DELETING"}, 422, "state"),
        ],
    )
    def test_refusals(self, shop: Shop, members: dict[str, Any], status: int, member: str) -> None:
        body = {"entity": TRANSACTION, "url": shop.url()["id"], **members}
        answer = shop.call("POST", "/listeners", body)
        assert (answer.status, list(answer.json["errors"])) == (status, [member])

    def test_a_deleted_url_is_none_to_listen_at(self, shop: Shop) -> None:
        url = shop.url()["id"]
        shop.call("DELETE", f"/urls/{url}")
        answer = shop.call("POST", "/listeners", {"entity": TRANSACTION, "url": url})
        assert (answer.status, list(answer.json["errors"])) == (422, ["url"])

    def test_another_tenant_s_url_and_identity_are_not_there(self, shop: Shop, make_shop: Callable[[], Shop]) -> None:
        mine, theirs = shop.listen(), make_shop()
        for members in ({"url": mine["url"]["id"]}, {"identity": mine["identity"]["id"], "url": theirs.url()["id"]}):
            assert theirs.call("POST", "/listeners", {"entity": TRANSACTION, **members}).status == 422
        for path in (f"/listeners/{mine['id']}", f"/urls/{mine['url']['id']}"):
            assert theirs.call("GET", path).status == 404
        assert theirs.call("POST", f"/identities/{mine['identity']['id']}/rotate-key").status == 404

    def test_no_more_than_can_be_told_at_once(self, shop: Shop) -> None:
        url = shop.url()["id"]
        first = shop.listen(url=url)
        listener = {"entity": TRANSACTION, "url": url}
        made = shop.call("POST", "/listeners/bulk", [listener] * MOST_LISTENERS).json
        assert [each["statusCode"] for each in made] == [201] * (MOST_LISTENERS - 1) + [422]
        assert made[-1]["error"]["code"] == "limit_reached"
        shop.listen(url=url, state="INACTIVE")
        shop.listen(REFUND, url=url)
        kept = shop.call("PATCH", f"/listeners/{first['id']}", {"version": 1, "name": "still active"})
        assert kept.status == 200
        shop.call("DELETE", f"/listeners/{first['id']}")
        shop.listen(url=url)


class TestIdentities:
    def test_a_space_has_one_which_listeners_sign_with(self, shop: Shop) -> None:
        identities = {shop.listen()["identity"]["id"], shop.listen(REFUND)["identity"]["id"]}
        (listed,) = shop.call("GET", "/identities").json["data"]
        assert identities == {listed["id"]}
        assert (listed["name"], listed["state"]) == ("Default", "ACTIVE")

    def test_two_requests_at_once_make_one(self, shop: Shop) -> None:
        url = shop.url()["id"]
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: shop.listen(url=url)["identity"]["id"], range(4)))
        assert len(set(made)) == 1

    def test_whoever_dies_while_making_it_leaves_nothing_half_made(self, make_shop: Callable[[], Shop]) -> None:
        def fresh() -> tuple[Shop, dict[str, Any]]:
            shop = make_shop()
            return shop, {"entity": TRANSACTION, "url": shop.url()["id"]}

        beginnings = [fresh()]
        written = 0
        for death in deaths(aws.dynamodb(), lambda: beginnings[-1][0].call("POST", "/listeners", beginnings[-1][1])):
            shop, body = beginnings[-1]
            written += death.operation == "TransactWriteItems"
            shop.make("/listeners", body)
            assert len(shop.call("GET", "/identities").json["data"]) == 1
            beginnings.append(fresh())
        assert written == 4

    def test_unknown_keys_are_not_there(self, shop: Shop) -> None:
        for key in ("3b0f9d0e-4c40-4c58-9d6c-6a1a4ab0a001", "x", "3B0F9D0E-4C40-4C58-9D6C-6A1A4AB0A001"):
            assert shop.call("GET", f"/encryption-keys/{key}", space=None).status == 404
