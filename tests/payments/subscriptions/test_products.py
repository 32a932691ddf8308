"""What can be subscribed to: made while pending, frozen by activation; every route with its rights and its tenancy."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from payments.subscriptions.handler import ROUTES
from tests.payments.subscriptions.sales import Sales, new_sales, price
from tollgate import ids

NOWHERE = 7480000000000101


class TestVersions:
    def test_are_numbered_activated_and_made_obsolete(self, sales: Sales) -> None:
        first = sales.offer()
        found = sales.get(f"/products/versions/{first.version}")
        assert (found["state"], found["incrementNumber"], found["reference"]) == ("ACTIVE", 1, "gold-1")
        assert found["billingCycle"] == "P1M"
        assert found["billingCycleModel"] == {
            "billingCycleType": "MONTHLY", "numberOfPeriods": 1, "customization": "DEFAULT",
        }  # fmt: skip
        again = sales.post(f"/products/versions/{first.version}/activate")
        assert again == found
        second = sales.offer(product=first.product, reference=first.reference)
        assert sales.get(f"/products/versions/{second.version}")["incrementNumber"] == 2
        assert sales.get(f"/products/versions/{first.version}")["state"] == "OBSOLETE"
        assert sales.refused("POST", f"/products/versions/{first.version}/activate")[1] == "state_invalid"
        assert sales.get(f"/products/{first.product}")["version"] == 1

    def test_what_is_missing_is_said_all_at_once(self, sales: Sales) -> None:
        product, version = sales.draft(billingCycle=None, name=None, enabledCurrencies=["EUR", "CHF"])
        path = f"/products/versions/{version}/activate"
        assert sales.refused("POST", path)[2] == ["billingCycle", "componentGroups", "name"]
        group, empty = sales.group(version), sales.group(version)
        seat = sales.component(group)
        sales.component(group, reference=seat["reference"]["id"])
        fee = sales.fee("period-fees", seat["id"], periodFee=price("1"))
        metered = sales.fee("metered-fees", seat["id"])
        status, code, errors = sales.refused("POST", path)
        assert (status, code) == (422, "product_incomplete")
        assert {f"componentGroups[{group}]", f"componentGroups[{empty}]", f"periodFees[{fee}].periodFee",
                f"meteredFees[{metered}].metric", f"meteredFees[{metered}]"} <= set(errors)  # fmt: skip
        assert any(each.startswith("components[") for each in errors)
        assert sales.get(f"/products/versions/{version}")["state"] == "PENDING"
        assert product

    def test_bodies(self, sales: Sales) -> None:
        product, version = sales.draft()
        body = {"version": 1, "product": product}
        for change, error in (
            ({"product": None}, "product"),
            ({"product": NOWHERE}, "product"),
            ({"state": "ACTIVE"}, "state"),
            ({"billingCycle": "P1H"}, "billingCycle"),
            ({"billingCycle": "P40D"}, "billingCycle"),
            ({"defaultCurrency": "CHF", "enabledCurrencies": ["EUR"]}, "defaultCurrency"),
            ({"minimalNumberOfPeriods": -1}, "minimalNumberOfPeriods"),
        ):
            answer = sales.refused("POST", "/products/versions", {**body, **change})
            assert (answer[0], answer[2]) == (422, [error])
        assert sales.refused("POST", "/products/versions", {"product": product})[::2] == (400, ["version"])
        path = f"/products/versions/{version}"
        other = sales.draft()[0]
        assert sales.refused("PATCH", path, {"version": 1, "product": other})[2] == ["product"]
        assert sales.refused("PATCH", path, {"comment": "x"})[1] == "version_conflict"
        changed = sales.patch(path, {"version": 1, "billingCycle": "P2W", "comment": "x", "product": product})
        assert changed["billingCycleModel"]["billingCycleType"] == "WEEKLY"

    def test_products_sell_while_they_are_active(self, sales: Sales) -> None:
        offer = sales.offer()
        path = f"/products/{offer.product}"
        assert sales.patch(path, {"version": 1, "state": "INACTIVE"})["state"] == "INACTIVE"
        wanted = {"product": offer.product, "subscription": {"version": 1, "subscriber": sales.subscriber()}}
        assert sales.refused("POST", "", wanted)[1] == "not_offered"
        assert sales.refused("PATCH", path, {"version": 2, "state": "CREATE"})[1] == "state_invalid"
        assert sales.refused("PATCH", path, {"version": 2, "state": "RETIRED"})[2] == ["state"]
        sales.patch(path, {"version": 2, "state": "ACTIVE"})
        assert sales.call("POST", "", wanted).status == 201


class TestBelowVersions:
    def test_everything_is_frozen_by_activation(self, sales: Sales) -> None:
        offer = sales.offer()
        component = {"version": 1, "componentGroup": offer.group, "name": {"en-US": "More"}}
        fee = {"version": 1, "component": offer.component, "periodFee": price("1")}
        paths = {
            "/products/component-groups": {"version": 1, "productVersion": offer.version},
            "/products/components": component,
            "/products/period-fees": fee,
        }
        for path, body in paths.items():
            assert sales.refused("POST", path, body)[:2] == (422, "state_invalid")
        group = f"/products/component-groups/{offer.group}"
        assert sales.refused("PATCH", group, {"version": 1, "optional": True})[1] == "state_invalid"
        (fee,) = sales.found("/products/period-fees", f"component:{offer.component}")
        (metered,) = sales.found("/products/metered-fees", f"component:{offer.component}")
        tier = sales.get(f"/products/metered-fees/{metered['id']}/tiers")["data"][0]
        for path in (f"period-fees/{fee['id']}", f"metered-fees/{metered['id']}/tiers/{tier['id']}"):
            assert sales.refused("DELETE", f"/products/{path}")[:2] == (422, "state_invalid")
        assert (fee["type"], metered["type"], tier["meteredFee"]) == (
            "PERIOD_FEE",
            "METERED_FEE",
            {"id": metered["id"]},
        )

    def test_go_from_below_upwards(self, sales: Sales) -> None:
        _, version = sales.draft()
        group = sales.group(version)
        seat = sales.component(group)
        fee = sales.fee("metered-fees", seat["id"])
        tier = sales.tier(fee, "0", "0.001")
        for path in (f"component-groups/{group}", f"components/{seat['id']}"):
            assert sales.refused("DELETE", f"/products/{path}")[:2] == (422, "in_use")
        gone = (f"metered-fees/{fee}/tiers/{tier}", f"metered-fees/{fee}", f"components/{seat['id']}",
                f"component-groups/{group}")  # fmt: skip
        for path in gone:
            assert sales.call("DELETE", f"/products/{path}").status == 204
            assert sales.call("GET", f"/products/{path}").status == 404

    @pytest.mark.parametrize(
        ("kind", "change", "error"),
        [
            ("period-fees", {"periodFee": price("1.001")}, "periodFee[0].amount"),
            ("period-fees", {"periodFee": [*price("1"), *price("2")]}, "periodFee[1].currency"),
            ("period-fees", {"periodFee": []}, "periodFee"),
            ("period-fees", {"periodFee": price("-1")}, "periodFee[0].amount"),
            ("setup-fees", {"component": NOWHERE}, "component"),
            ("setup-fees", {"component": None}, "component"),
            ("setup-fees", {"onUpgradeCreditedAmount": price("1", "XXX")}, "onUpgradeCreditedAmount[0].currency"),
            ("metered-fees", {"metric": NOWHERE}, "metric"),
            ("metered-fees", {"tierPricing": "CHEAP"}, "tierPricing"),
            ("components", {"componentGroup": NOWHERE}, "componentGroup"),
            ("components", {"taxClass": NOWHERE}, "taxClass"),
            ("components", {"reference": NOWHERE}, "reference"),
            ("components", {"minimalQuantity": 3, "maximalQuantity": 2}, "maximalQuantity"),
            ("components", {"quantityStep": 0}, "quantityStep"),
            ("component-groups", {"productVersion": None}, "productVersion"),
        ],
    )
    def test_bodies(self, sales: Sales, kind: str, change: dict[str, Any], error: str) -> None:
        _, version = sales.draft()
        group = sales.group(version)
        place = {
            "components": {"componentGroup": group}, "component-groups": {"productVersion": version},
        }.get(kind) or {"component": sales.component(group)["id"]}  # fmt: skip
        answer = sales.refused("POST", f"/products/{kind}", {"version": 1, **place, **change})
        assert (answer[0], answer[2]) == (422, [error])

    def test_nothing_moves_to_another_place(self, sales: Sales) -> None:
        _, version = sales.draft()
        group, other = sales.group(version), sales.group(version)
        seat = sales.component(group)
        path = f"/products/components/{seat['id']}"
        assert sales.refused("PATCH", path, {"version": 1, "componentGroup": other})[2] == ["componentGroup"]
        assert sales.patch(path, {"version": 1, "componentGroup": group, "sortOrder": 3})["sortOrder"] == 3
        fee, elsewhere = (sales.fee("metered-fees", seat["id"]) for _ in range(2))
        body = {"version": 1, "meteredFee": elsewhere, "startRange": 0, "fee": price("1")}
        assert sales.refused("POST", f"/products/metered-fees/{fee}/tiers", body)[2] == ["meteredFee"]

    def test_activation_and_edits_in_a_race(self, sales: Sales) -> None:
        """Whatever is there after the activation is what is offered."""
        product, version = sales.draft()
        group = sales.group(version)
        sales.component(group)
        body = {"version": 1, "componentGroup": group, "name": {"en-US": "Late"}}

        def act(n: int) -> int:
            if n == 2:
                return sales.call("POST", f"/products/versions/{version}/activate").status
            return sales.call("POST", "/products/components", body).status

        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(act, range(4)))
        assert set(statuses) <= {200, 201, 422, 409}
        sales.post(f"/products/versions/{version}/activate")
        references = [
            each["reference"]["id"] for each in sales.found("/products/components", f"componentGroup:{group}")
        ]
        for reference in references:
            inner = {"version": 1, "subscriber": sales.subscriber()}
            chosen = [{"productComponentReferenceId": reference}]
            made = sales.call(
                "POST", "", {"product": product, "componentConfigurations": chosen, "subscription": inner}
            )
            assert made.status == 201, made.body


def test_metrics_live_and_go(sales: Sales) -> None:
    metric = sales.metric()
    assert sales.get(f"/metrics/{metric}?expand=type")["state"] == "ACTIVE"
    assert sales.patch(f"/metrics/{metric}", {"version": 1, "name": {"en-US": "Minutes"}})["version"] == 2
    assert sales.refused("POST", "/metrics", {"name": {"en-US": "x"}, "type": NOWHERE})[2] == ["type"]
    assert sales.refused("POST", "/metrics", {"type": 1550000000001})[::2] == (400, ["name"])
    assert sales.call("DELETE", f"/metrics/{metric}").status == 204
    assert sales.get(f"/metrics/{metric}")["state"] == "DELETED"


def test_every_route_looks_for_its_object_before_it_reads_on(sales: Sales) -> None:
    """Signatures, rights and scopes of all routes: tests of the family's access."""
    named = [route for route in ROUTES if "{" in route.path]
    assert len(named) > 50
    for route in named:
        path = re.sub(r"\{\w+\}", str(NOWHERE), route.path).removeprefix("/api/v2.0/subscriptions")
        assert sales.refused(route.method, path, {"version": "wrong"})[:2] == (404, "not_found"), route.path


def test_spaces_are_apart(sales: Sales) -> None:
    offer = sales.offer()
    number = sales.subscribe(offer)
    stranger = new_sales()
    for path in (f"/{number}", f"/products/{offer.product}", f"/products/versions/{offer.version}"):
        assert stranger.call("GET", path).status == 404
        assert stranger.call("GET", path, space=sales.shop.merchant.space_id).status == 403
    wanted = {"product": offer.product, "subscription": {"version": 1, "subscriber": stranger.subscriber()}}
    assert stranger.refused("POST", "", wanted)[2] == ["product"]
    report = {"externalId": ids.new_uuid(), "consumedUnits": 1, "metric": offer.metric, "subscription": number}
    assert stranger.refused("POST", "/metric-usage-reports", report)[2] == ["subscription"]
    assert stranger.get("?limit=100")["data"] == []
