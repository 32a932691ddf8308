"""How a space takes payments, through the door: a way is made, changed, taken away; what does not fit is refused."""

from __future__ import annotations

from typing import Any

import pytest

from payments.configurations.public import Routing
from payments.connectors import CARD_CONNECTOR, CARD_METHOD, INVOICE_CONNECTOR, INVOICE_METHOD, TEST_PROCESSOR
from payments.engine.repository import Objects
from payments.gateway.handler import handler
from tests.payments.conftest import MakeTenant
from tests.support.environment import DEPLOYMENT
from tests.support.payments import Merchant
from tollgate import aws
from tollgate.store.table import Table

METHODS = "/payment/method-configurations"
PROCESSORS = "/payment/processor-configurations"
CONNECTORS = "/payment/connector-configurations"


@pytest.fixture
def merchant(make_tenant: MakeTenant) -> Merchant:
    return make_tenant(handler)


def call(merchant: Merchant, method: str, path: str, body: Any = None) -> Any:
    answer = merchant.call(None, method, path, body)
    assert 200 <= answer.status < 300, (path, answer.body)
    return answer.json if answer.body else None


def refused(merchant: Merchant, method: str, path: str, body: Any = None) -> tuple[int, list[str]]:
    answer = merchant.call(None, method, path, body)
    return answer.status, sorted(answer.json["errors"])


def routing() -> Routing:
    return Routing(Objects(Table(DEPLOYMENT.tables["PaymentsTable"].name, aws.dynamodb())))


def make_method(merchant: Merchant, **members: Any) -> dict[str, Any]:
    body = {"paymentMethod": CARD_METHOD, "dataCollectionType": "ONSITE", "state": "ACTIVE", "name": "Cards"}
    return dict(call(merchant, "POST", METHODS, {**body, **members}))


def make_processor(merchant: Merchant, **members: Any) -> dict[str, Any]:
    return dict(call(merchant, "POST", PROCESSORS, {"processor": TEST_PROCESSOR, "name": "Test", **members}))


def connector_body(merchant: Merchant, **members: Any) -> dict[str, Any]:
    return {
        "connector": CARD_CONNECTOR, "paymentMethodConfiguration": make_method(merchant)["id"],
        "processorConfiguration": make_processor(merchant)["id"], "state": "ACTIVE", **members,
    }  # fmt: skip


def test_a_new_space_of_a_sandbox_takes_cards_and_invoices(merchant: Merchant, provision: Any) -> None:
    found = call(merchant, "GET", f"{CONNECTORS}/search?order=priority&expand=paymentMethodConfiguration")["data"]
    assert [each["connector"]["id"] for each in found] == [CARD_CONNECTOR, INVOICE_CONNECTOR]
    methods = [each["paymentMethodConfiguration"] for each in found]
    assert [each["paymentMethod"]["id"] for each in methods] == [CARD_METHOD, INVOICE_METHOD]
    assert [each["resolvedTitle"] for each in methods] == [{"en-US": "Card"}, {"en-US": "Invoice"}]
    told = provision("create_account", name="shop")["payments"]
    assert isinstance(told["card_method_configuration_id"], int)


def test_methods(merchant: Merchant) -> None:
    made = make_method(merchant, title={"de-CH": "Karte"}, description={"en-US": "Pay by card"})
    assert (made["version"], made["spaceId"], made["oneClickPaymentMode"]) == (1, merchant.space_id, "ALLOW")
    assert (made["resolvedTitle"], made["resolvedDescription"]) == ({"de-CH": "Karte"}, {"en-US": "Pay by card"})
    path = f"{METHODS}/{made['id']}"
    after = call(merchant, "PATCH", path, {"version": 1, "title": None, "sortOrder": 7})
    assert (after["resolvedTitle"], after["sortOrder"], after["version"]) == ({"en-US": "Cards"}, 7, 2)
    assert refused(merchant, "PATCH", path, {"version": 1})[0] == 409
    assert call(merchant, "GET", path) == after
    assert [merchant.call(None, "DELETE", path).status for _ in range(2)] == [204, 204]
    assert call(merchant, "GET", path)["state"] == "DELETED"
    assert refused(merchant, "PATCH", path, {"version": 3, "name": "x"}) == (422, [])


def test_processors(merchant: Merchant) -> None:
    made = make_processor(merchant)
    assert (made["state"], made["processor"]) == ("ACTIVE", {"id": TEST_PROCESSOR})
    path = f"{PROCESSORS}/{made['id']}"
    linked = call(merchant, "POST", f"{path}/link-contract?contractId=17&expand=processor")
    assert (linked["contractId"], linked["processor"]["id"], linked["version"]) == (17, TEST_PROCESSOR, 2)
    assert refused(merchant, "POST", f"{path}/link-contract") == (400, ["contractId"])
    assert refused(merchant, "POST", f"{path}/link-contract?contractId=x") == (400, ["contractId"])
    after = call(merchant, "PATCH", path, {"version": 2, "state": "INACTIVE"})
    assert (after["state"], after["version"]) == ("INACTIVE", 3)
    call(merchant, "DELETE", path)
    assert call(merchant, "GET", path)["state"] == "DELETED"


@pytest.mark.parametrize("change", [{"state": "DELETED"}, {"state": "DELETING"}, {"name": "x" * 101}])
def test_changes_of_processors_that_are_refused(merchant: Merchant, change: dict[str, Any]) -> None:
    path = f"{PROCESSORS}/{make_processor(merchant)['id']}"
    assert refused(merchant, "PATCH", path, {"version": 1, **change}) == (422, [next(iter(change))])


def test_connectors(merchant: Merchant) -> None:
    made = call(merchant, "POST", CONNECTORS, connector_body(merchant, name="Cards", priority=3))
    assert (made["applicableForTransactionProcessing"], made["priority"], "conditions" in made) == (True, 3, False)
    path = f"{CONNECTORS}/{made['id']}"
    after = call(merchant, "PATCH", path, {"version": 1, "priority": -1, "enabledSpaceViews": [4]})
    assert (after["priority"], after["enabledSpaceViews"], after["version"]) == (-1, [4], 2)
    call(merchant, "DELETE", path)
    gone = call(merchant, "GET", path)
    assert (gone["state"], gone["applicableForTransactionProcessing"]) == ("DELETED", False)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"connector": 17}, (422, ["connector"])),
        ({"connector": INVOICE_CONNECTOR}, (422, ["paymentMethodConfiguration"])),
        ({"paymentMethodConfiguration": 17}, (422, ["paymentMethodConfiguration"])),
        ({"processorConfiguration": 17}, (422, ["processorConfiguration"])),
        ({"conditions": [17]}, (422, ["conditions[0]"])),
        ({"enabledSalesChannels": [17]}, (422, ["enabledSalesChannels[0]"])),
        ({"state": "DELETED"}, (422, ["state"])),
        ({"state": None}, (400, ["state"])),
        ({"priority": "1"}, (400, ["priority"])),
    ],
)
def test_connectors_that_do_not_fit(merchant: Merchant, members: dict[str, Any], expected: tuple[int, Any]) -> None:
    assert refused(merchant, "POST", CONNECTORS, {**connector_body(merchant), **members}) == expected


def test_configurations_of_others_are_not_there(merchant: Merchant, make_tenant: MakeTenant) -> None:
    other = make_tenant(handler)
    body = connector_body(merchant)
    assert refused(other, "POST", CONNECTORS, body) == (422, ["paymentMethodConfiguration"])
    path = f"{METHODS}/{body['paymentMethodConfiguration']}"
    assert [other.call(None, method, path, {"version": 1}).status for method in ("GET", "PATCH", "DELETE")] == [404] * 3


class TestRouting:
    """Which way a payment goes."""

    def test_priority_decides_and_then_age(self, merchant: Merchant) -> None:
        scope = f"S{merchant.space_id}"
        first = routing().find(scope, cards=True)
        assert first is not None
        made = call(merchant, "POST", CONNECTORS, connector_body(merchant, priority=0))
        best = routing().find(scope, cards=True)
        assert best is not None
        assert best.configuration_id == made["id"] != first.configuration_id
        call(merchant, "PATCH", f"{CONNECTORS}/{made['id']}", {"version": 1, "priority": 1})
        assert routing().find(scope, cards=True) == first

    def test_nobody_is_turned_away_by_what_is_remembered(self, merchant: Merchant) -> None:
        scope, known = f"S{merchant.space_id}", routing()
        method = make_method(merchant)["id"]
        assert known.find(scope, method=method) is None
        call(merchant, "POST", CONNECTORS, {**connector_body(merchant), "paymentMethodConfiguration": method})
        found = known.find(scope, method=method)
        assert found is not None
        assert found.method_configuration_id == method

    def test_only_what_is_active_and_allowed(self, merchant: Merchant) -> None:
        scope = f"S{merchant.space_id}"
        method = make_method(merchant)["id"]
        body = {**connector_body(merchant), "paymentMethodConfiguration": method}
        inactive = call(merchant, "POST", CONNECTORS, {**body, "state": "INACTIVE"})
        assert inactive["applicableForTransactionProcessing"] is False
        assert routing().find(scope, method=method) is None
        call(merchant, "POST", CONNECTORS, {**body, "enabledSpaceViews": [4]})
        assert routing().find(scope, method=method) is None
        found = routing().find(scope, method=method, space_view=4)
        assert found is not None
        assert found.method_configuration_id == method
        assert routing().find(scope, allowed=[method], space_view=4) == found
        assert routing().find(scope, allowed=[method], cards=False, space_view=4) is None
        call(merchant, "DELETE", f"{METHODS}/{method}")
        assert routing().find(scope, method=method, space_view=4) is None
