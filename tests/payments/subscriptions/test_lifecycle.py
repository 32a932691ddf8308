"""Subscriptions that are made, changed, suspended, terminated, and whose products retire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments.subscriptions.service import retiring
from tests.payments.subscriptions.sales import Offer, Sales, bill, price
from tests.support.session import HeldClock
from tollgate import ids

NOWHERE = 7480000000000101


class TestMaking:
    def test_a_subscription_and_its_version(self, sales: Sales, offer: Offer) -> None:
        subscriber = sales.subscriber(language="de-CH")
        inner = {"version": 1, "subscriber": subscriber, "reference": "sub-1", "description": "For Jane"}
        made = sales.post("?expand=subscription", {"product": offer.product, "subscription": inner})
        assert (made["state"], made["billingCurrency"], made["language"]) == ("PENDING", "EUR", "de-CH")
        assert made["productVersion"] == {"id": offer.version}
        (chosen,) = made["componentConfigurations"]
        assert (chosen["component"], chosen["quantity"]) == (offer.component, 1)
        found = made["subscription"]
        assert (found["state"], found["reference"], found["subscriber"]) == ("PENDING", "sub-1", {"id": subscriber})
        assert [each["id"] for each in sales.found("", f"subscriber:{subscriber}")] == [found["id"]]

    @pytest.mark.parametrize(
        ("body", "inner", "error"),
        [
            ({"product": None}, {}, "product"),
            ({"product": NOWHERE}, {}, "product"),
            ({"currency": "CHF"}, {}, "currency"),
            ({"componentConfigurations": [{"productComponentReferenceId": NOWHERE}]}, {},
             "componentConfigurations[0].productComponentReferenceId"),
            ({}, {"subscriber": None}, "subscription.subscriber"),
            ({}, {"subscriber": NOWHERE}, "subscription.subscriber"),
            ({}, {"token": NOWHERE}, "subscription.token"),
            ({}, {"affiliate": NOWHERE}, "subscription.affiliate"),
            ({}, {"plannedTerminationDate": "2020-01-01T00:00:00Z"}, "subscription.plannedTerminationDate"),
        ],
    )  # fmt: skip
    def test_what_is_not_to_be_had(
        self, sales: Sales, offer: Offer, body: dict[str, Any], inner: dict[str, Any], error: str
    ) -> None:
        subscription = {"version": 1, "subscriber": sales.subscriber(), **inner}
        answer = sales.refused("POST", "", {"product": offer.product, "subscription": subscription, **body})
        assert (answer[0], answer[2]) == (422, [error])

    def test_quantities_and_inactive_subscribers(self, sales: Sales) -> None:
        offer = sales.offer(component={"minimalQuantity": 2, "maximalQuantity": 6, "quantityStep": 2})
        wanted = {"productComponentReferenceId": offer.reference}
        subscriber = sales.subscriber(state="INACTIVE")
        for quantity, ok in ((2, True), (4, True), (1, False), (3, False), (8, False)):
            inner = {"version": 1, "subscriber": sales.subscriber()}
            body = {"product": offer.product, "componentConfigurations": [{**wanted, "quantity": quantity}]}
            assert (sales.call("POST", "", {**body, "subscription": inner}).status == 201) is ok
        inner = {"version": 1, "subscriber": subscriber}
        assert sales.refused("POST", "", {"product": offer.product, "subscription": inner})[0] == 422

    def test_pending_ones_are_changed_freely_and_later_ones_by_operations(self, sales: Sales, offer: Offer) -> None:
        number = sales.subscribe(offer, token=sales.card)
        other = sales.offer()
        changed = sales.patch(f"/{number}", {"description": "x", "version": 1})
        assert (changed["description"], changed["version"]) == ("x", 2)
        assert sales.refused("PATCH", f"/{number}", {"description": "y", "version": 1})[:2] == (409, "version_conflict")
        assert sales.patch(f"/{number}", {"product": other.product})["currentProductVersion"]["id"] == other.version
        assert sales.found("/versions", f"subscription:{number}")[0]["productVersion"]["id"] == other.version
        sales.post(f"/{number}/initialize")
        assert sales.refused("PATCH", f"/{number}", {"product": offer.product})[:2] == (422, "state_invalid")
        assert sales.patch(f"/{number}", {"description": None}).get("description") is None

    def test_every_action_looks_first(self, sales: Sales) -> None:
        for path in ("initialize", "initialize-subscriber-present", "apply-changes", "suspend", "reactivate",
                     "terminate", "upgrade-product"):  # fmt: skip
            assert sales.refused("POST", f"/{NOWHERE}/{path}")[:2] == (404, "not_found")
        assert sales.refused("GET", f"/{NOWHERE}/invoices?limit=0")[0] == 404
        assert sales.refused("POST", f"/charges/{NOWHERE}/discard")[0] == 404
        assert sales.refused("POST", f"/period-bills/{NOWHERE}/close")[0] == 404


class TestChanges:
    def test_at_once_gives_back_what_was_not_used(self, sales: Sales, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2027, 4, 1, tzinfo=UTC)
        small = sales.offer(component={"componentChangeWeight": 1})
        large = sales.offer(setup="50", period="60", component={"componentChangeWeight": 2})
        number = sales.active(small)
        sales.use(number, small.metric, "3")
        held_clock.advance(days=10)
        version = sales.post(f"/{number}/apply-changes", {"product": large.product})
        assert (version["state"], version["productVersion"]["id"]) == ("ACTIVE", large.version)
        assert sorted(sales.amounts(number)[1]) == [
            ("metered-fees", "6.00"), ("period-fees", "-20.00"), ("period-fees", "60.00"), ("setup-fees", "50.00"),
        ]  # fmt: skip
        assert sales.paid(number)[1] == Decimal("96.00")
        first, second = sales.found("/versions", f"subscription:{number}")
        assert (first["state"], second["id"]) == ("TERMINATED", version["id"])
        assert sales.get(f"/{number}")["currentProductVersion"]["id"] == large.version
        held_clock.at = datetime(2027, 5, 11, 0, 1, tzinfo=UTC)
        bill()
        assert sales.amounts(number)[2] == [("period-fees", "60.00")]

    def test_later_when_the_terms_allow_it(self, sales: Sales, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2027, 1, 31, tzinfo=UTC)
        offer = sales.offer(minimalNumberOfPeriods=2, numberOfNoticePeriods=0)
        number = sales.active(offer)
        doubled = [{"productComponentReferenceId": offer.reference, "quantity": 2}]
        body = {"componentConfigurations": doubled, "respectTerminationPeriod": True}
        version = sales.post(f"/{number}/apply-changes", body)
        assert version["state"] == "PENDING"
        tripled = [{"productComponentReferenceId": offer.reference, "quantity": 3}]
        again = sales.post(f"/{number}/apply-changes", {**body, "componentConfigurations": tripled})
        assert (again["id"], again["componentConfigurations"][0]["quantity"]) == (version["id"], 3)
        held_clock.at = datetime(2027, 3, 1, tzinfo=UTC)
        bill()
        assert sales.amounts(number)[1] == [("period-fees", "30.00")]
        held_clock.at = datetime(2027, 4, 1, tzinfo=UTC)
        bill()
        assert sales.amounts(number)[2] == [("period-fees", "90.00")]
        assert sales.get(f"/versions/{version['id']}")["state"] == "ACTIVE"

    def test_to_the_newest_version_of_the_product(self, sales: Sales, held_clock: HeldClock) -> None:
        offer = sales.offer()
        number = sales.active(offer)
        same = sales.post(f"/{number}/upgrade-product?respectTerminationPeriod=false")
        assert (same["productVersion"]["id"], len(sales.charges(number))) == (offer.version, 1)
        newer = sales.offer(product=offer.product, reference=offer.reference, period="40")
        assert sales.refused("POST", f"/{number}/upgrade-product")[2] == ["respectTerminationPeriod"]
        version = sales.post(f"/{number}/upgrade-product?respectTerminationPeriod=false")
        assert version["productVersion"]["id"] == newer.version
        assert sales.amounts(number)[1] == [("period-fees", "-30.00"), ("period-fees", "40.00")]  # no setup fee again

    def test_downgrades_credit_setup_fees_and_locked_products_stay(self, sales: Sales, held_clock: HeldClock) -> None:
        product, version = sales.draft()
        group = sales.group(version)
        basic = sales.component(group, componentChangeWeight=1)
        gold = sales.component(group, componentChangeWeight=5, defaultComponent=False)
        sales.fee("setup-fees", gold["id"], setupFee=price("40"), onDowngradeCreditedAmount=price("15"),
                  onUpgradeCreditedAmount=price("1"))  # fmt: skip
        sales.post(f"/products/versions/{version}/activate")
        offer = Offer(product, version, group, gold["id"], gold["reference"]["id"], 0)
        wanted = [{"productComponentReferenceId": offer.reference}]
        number = sales.active(offer, componentConfigurations=wanted)
        wanted = [{"productComponentReferenceId": basic["reference"]["id"]}]
        sales.post(f"/{number}/apply-changes", {"componentConfigurations": wanted})
        assert sales.amounts(number) == [[("setup-fees", "40.00")], [
            ("setup-fees", "-15.00"), ("Credit carried forward", "15.00")]]  # fmt: skip
        locked = sales.offer()
        sales.patch(f"/products/{locked.product}", {"version": 1, "productLocked": True})
        assert sales.refused("POST", f"/{number}/apply-changes", {"product": locked.product})[1] == "not_offered"

    def test_currencies_are_charged_apart(self, sales: Sales, held_clock: HeldClock) -> None:
        product, version = sales.draft(enabledCurrencies=["EUR", "CHF"])
        seat = sales.component(sales.group(version))
        sales.fee("period-fees", seat["id"], periodFee=[*price("30"), *price("28", "CHF")])
        sales.post(f"/products/versions/{version}/activate")
        number = sales.active(Offer(product, version, 0, 0, 0, 0))
        held_clock.advance(days=5)
        sales.post(f"/{number}/apply-changes", {"currency": "CHF"})
        taken = [
            (each["transaction"]["currency"], each["transaction"]["authorizationAmount"])
            for each in sales.charges(number)
            if "transaction" in each
        ]
        assert taken == [("EUR", 30), ("CHF", 28)]


class TestSuspension:
    def test_is_not_charged_and_goes_on(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2027, 1, 1, tzinfo=UTC)
        number = sales.active(offer)
        made = sales.post(f"/{number}/suspend", {"note": "Holidays"})
        assert (made["state"], made["reason"], made["endAction"]) == ("RUNNING", "MANUAL", "REACTIVATE")
        assert sales.post(f"/{number}/suspend", {"note": "again"})["id"] == made["id"]
        assert sales.refused("POST", f"/{number}/apply-changes")[1] == "state_invalid"
        held_clock.at = datetime(2027, 3, 10, tzinfo=UTC)
        bill()
        assert len(sales.charges(number)) == 1
        assert [sales.call("POST", f"/{number}/reactivate").status for _ in range(2)] == [204, 204]
        bill()
        first, second = sales.found("/period-bills", f"subscriptionVersion.subscription.id:{number}")
        assert (first["effectivePeriodEndDate"][:10], second["periodStartDate"][:10]) == ("2027-02-01", "2027-03-10")
        assert sales.paid(number) == [Decimal("50.00"), Decimal("30.00")]

    def test_ends_as_planned(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2027, 1, 1, tzinfo=UTC)
        back, gone = sales.active(offer), sales.active(offer)
        planned = {"plannedEndDate": "2027-01-05T00:00:00Z"}
        assert sales.refused("POST", f"/{back}/suspend", {"plannedEndDate": "2026-01-05T00:00:00Z"})[0] == 422
        sales.post(f"/{back}/suspend", {**planned, "endAction": "REACTIVATE"})
        sales.post(f"/{gone}/suspend", {**planned, "endAction": "TERMINATE"})
        held_clock.at = datetime(2027, 1, 6, tzinfo=UTC)
        bill()
        assert (sales.state(back), sales.state(gone)) == ("ACTIVE", "TERMINATED")
        assert {each["state"] for each in sales.found("/suspensions", f"subscription:{gone}")} == {"ENDED"}


class TestTermination:
    def test_at_once_and_again(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        number = sales.active(offer)
        sales.use(number, offer.metric, "1")
        assert sales.refused("POST", f"/{number}/terminate")[2] == ["respectTerminationPeriod"]
        path = f"/{number}/terminate?respectTerminationPeriod=false"
        assert [sales.call("POST", path).status for _ in range(2)] == [204, 204]
        found = sales.get(f"/{number}")
        assert (found["state"], found["terminatedBy"]) == ("TERMINATED", sales.shop.merchant.user_id)
        assert sales.amounts(number)[1] == [("metered-fees", "2.00")]
        for path in ("suspend", "reactivate", "apply-changes", "initialize"):
            assert sales.refused("POST", f"/{number}/{path}")[:2] == (422, "state_invalid")
        assert sales.refused("PATCH", f"/{number}", {"description": "x"})[1] == "state_invalid"
        held_clock.advance(days=100)
        bill()
        assert len(sales.charges(number)) == 2

    def test_respects_notice_and_minimum(self, sales: Sales, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2027, 1, 31, tzinfo=UTC)
        offer = sales.offer(minimalNumberOfPeriods=3, numberOfNoticePeriods=1)
        number = sales.active(offer)
        assert [
            sales.call("POST", f"/{number}/terminate?respectTerminationPeriod=true").status for _ in range(2)
        ] == [204, 204]  # fmt: skip
        found = sales.get(f"/{number}")
        assert (found["state"], found["plannedTerminationDate"][:10]) == ("TERMINATION_SCHEDULED", "2027-04-30")
        assert sales.found("/versions", f"subscription:{number}")[0]["expectedLastPeriodEnd"][:10] == "2027-04-30"
        held_clock.at = datetime(2027, 4, 29, tzinfo=UTC)
        bill()
        assert (sales.state(number), len(sales.paid(number))) == ("TERMINATION_SCHEDULED", 3)
        sales.use(number, offer.metric, "2")
        held_clock.at = datetime(2027, 5, 1, tzinfo=UTC)
        bill()
        assert sales.state(number) == "TERMINATED"
        assert sales.amounts(number)[3] == [("metered-fees", "4.00")]

    def test_a_planned_end_cuts_the_last_period(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2027, 4, 1, tzinfo=UTC)
        number = sales.active(offer)
        sales.patch(f"/{number}", {"plannedTerminationDate": "2027-05-11T00:00:00Z"})
        held_clock.at = datetime(2027, 5, 2, tzinfo=UTC)
        bill()
        assert sales.amounts(number)[1] == [("period-fees", "9.68")]  # 10 of 31 days
        held_clock.at = datetime(2027, 5, 12, tzinfo=UTC)
        bill()
        assert (sales.state(number), len(sales.paid(number))) == ("TERMINATED", 2)

    def test_a_planned_end_within_the_present_period(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2027, 4, 1, tzinfo=UTC)
        number, kept = sales.active(offer), sales.active(offer)
        for each in (number, kept):
            sales.patch(f"/{each}", {"plannedTerminationDate": "2027-04-11T00:00:00Z"})
        sales.patch(f"/{kept}", {"plannedTerminationDate": None})
        held_clock.at = datetime(2027, 4, 12, tzinfo=UTC)
        bill()
        assert (sales.state(number), sales.state(kept)) == ("TERMINATED", "ACTIVE")

    def test_nothing_begins_behind_its_planned_end(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        inner = {"plannedTerminationDate": (held_clock.now() + timedelta(days=1)).isoformat()}
        number = sales.subscribe(offer, token=sales.card, subscription=inner)
        held_clock.advance(days=2)
        assert sales.refused("POST", f"/{number}/initialize")[1] == "state_invalid"

    def test_nothing_ends_that_never_began(self, sales: Sales, offer: Offer) -> None:
        number = sales.subscribe(offer)
        for path in ("terminate?respectTerminationPeriod=true", "suspend", "reactivate"):
            assert sales.refused("POST", f"/{number}/{path}")[:2] == (422, "state_invalid")


class TestRetirement:
    def test_a_version_with_a_target_moves_its_subscriptions(self, sales: Sales, held_clock: HeldClock) -> None:
        old, new = sales.offer(), sales.offer(period="10")
        number, pending = sales.active(old), sales.subscribe(old)
        path = f"/products/versions/{old.version}/retire"
        assert sales.refused("POST", path, {"targetProduct": old.product})[2] == ["targetProduct"]
        made = sales.post(path, {"targetProduct": new.product})
        assert made["productVersion"]["id"] == old.version
        assert sales.post(path)["id"] == made["id"]
        subscription = {"version": 1, "subscriber": sales.subscriber()}
        wanted = {"product": old.product, "subscription": subscription}
        assert sales.refused("POST", "", wanted)[1] == "not_offered"
        bill()
        found = sales.get(f"/{number}?expand=currentProductVersion")
        assert (found["state"], found["currentProductVersion"]["product"]["id"]) == ("ACTIVE", new.product)
        assert sales.state(pending) == "FAILED"
        assert sales.get(f"/products/versions/{old.version}")["state"] == "RETIRED"
        assert sales.get(f"/products/{old.product}")["state"] == "ACTIVE"

    def test_an_obsolete_version_moves_on_to_the_present_one(self, sales: Sales, held_clock: HeldClock) -> None:
        old = sales.offer()
        number = sales.active(old)
        new = sales.offer(product=old.product, reference=old.reference, period="40")
        sales.post(f"/products/versions/{old.version}/retire", {"targetProduct": old.product})
        bill()
        assert sales.get(f"/{number}")["currentProductVersion"]["id"] == new.version
        assert sales.get(f"/products/versions/{old.version}")["state"] == "RETIRED"
        assert sales.get(f"/products/{old.product}")["state"] == "ACTIVE"

    def test_goes_through_many_in_portions_and_past_those_that_wait(
        self, sales: Sales, held_clock: HeldClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retiring, "MOST_AT_ONCE", 2)
        offer, new = sales.offer(), sales.offer()
        sales.patch(f"/products/{offer.product}", {"version": 1, "productLocked": True})
        active = sales.active(offer)
        pending = [sales.subscribe(offer) for _ in range(4)]
        body = {"targetProduct": new.product, "respectTerminationPeriods": True}
        sales.post(f"/products/versions/{offer.version}/retire", body)
        bill()
        states = [sales.state(each) for each in pending]
        assert (states.count("FAILED"), states.count("PENDING")) == (1, 3)
        for _ in range(2):
            held_clock.advance(minutes=1)
            bill()
        assert {sales.state(each) for each in pending} == {"FAILED"}
        assert sales.get(f"/products/versions/{offer.version}")["state"] == "RETIRING"
        held_clock.advance(days=31)
        bill()
        held_clock.advance(hours=1)
        bill()
        assert sales.get(f"/{active}")["currentProductVersion"]["id"] == new.version
        assert sales.get(f"/products/versions/{offer.version}")["state"] == "RETIRED"

    def test_a_product_without_a_target_terminates_in_time(self, sales: Sales, held_clock: HeldClock) -> None:
        offer = sales.offer(numberOfNoticePeriods=1)
        number = sales.active(offer)
        made = sales.post(f"/products/{offer.product}/retire", {"respectTerminationPeriods": True})
        assert sales.get(f"/products/retirements/{made['id']}") == made
        assert sales.refused("PATCH", f"/products/{offer.product}", {"version": 2, "name": "x"})[1] == "state_invalid"
        bill()
        assert (sales.state(number), sales.get(f"/products/{offer.product}")["state"]) == (
            "TERMINATION_SCHEDULED", "RETIRING",
        )  # fmt: skip
        held_clock.advance(days=65)
        bill()
        held_clock.advance(hours=2)
        bill()
        assert sales.state(number) == "TERMINATED"
        assert sales.get(f"/products/{offer.product}")["state"] == "RETIRED"
        assert sales.get(f"/products/versions/{offer.version}")["state"] == "RETIRED"


class TestWhoTakesPart:
    def test_one_subscriber_per_address_and_deleted_ones_free_theirs(self, sales: Sales) -> None:
        address = f"{ids.new_uuid()}@example.com"
        body = {"externalId": ids.new_uuid(), "emailAddress": address, "metaData": {"a": "b"}}
        made = sales.post("/subscribers", body)
        assert made["state"] == "ACTIVE"
        assert sales.post("/subscribers", body) == made
        other = {"externalId": ids.new_uuid(), "emailAddress": address.upper()}
        assert sales.refused("POST", "/subscribers", other)[1] == "value_taken"
        assert sales.call("DELETE", f"/subscribers/{made['id']}").status == 204
        gone = sales.get(f"/subscribers/{made['id']}?expand=metaData")
        assert (gone["state"], gone.get("emailAddress"), gone["metaData"]) == ("DELETED", None, {"a": "b"})
        assert sales.post("/subscribers", other)["emailAddress"] == address.upper()

    def test_affiliates_change_their_state_as_the_machine_has_it(self, sales: Sales) -> None:
        body = {"externalId": ids.new_uuid(), "reference": "partner", "state": "CREATE"}
        made = sales.post("/affiliates", body)
        path = f"/affiliates/{made['id']}"
        assert sales.patch(path, {"version": 1, "state": "ACTIVE", "name": "Partner"})["state"] == "ACTIVE"
        assert sales.refused("PATCH", path, {"version": 2, "state": "CREATE"})[1] == "state_invalid"
        assert sales.refused("PATCH", path, {"version": 2, "state": "DELETED"})[2] == ["state"]
        assert sales.call("DELETE", path).status == 204
        assert sales.refused("PATCH", path, {"version": 3, "name": "Nobody"})[1] == "state_invalid"
