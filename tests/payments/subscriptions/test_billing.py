"""Subscriptions from their first payment on: periods, usage, what is charged when, and what if it cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from payments.gateway.handler import handler as gateway
from tests.payments.shops import card, settle
from tests.payments.subscriptions.sales import Offer, Sales, bill, price
from tests.support.session import HeldClock
from tollgate import ids

FIRST = [("setup-fees", "20.00"), ("period-fees", "30.00")]
MONTH = [("period-fees", "30.00")]


def forget_token(sales: Sales, token: int) -> None:
    """From now on the subscription's card cannot be charged."""
    assert sales.shop.merchant.call(gateway, "DELETE", f"/payment/tokens/{token}").status == 204


def suspension(sales: Sales, number: int) -> dict[str, object]:
    return sales.found("/suspensions", f"subscription:{number}")[-1]


class TestPeriods:
    def test_a_month_goes_by(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        number = sales.active(offer)
        subscription = sales.get(f"/{number}?expand=currentProductVersion.product")
        product = subscription["currentProductVersion"]["product"]["id"]
        assert (subscription["state"], product) == ("ACTIVE", offer.product)
        assert sales.amounts(number) == [FIRST]
        sales.use(number, offer.metric, "4")
        sales.use(number, offer.metric, "7.5")
        bill()
        assert len(sales.charges(number)) == 1
        held_clock.advance(days=31)
        bill()
        assert sales.amounts(number)[1] == [("metered-fees", "20.50"), ("period-fees", "30.00")]
        assert sales.paid(number) == [Decimal("50.00"), Decimal("50.50")]
        first, second = sales.found("/period-bills", f"subscriptionVersion.subscription.id:{number}")
        assert (first["state"], second["state"]) == ("BILLED", "PENDING")
        assert first["effectivePeriodEndDate"] == first["plannedPeriodEndDate"] == second["periodStartDate"]
        assert {each["state"] for each in sales.found("/ledger-entries", f"subscriptionVersion:{first['id']}")} <= {
            "PAID"
        }

    def test_several_periods_that_passed_are_billed_one_by_one(
        self, sales: Sales, offer: Offer, held_clock: HeldClock
    ) -> None:
        held_clock.at = datetime(2027, 1, 31, 12, tzinfo=UTC)
        number = sales.active(offer)
        held_clock.at = datetime(2027, 5, 1, tzinfo=UTC)
        bill()
        assert sales.amounts(number) == [FIRST, MONTH, MONTH, MONTH]
        bills = sales.found("/period-bills", f"subscriptionVersion.subscription.id:{number}")
        assert [each["plannedPeriodEndDate"][:13] for each in bills] == [
            "2027-02-28T12", "2027-03-31T12", "2027-04-30T12", "2027-05-31T12",
        ]  # fmt: skip
        bill()
        assert len(sales.charges(number)) == 4

    def test_trial_periods_cost_nothing(self, sales: Sales, held_clock: HeldClock) -> None:
        product, version = sales.draft()
        seat = sales.component(sales.group(version), minimalQuantity=2)
        sales.fee("period-fees", seat["id"], periodFee=price("9.99"), numberOfFreeTrialPeriods=1)
        sales.post(f"/products/versions/{version}/activate")
        number = sales.subscribe(Offer(product, version, 0, 0, 0, 0), token=sales.card)
        charge = sales.post(f"/{number}/initialize?expand=ledgerEntries")
        assert (charge["state"], charge["ledgerEntries"], "transaction" in charge) == ("SUCCESSFUL", [], False)
        assert sales.state(number) == "ACTIVE"
        held_clock.advance(days=32)
        bill()
        assert sales.amounts(number) == [[], [("period-fees", "19.98")]]

    def test_a_specific_day_makes_the_first_period_a_part(self, sales: Sales, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2027, 4, 16, tzinfo=UTC)
        first_of_month = {"billingCycleType": "MONTHLY", "numberOfPeriods": 1, "customization": "SPECIFIC"}
        offer = sales.offer(billingCycle=None, billingCycleModel={**first_of_month, "dayOfMonth": 1})
        number = sales.active(offer)
        assert sales.amounts(number) == [[("setup-fees", "20.00"), ("period-fees", "15.00")]]
        entries = sales.charges(number)[0]["ledgerEntries"]
        assert [each["proRataCalculated"] for each in entries] == [False, True]
        held_clock.at = datetime(2027, 5, 1, 0, 1, tzinfo=UTC)
        bill()
        assert sales.amounts(number)[1:] == [MONTH]

    def test_the_calendar_is_the_one_of_the_space(self, sales: Sales, held_clock: HeldClock) -> None:
        from payments.access.handler import handler as access

        merchant = sales.shop.merchant
        space = merchant.call(access, "GET", f"/spaces/{merchant.space_id}", space=None).json
        body = {"version": space["version"], "timeZone": "Pacific/Auckland"}
        assert merchant.call(access, "PATCH", f"/spaces/{merchant.space_id}", body, space=None).status == 200
        held_clock.at = datetime(2027, 6, 14, 11, tzinfo=UTC)  # a minute to midnight there is 11:59
        model = {
            "billingCycleType": "WEEKLY",
            "numberOfPeriods": 1,
            "customization": "SPECIFIC",
            "weeklyDay": "TUESDAY",
        }
        number = sales.active(sales.offer(billingCycle=None, billingCycleModel=model))
        (first,) = sales.found("/period-bills", f"subscriptionVersion.subscription.id:{number}")
        assert first["plannedPeriodEndDate"] == "2027-06-14T12:00:00.000Z"
        body = {"version": space["version"] + 1, "timeZone": "UTC"}
        merchant.call(access, "PATCH", f"/spaces/{merchant.space_id}", body, space=None)

    def test_a_period_is_closed_by_hand(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2027, 4, 1, tzinfo=UTC)
        number = sales.active(offer)
        (first,) = sales.found("/period-bills", f"subscriptionVersion.subscription.id:{number}")
        held_clock.advance(days=10)
        path = f"/period-bills/{first['id']}/close?createNextPeriod="
        for wrong in ("2027-04-12T00:00:00Z", "2027-03-31T00:00:00Z"):
            assert sales.refused("POST", f"{path}true&currentDate={wrong}")[2] == ["currentDate"]
        assert sales.refused("POST", f"{path}true")[2] == ["currentDate"]
        assert sales.refused("POST", f"{path}maybe&currentDate=today")[0] == 400
        closed = sales.post(f"{path}true&currentDate=2027-04-11T00:00:00Z")
        assert (closed["state"], closed["effectivePeriodEndDate"]) == ("BILLED", "2027-04-11T00:00:00.000Z")
        assert sales.amounts(number)[1] == [("period-fees", "-20.00"), ("period-fees", "30.00")]
        assert sales.post(f"{path}true&currentDate=2027-04-11T00:00:00Z") == closed
        assert len(sales.charges(number)) == 2
        (second,) = sales.found("/period-bills", f"subscriptionVersion.subscription.id:{number} state:PENDING")
        sales.post(f"/period-bills/{second['id']}/close?createNextPeriod=false&currentDate=2027-04-11T00:00:00Z")
        assert sales.amounts(number)[2][0] == ("period-fees", "-30.00")
        held_clock.advance(days=100)
        bill()
        assert len(sales.charges(number)) == 3
        report = {"externalId": "late", "consumedUnits": 1, "metric": offer.metric, "subscription": number}
        assert sales.refused("POST", "/metric-usage-reports", report)[1] == "state_invalid"


class TestLedger:
    def test_a_report_counts_once(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        number = sales.active(offer)
        report = {
            "externalId": ids.new_uuid(), "consumedUnits": Decimal("2.5"), "metric": offer.metric,
            "subscription": number,
        }  # fmt: skip
        first = sales.post("/metric-usage-reports", report)
        again = sales.call("POST", "/metric-usage-reports", report)
        assert (again.status, again.json, again.headers["x-replayed"]) == (201, first, "true")
        other = sales.refused("POST", "/metric-usage-reports", {**report, "consumedUnits": 3})
        assert other[:2] == (409, "external_id_reused")
        for change in ({"metric": 5}, {"subscription": 5}, {"consumedUnits": -1}, {"externalId": "auto/1"}):
            assert sales.refused("POST", "/metric-usage-reports", {**report, "externalId": "x", **change})[0] == 422
        held_clock.advance(days=31)
        bill()
        assert sales.amounts(number)[1][0] == ("metered-fees", "5.00")
        sales.post(f"/{number}/terminate?respectTerminationPeriod=false")
        assert sales.call("POST", "/metric-usage-reports", report).json == first

    def test_entries_wait_for_the_next_charge(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        number = sales.active(offer)
        version = sales.found("/versions", f"subscription:{number}")[0]["id"]
        entry = {
            "externalId": ids.new_uuid(), "amountIncludingTax": Decimal("10.81"), "quantity": 2, "title": "Cleaning",
            "subscriptionVersion": version, "taxes": [{"title": "VAT", "rate": Decimal("8.1")}],
        }  # fmt: skip
        made = sales.post("/ledger-entries", entry)
        assert (made["state"], made["amountExcludingTax"], made["taxAmount"], made["aggregatedTaxRate"]) == (
            "OPEN", 10, 0.81, 8.1,
        )  # fmt: skip
        assert sales.post("/ledger-entries", entry) == made
        credit = {**entry, "externalId": ids.new_uuid(), "amountIncludingTax": -5, "taxes": None, "title": "Sorry"}
        sales.post("/ledger-entries", credit)
        for change, name in (
            ({"quantity": 0}, "quantity"),
            ({"amountIncludingTax": Decimal("0.001")}, "amountIncludingTax"),
            ({"subscriptionVersion": 5}, "subscriptionVersion"),
            ({"subscriptionMetricId": 5}, "subscriptionMetricId"),
        ):
            assert sales.refused("POST", "/ledger-entries", {**entry, "externalId": "y", **change})[2] == [name]
        held_clock.advance(days=31)
        bill()
        charge = sales.charges(number)[1]
        titles = [(each["title"], each["state"]) for each in charge["ledgerEntries"]]
        assert sorted(titles) == [("Cleaning", "PAID"), ("Sorry", "PAID"), ("period-fees", "PAID")]
        lines = {
            each["name"]: (each["type"], each["amountIncludingTax"]) for each in charge["transaction"]["lineItems"]
        }
        assert lines == {"Cleaning": ("PRODUCT", 10.81), "Sorry": ("DISCOUNT", -5), "period-fees": ("PRODUCT", 30)}

    def test_a_credit_above_what_is_owed_is_carried_forward(
        self, sales: Sales, offer: Offer, held_clock: HeldClock
    ) -> None:
        number = sales.active(offer)
        version = sales.found("/versions", f"subscription:{number}")[0]["id"]
        entry = {"externalId": ids.new_uuid(), "amountIncludingTax": -50, "quantity": 1, "title": "Sorry"}
        sales.post("/ledger-entries", {**entry, "subscriptionVersion": version})
        held_clock.advance(days=31)
        bill()
        second = sales.charges(number)[1]
        assert (second["state"], "transaction" in second) == ("SUCCESSFUL", False)
        held_clock.advance(days=31)
        bill()
        third = sales.amounts(number)[2]
        assert sorted(third) == [("Credit carried forward", "-20.00"), ("period-fees", "30.00")]
        assert sales.paid(number)[-1] == Decimal("10.00")
        everything = sales.found("/ledger-entries", f"subscriptionVersion:{version}")
        assert {each["state"] for each in everything} == {"PAID"}
        assert sum(Decimal(str(each["amountIncludingTax"])) for each in everything) == sum(sales.paid(number))

    def test_merchants_charge_what_is_open(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        number = sales.active(offer)
        version = sales.found("/versions", f"subscription:{number}")[0]["id"]
        entry = {"externalId": ids.new_uuid(), "amountIncludingTax": 7, "quantity": 1, "title": "Extra"}
        sales.post("/ledger-entries", {**entry, "subscriptionVersion": version})
        wanted = {"externalId": ids.new_uuid(), "processingType": "SYNCHRONOUS", "subscription": number}
        planned = {**wanted, "externalId": ids.new_uuid(), "plannedExecutionDate": "2099-01-01T00:00:00Z"}
        later = sales.post("/charges", planned)
        assert (later["state"], later["type"]) == ("SCHEDULED", "MANUAL")
        assert sales.post(f"/charges/{later['id']}/discard")["state"] == "DISCARDED"
        assert sales.post(f"/charges/{later['id']}/discard")["state"] == "DISCARDED"
        charge = sales.post("/charges?expand=transaction", {**wanted, "reference": "r-1"})
        assert (charge["state"], charge["transaction"]["merchantReference"]) == ("SUCCESSFUL", "r-1")
        assert charge["transaction"]["authorizationAmount"] == 7
        replayed = sales.call("POST", "/charges", {**wanted, "reference": "r-1"})
        assert (replayed.json["id"], replayed.headers["x-replayed"]) == (charge["id"], "true")
        assert sales.refused("POST", f"/charges/{charge['id']}/discard")[1] == "state_invalid"
        (invoice,) = sales.get(f"/{number}/invoices?query=linkedTransaction:{charge['transaction']['id']}")["data"]
        assert (invoice["state"], invoice["amount"]) == ("PAID", 7)
        assert len(sales.get(f"/{number}/invoices?order=id:DESC")["data"]) == 2
        assert sales.refused("GET", f"/{number}/invoices?query=nothing:1")[0] == 400

    def test_a_planned_charge_waits_and_debts_outlive_the_subscription(
        self, sales: Sales, held_clock: HeldClock
    ) -> None:
        token = sales.token()
        offer = sales.offer()
        number = sales.active(offer, token=token)
        sales.use(number, offer.metric, "1")
        forget_token(sales, token)
        sales.post(f"/{number}/terminate?respectTerminationPeriod=false")
        assert (sales.state(number), sales.charges(number)[-1]["state"]) == ("TERMINATED", "FAILED")
        planned = (held_clock.now() + timedelta(days=2)).isoformat()
        body = {"externalId": ids.new_uuid(), "processingType": "CHARGE_FLOW", "subscription": number}
        charge = sales.post("/charges", {**body, "plannedExecutionDate": planned})
        bill()
        assert sales.get(f"/charges/{charge['id']}")["state"] == "SCHEDULED"
        held_clock.advance(days=2, seconds=1)
        bill()
        found = sales.get(f"/charges/{charge['id']}?expand=transaction")
        assert (found["state"], found["transaction"]["authorizationAmount"]) == ("PROCESSING", 2)
        sales.shop.process(found["transaction"]["id"])
        held_clock.advance(minutes=2)
        bill()
        assert (sales.get(f"/charges/{charge['id']}")["state"], sales.state(number)) == ("SUCCESSFUL", "TERMINATED")

    def test_a_discarded_automatic_charge_leaves_its_entries_open(
        self, sales: Sales, offer: Offer, held_clock: HeldClock
    ) -> None:
        number = sales.active(offer)
        sales.post(f"/{number}/suspend")
        sales.post(f"/{number}/reactivate")
        held_clock.advance(days=31)
        from payments.resources.subscriptions import SUBSCRIPTION
        from payments.subscriptions.handler import _use_cases
        from payments.subscriptions.models import Actor

        actor = Actor(sales.shop.merchant.tenant, sales.shop.scope)
        running = _use_cases.lifecycle._periods.load(actor, number)
        (charge,) = _use_cases.lifecycle.turn_due(actor, running)
        assert _use_cases.objects.read(SUBSCRIPTION, actor.scope, number).state == "ACTIVE"
        assert sales.post(f"/charges/{charge}/discard")["state"] == "DISCARDED"
        held_clock.advance(days=31)
        bill()
        assert sorted(sales.amounts(number)[-1]) == [("period-fees", "30.00"), ("period-fees", "30.00")]


class TestFailure:
    def test_a_charge_that_fails_suspends_until_it_is_paid(self, sales: Sales, held_clock: HeldClock) -> None:
        offer, token = sales.offer(), sales.token()
        body = {"version": 1, "failedPaymentSuspensionPeriod": "P10D"}
        sales.patch(f"/products/{offer.product}", body)
        number = sales.active(offer, token=token)
        forget_token(sales, token)
        held_clock.advance(days=31)
        bill()
        assert [each["state"] for each in sales.charges(number)] == ["SUCCESSFUL", "FAILED"]
        found = suspension(sales, number)
        assert (sales.state(number), found["reason"], found["endAction"]) == ("SUSPENDED", "FAILED_CHARGE", "TERMINATE")
        version = sales.found("/versions", f"subscription:{number}")[0]["id"]
        assert len(sales.found("/ledger-entries", f"subscriptionVersion:{version} state:OPEN")) == 1
        wanted = {"externalId": ids.new_uuid(), "processingType": "CHARGE_FLOW", "subscription": number}
        charge = sales.post("/charges", {**wanted, "successUrl": "https://shop.example/thanks"})
        assert charge["state"] == "PROCESSING"
        sales.shop.process(charge["transaction"]["id"])
        held_clock.advance(minutes=2)
        bill()
        assert sales.charges(number)[-1]["state"] == "SUCCESSFUL"
        assert (sales.state(number), suspension(sales, number)["state"]) == ("ACTIVE", "ENDED")
        assert sales.get(f"/{number}")["token"]["id"] != token
        held_clock.advance(days=31)
        bill()
        assert (sales.charges(number)[-1]["state"], len(sales.paid(number))) == ("SUCCESSFUL", 3)

    def test_a_suspension_for_a_failed_charge_ends_the_subscription(self, sales: Sales, held_clock: HeldClock) -> None:
        offer, token = sales.offer(), sales.token()
        sales.patch(f"/products/{offer.product}", {"version": 1, "failedPaymentSuspensionPeriod": "P10D"})
        number = sales.active(offer, token=token)
        forget_token(sales, token)
        held_clock.advance(days=31)
        bill()
        held_clock.advance(days=11)
        bill()
        found = sales.get(f"/{number}")
        assert (found["state"], suspension(sales, number)["state"]) == ("TERMINATED", "ENDED")
        assert found["terminatedOn"] >= found["terminatingOn"]

    def test_a_declined_first_payment_fails_the_subscription(self, sales: Sales, held_clock: HeldClock) -> None:
        offer = sales.offer(setup="130.01")  # 160.01 in all, which the acquirer of a sandbox declines
        number = sales.subscribe(offer, token=sales.card)
        charge = sales.post(f"/{number}/initialize")
        assert (charge["state"], sales.state(number)) == ("FAILED", "FAILED")
        assert sales.found("/versions", f"subscription:{number}")[0]["state"] == "FAILED"
        assert sales.refused("POST", f"/{number}/initialize")[1] == "state_invalid"
        held_clock.advance(days=40)
        bill()
        assert len(sales.charges(number)) == 1

    def test_a_payment_without_an_answer_is_waited_for(self, sales: Sales, held_clock: HeldClock) -> None:
        offer = sales.offer()
        number = sales.subscribe(offer)
        urls = {"successUrl": "https://shop.example/thanks", "failureUrl": "https://shop.example/sorry"}
        charge = sales.post(f"/{number}/initialize-subscriber-present?expand=transaction", urls)
        assert (charge["state"], sales.state(number)) == ("PROCESSING", "INITIALIZING")
        transaction = charge["transaction"]
        assert (transaction["successUrl"], transaction["failedUrl"]) == tuple(urls.values())
        assert sales.post(f"/{number}/initialize-subscriber-present", urls)["id"] == charge["id"]
        bill()
        assert sales.state(number) == "INITIALIZING"
        sales.shop.call("POST", f"/payment/transactions/{transaction['id']}/process-card-details",
                        card("4000000000000119"))  # fmt: skip
        held_clock.advance(minutes=2)
        bill()
        assert sales.state(number) == "INITIALIZING"
        settle()
        held_clock.advance(minutes=3)
        bill()
        found = sales.get(f"/{number}")
        assert found["state"] == "ACTIVE"
        assert found["token"]["id"] == sales.shop.get(f"/payment/transactions/{transaction['id']}")["token"]["id"]
        held_clock.advance(days=31)
        bill()
        assert sales.amounts(number) == [FIRST, MONTH]

    def test_payment_methods_of_the_product_and_of_the_subscriber(
        self, sales: Sales, offer: Offer, held_clock: HeldClock
    ) -> None:
        path = "/payment/method-configurations"
        card_method = sales.shop.get(path)["data"][0]["id"]
        limited = sales.offer()
        body = {"version": 1, "allowedPaymentMethodConfigurations": [card_method]}
        sales.patch(f"/products/{limited.product}", body)
        number = sales.active(limited)
        transaction = sales.charges(number)[0]["transaction"]
        assert transaction["allowedPaymentMethodConfigurations"] == [card_method]
        every = [each["id"] for each in sales.shop.get(path)["data"]]
        closed = sales.subscriber(disallowedPaymentMethodConfigurations=every)
        refused = sales.subscribe(offer, token=sales.card, subscription={"subscriber": closed})
        assert sales.post(f"/{refused}/initialize")["state"] == "FAILED"

    def test_a_subscriber_who_never_pays(self, sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
        number = sales.subscribe(offer)
        sales.post(f"/{number}/initialize-subscriber-present")
        held_clock.advance(days=2)
        settle()
        bill()
        assert sales.state(number) == "FAILED"

    def test_without_a_token_nothing_begins(self, sales: Sales, offer: Offer) -> None:
        number = sales.subscribe(offer)
        assert sales.refused("POST", f"/{number}/initialize")[:2] == (422, "token_missing")
        assert sales.state(number) == "PENDING"
        body = {"externalId": ids.new_uuid(), "processingType": "SYNCHRONOUS", "subscription": number}
        assert sales.refused("POST", "/charges", body)[1] == "state_invalid"
