"""The back office through its doors: tasks, templates, saved views, partnerships, themes, consumption, boarding."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from payments.access.handler import handler
from payments.back_office.public import note_platform
from payments.connectors import INVOICE_METHOD
from payments.engine.repository import Objects
from payments.gateway.handler import handler as gateway
from payments.gateway.worker import handler as clockwork
from payments.tasks import REFUND_APPROVAL, UNKNOWN_OUTCOME, close_task, open_task
from payments.units import UnitOfWork
from tests.payments.conftest import MakeTenant
from tests.payments.shops import REVIEW, Shop, new_shop
from tests.support.environment import variables
from tests.support.http import Response
from tests.support.payments import Merchant
from tests.support.session import HeldClock
from tollgate import aws
from tollgate.store.table import Table

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def merchant(make_tenant: MakeTenant) -> Merchant:
    return make_tenant(handler)


@pytest.fixture
def objects() -> Objects:
    return Objects(Table(variables()["PAYMENTS_TABLE"], aws.dynamodb()))


def made(answer: Response, status: int = 201) -> Any:
    assert answer.status == status, answer.body
    return answer.json


# ---------------------------------------------------------------------- manual tasks


@pytest.fixture
def reviewing() -> tuple[Shop, dict[str, Any]]:
    """A shop with a payment that somebody has to look at, and the task that says so."""
    shop = new_shop()
    shop.paid(REVIEW)
    (task,) = shop.get("/manual-tasks/search?query=state:OPEN")["data"]
    return shop, dict(task)


def decide(shop: Shop, task: dict[str, Any], action: int) -> Response:
    return shop.call("POST", f"/manual-tasks/{task['id']}/action/{task['actions'][action]['id']}")


class TestTasks:
    @pytest.mark.parametrize(("action", "state"), [(0, "SUITABLE"), (1, "NOT_SUITABLE")])
    def test_a_decision_is_carried_out(self, reviewing: tuple[Shop, dict[str, Any]], action: int, state: str) -> None:
        shop, task = reviewing
        assert task["linkedSpaceId"] == shop.merchant.space_id
        path = f"/payment/delivery-indications/{task['contextEntityId']}"
        delivery = shop.get(path)
        assert delivery["state"] == "MANUAL_CHECK_REQUIRED"
        assert "Delivery decision" in shop.get(f"/manual-tasks/{task['id']}/notification")
        assert shop.refused("POST", f"/manual-tasks/{task['id']}/action/1")[0] == 404
        assert decide(shop, task, action).status == 204
        decided = shop.get(path)
        assert (decided["state"], decided["manuallyDecidedBy"]) == (state, shop.merchant.user_id)
        ends = {"SUITABLE": "FULFILL", "NOT_SUITABLE": "DECLINE"}[state]
        assert shop.state(delivery["linkedTransaction"]) == ends
        assert shop.get(f"/manual-tasks/{task['id']}")["state"] == "DONE"
        assert decide(shop, task, 0).json["code"] == "state_invalid"

    def test_a_decision_made_elsewhere_closes_the_task(self, reviewing: tuple[Shop, dict[str, Any]]) -> None:
        shop, task = reviewing
        shop.post(f"/payment/delivery-indications/{task['contextEntityId']}/mark-suitable")
        assert shop.get(f"/manual-tasks/{task['id']}")["state"] == "DONE"

    def test_of_two_decisions_one_counts(self, reviewing: tuple[Shop, dict[str, Any]]) -> None:
        shop, task = reviewing
        with ThreadPoolExecutor(2) as executor:
            answers = list(executor.map(lambda action: decide(shop, task, action).status, (0, 1)))
        assert sorted(answers) == [204, 422]

    @pytest.mark.parametrize(("action", "state"), [(0, "SUCCESSFUL"), (1, "FAILED")])
    def test_refunds_without_a_card_are_decided(self, action: int, state: str) -> None:
        shop = new_shop()
        methods = shop.get("/payment/method-configurations?limit=100")["data"]
        (method,) = [each["id"] for each in methods if each["paymentMethod"]["id"] == INVOICE_METHOD]
        number = shop.create(allowedPaymentMethodConfigurations=[method])["id"]
        shop.post(f"/payment/transactions/{number}/process-without-interaction")
        body = {"externalId": "r", "type": "MERCHANT_INITIATED_ONLINE", "transaction": number, "amount": 40}
        refund = shop.call("POST", "/payment/refunds", body).json
        (task,) = shop.get(f"/manual-tasks/search?query=contextEntityId:{refund['id']}")["data"]
        assert (refund["state"], task["type"]) == ("MANUAL_CHECK", REFUND_APPROVAL)
        assert decide(shop, task, action).status == 204
        assert shop.get(f"/payment/refunds/{refund['id']}")["state"] == state
        assert shop.get(f"/manual-tasks/{task['id']}")["state"] == "DONE"

    def test_a_task_that_nothing_follows_from(self, objects: Objects) -> None:
        shop = new_shop()
        unit = UnitOfWork(objects, shop.merchant.tenant, shop.scope)
        task = open_task(unit, UNKNOWN_OUTCOME, 17)
        unit.commit()
        assert decide(shop, {"id": task.id, **task.values}, 0).status == 204
        assert shop.get(f"/manual-tasks/{task.id}")["state"] == "DONE"
        unit = UnitOfWork(objects, shop.merchant.tenant, shop.scope)
        assert not close_task(unit, task.id)
        assert not close_task(unit, None)

    def test_ends_with_its_time(self, reviewing: tuple[Shop, dict[str, Any]], held_clock: HeldClock) -> None:
        shop, task = reviewing
        held_clock.advance(days=14, seconds=1)
        assert decide(shop, task, 0).status == 422
        clockwork({}, object())
        assert shop.get(f"/manual-tasks/{task['id']}")["state"] == "EXPIRED"
        shop.post(f"/payment/delivery-indications/{task['contextEntityId']}/mark-suitable")
        assert shop.get(f"/manual-tasks/{task['id']}")["state"] == "EXPIRED"

    def test_nobody_else_s(self, reviewing: tuple[Shop, dict[str, Any]]) -> None:
        task, stranger = reviewing[1], new_shop()
        for method, path in (("GET", ""), ("GET", "/notification"), ("POST", "/action/1487165679003")):
            assert stranger.refused(method, f"/manual-tasks/{task['id']}{path}")[0] == 404


# ---------------------------------------------------------------------- templates, views, platforms


def test_a_space_has_a_template_of_every_type(merchant: Merchant) -> None:
    types = {each["id"] for each in merchant.call(None, "GET", "/document-templates/types").json["data"]}
    templates = merchant.call(None, "GET", "/document-templates?expand=type").json["data"]
    assert {each["type"]["id"] for each in templates} == types
    assert {(each["state"], each["defaultTemplate"], each["spaceId"]) for each in templates} == {
        ("ACTIVE", True, merchant.space_id)
    }
    space = made(merchant.call(None, "POST", "/spaces", {"account": merchant.account_id, "name": "second"}))
    second = merchant.call(None, "GET", "/document-templates", space=space["id"]).json["data"]
    assert len(second) == len(types)


def test_saved_views_are_searches_that_can_be_made(merchant: Merchant) -> None:
    view = made(
        merchant.call(None, "POST", "/saved-views", {"name": "paid", "entity": "Transaction", "query": "id:>5"})
    )
    assert view["createdBy"] == merchant.user_id
    path = f"/saved-views/{view['id']}"
    after = made(merchant.call(None, "PATCH", path, {"version": 1, "order": "id:DESC"}), 200)
    assert (after["query"], after["order"]) == ("id:>5", "id:DESC")
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"version": 2, "query": "("}, "query"),
        ({"version": 2, "order": "nothing"}, "order"),
        ({"version": 2, "query": "nothing:1"}, "query"),
    ]
    for body, name in refusals:
        answer = merchant.call(None, "PATCH", path, body)
        assert (answer.status, list(answer.json["errors"])) == (422, [name])
    for entity in ("Nothing", "../x", "DocumentTemplateTypeGroup"):
        refused = merchant.call(None, "POST", "/saved-views", {"name": "x", "entity": entity})
        assert (refused.status, list(refused.json["errors"])) == (422, ["entity"])
    assert merchant.call(None, "DELETE", path).status == 204
    assert merchant.call(None, "GET", path).status == 404


def test_platforms_that_buyers_paid_on(merchant: Merchant, objects: Objects) -> None:
    scope = f"S{merchant.space_id}"
    for version in ("1.0", "2.0"):
        given = {"platformType": "ios", "sdkVersion": version, "other": "x", "osVersion": ""}
        note_platform(objects, merchant.tenant, scope, 5, given)
    base = "/payment/transaction/client-platforms"
    (found,) = merchant.call(gateway, "GET", base).json["data"]
    assert found.items() >= {"platformType": "ios", "sdkVersion": "1.0", "transaction": 5}.items()
    assert merchant.call(gateway, "GET", f"{base}/search?query=transaction:5").json["data"] == [found]
    assert merchant.call(gateway, "GET", f"{base}/{found['id']}").json == found


# ---------------------------------------------------------------------- partnerships, themes, boarding


def test_partnerships_of_three_types(merchant: Merchant) -> None:
    account: dict[str, Any] = {"account": merchant.account_id, "space": None}
    configurations = "/admin/join-program/partners/configurations"
    partner = made(merchant.call(None, "POST", configurations, {"name": "Partner", "revenueShare": 12.5}))
    assert (partner["enabled"], partner["revenueShare"]) == (True, 12.5)
    assert merchant.call(None, "POST", configurations, {"name": "partner"}).status == 422
    item = f"{configurations}/{partner['id']}"
    assert made(merchant.call(None, "PATCH", item, {"version": 1, "enabled": False}), 200)["enabled"] is False
    base = "/join-program/partnerships"
    for kind, status in (("affiliate", 200), ("isv", 201), ("simple", 201)):
        body = {"name": kind, "externalId": kind, "partnerConfiguration": partner["id"]}
        first = made(merchant.call(None, "POST", f"{base}/create-{kind}", body, **account), status)
        again = merchant.call(None, "POST", f"{base}/create-{kind}", body, **account)
        assert (again.json, again.headers["x-replayed"]) == (first, "true")
        assert first["type"] == kind.upper()
    found = merchant.call(None, "GET", f"{base}/search?query=type:ISV", **account).json["data"]
    assert [each["name"] for each in found] == ["isv"]
    path = f"{base}/{found[0]['id']}"
    assert made(merchant.call(None, "PATCH", path, {"version": 1, "name": "x"}, **account), 200)["name"] == "x"
    assert merchant.call(None, "DELETE", path, **account).status == 204
    assert merchant.call(None, "GET", path, **account).json["state"] == "DELETED"
    assert merchant.call(None, "PATCH", path, {"version": 3, "name": "y"}, **account).status == 422
    assert merchant.call(None, "DELETE", item).status == 204
    assert merchant.call(None, "GET", item).status == 404


def form(**parts: bytes) -> tuple[bytes, dict[str, str]]:
    body = b"".join(
        b'--x\r\ncontent-disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + content + b"\r\n"
        for name, content in parts.items()
    )
    return body + b"--x--\r\n", {"content-type": "multipart/form-data; boundary=x"}


class TestThemes:
    def put(self, merchant: Merchant, **parts: bytes) -> Response:
        body, headers = form(**parts)
        path = "/account/ui-themes/create"
        return merchant.call(
            None, "POST", path, raw=body, headers=headers, account=merchant.account_id, space=None
        )  # fmt: skip

    def remove(self, merchant: Merchant, path: str) -> int:
        path = f"/account/ui-themes/{path}"
        return merchant.call(None, "DELETE", path, account=merchant.account_id, space=None).status

    def test_made_replaced_and_removed(self, merchant: Merchant) -> None:
        theme = made(self.put(merchant, name=b"Blau", primaryColor=b"#336699", logo=PNG))
        assert theme.items() >= {"primaryColor": "#336699", "hasLogo": True, "logoMimeType": "image/png"}.items()
        assert "logo" not in theme
        after = made(self.put(merchant, secondaryColor=b"#000000"))
        assert (after["id"], after["hasLogo"], after["version"]) == (theme["id"], True, 2)
        assert "primaryColor" not in after
        number = merchant.account_id
        assert [self.remove(merchant, f"{number}/logo") for _ in range(2)] == [204, 404]
        assert [self.remove(merchant, str(number)) for _ in range(2)] == [204, 404]
        assert self.remove(merchant, "17") == 404

    @pytest.mark.parametrize(
        ("parts", "name"),
        [
            ({"primaryColor": b"red"}, "primaryColor"),
            ({"logo": b"<svg onload='x'/>"}, "logo"),
            ({"logo": PNG + b"x" * 200_000}, "logo"),
        ],
    )
    def test_refused(self, merchant: Merchant, parts: dict[str, bytes], name: str) -> None:
        answer = self.put(merchant, **parts)
        assert (answer.status, list(answer.json["errors"])) == (422, [name])

    def test_what_is_no_form(self, merchant: Merchant) -> None:
        scope: dict[str, Any] = {"account": merchant.account_id, "space": None}
        path, kind = "/account/ui-themes/create", {"content-type": "multipart/form-data; boundary=x"}
        for raw in ("", "x", "--x\r\n\r\nnameless\r\n--x--\r\n"):
            assert merchant.call(None, "POST", path, raw=raw, headers=kind, **scope).status in (400, 415)
        assert merchant.call(None, "POST", path, {}, **scope).status == 415


def test_boarding_is_kept(merchant: Merchant) -> None:
    account: dict[str, Any] = {"account": merchant.account_id, "space": None}
    base = "/boarding/subscription-strategy"
    said = {"businessName": "Shop", "volume": 12.5}
    assert made(merchant.call(None, "POST", f"{base}/information", said, **account)) == said
    assert merchant.call(None, "POST", f"{base}/plans", {"plan": "trial"}, **account).status == 204
    assert merchant.call(None, "POST", f"{base}/plans", ["trial"], **account).status == 400
    many = {str(n): 1 for n in range(101)}
    assert merchant.call(None, "POST", f"{base}/plans", many, **account).status == 422


def test_what_was_consumed(merchant: Merchant, objects: Objects) -> None:
    from tests.payments.analytics.conftest import store_payment

    for _ in range(3):
        store_payment(merchant.space_id, state="FULFILL", currency="CHF")
    base = "/spaces/consumed-resources"

    def units(period: str) -> dict[str, int]:
        found = made(merchant.call(None, "GET", f"{base}?{period}"), 200)["data"]
        return {each["metricName"]["en-US"]: each["consumedUnits"] for each in found}

    assert units("startDate=2024-01-01&endDate=2099-01-01")["Transactions"] == 3
    assert set(units("startDate=2024-01-01&endDate=2024-02-01T00:00:00Z").values()) == {0}
    for query in ("", "startDate=2024-01-01", "startDate=x&endDate=2024-01-01"):
        assert merchant.call(None, "GET", f"{base}?{query}").status == 400
    assert merchant.call(None, "GET", f"{base}?startDate=2024-02-01&endDate=2024-01-01").status == 422
