"""Debt collection through the door and the clock."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from payments.access.handler import handler
from payments.debt_collection.public import DebtCollection
from payments.engine.repository import Objects
from tests.payments.conftest import MakeTenant
from tests.payments.shops import lines_of, table
from tests.support.faults import deaths
from tests.support.http import Response
from tests.support.payments import Merchant
from tests.support.session import HeldClock
from tollgate import aws, ids

CASES = "/debt-collection/cases"
CONFIGURATIONS = "/debt-collection/configurations"
COLLECTOR = 1560000000001


@pytest.fixture
def merchant(make_tenant: MakeTenant) -> Merchant:
    return make_tenant(handler)


def call(merchant: Merchant, method: str, path: str, body: Any = None) -> Response:
    from payments.engine import documents

    raw = None if body is None else documents.encode(body)
    return merchant.call(None, method, path, raw=raw, headers={"content-type": "application/json"})


def done(merchant: Merchant, method: str, path: str, body: Any = None) -> Any:
    answer = call(merchant, method, path, body)
    assert 200 <= answer.status < 300, answer.body
    return answer.json if answer.body else None


def refused(merchant: Merchant, method: str, path: str, body: Any = None) -> tuple[int, str, list[str]]:
    answer = call(merchant, method, path, body)
    assert answer.status >= 400, answer.body
    return answer.status, answer.json["code"], sorted(answer.json["errors"])


def configure(merchant: Merchant, **members: Any) -> dict[str, Any]:
    return dict(done(merchant, "POST", CONFIGURATIONS, {"collector": COLLECTOR, **members}))


def create(merchant: Merchant, amount: str = "80.00", **members: Any) -> dict[str, Any]:
    own = {"externalId": ids.new_uuid(), "reference": "r-1", "currency": "EUR", "lineItems": lines_of(amount)}
    return dict(done(merchant, "POST", CASES, {**own, **members}))


def step(merchant: Merchant, case: dict[str, Any], verb: str) -> dict[str, Any]:
    return dict(done(merchant, "POST", f"{CASES}/{case['id']}/{verb}"))


def pending(merchant: Merchant, amount: str = "80.00") -> dict[str, Any]:
    configure(merchant, skipReviewEnabled=True)
    return step(merchant, create(merchant, amount), "mark-prepared")


def state(merchant: Merchant, case: dict[str, Any]) -> dict[str, Any]:
    return dict(done(merchant, "GET", f"{CASES}/{case['id']}"))


def tick() -> int:
    return sum(each() for each in DebtCollection.of(Objects(table())).due())


class TestLife:
    def test_prepared_reviewed_handed_in_and_collected(self, merchant: Merchant, held_clock: HeldClock) -> None:
        configuration = configure(merchant, name="First")
        case = create(merchant, billingAddress={"city": "Bern"}, contractDate="2026-01-02T00:00:00Z")
        assert case.items() >= {
            "state": "PREPARING", "amount": 80, "creator": merchant.user_id, "environment": "PRODUCTION",
        }.items()  # fmt: skip
        reviewing = step(merchant, case, "mark-prepared")
        assert (reviewing["state"], reviewing["collectorConfiguration"]) == ("REVIEWING", {"id": configuration["id"]})
        handed = step(merchant, case, "mark-reviewed")
        assert (handed["state"], handed["reviewer"]) == ("PENDING", merchant.user_id)
        tick()
        processed = state(merchant, case)
        assert (processed["state"], "processingTimeoutOn" in processed) == ("PROCESSING", True)
        tick()
        assert state(merchant, case) == processed
        held_clock.advance(days=1, seconds=1)
        tick()
        closed = state(merchant, case)
        assert (closed["state"], "closedOn" in closed) == ("CLOSED", True)

    def test_a_collector_that_collects_nothing(self, merchant: Merchant, held_clock: HeldClock) -> None:
        case = pending(merchant, "80.01")
        assert case["state"] == "PENDING"
        tick()
        held_clock.advance(days=1, seconds=1)
        tick()
        failed = done(merchant, "GET", f"{CASES}/{case['id']}?expand=failureReason,source")
        assert (failed["state"], failed["source"]["name"]) == ("FAILED", {"en-US": "API"})
        assert failed["failureReason"]["category"]

    def test_receipts_close_a_case_that_they_cover(self, merchant: Merchant) -> None:
        case = pending(merchant)
        path = f"{CASES}/{case['id']}/payment-receipts?collectedAmount="
        first = done(merchant, "POST", f"{path}30.50&externalId=a")
        assert (first["amount"], first["debtCollectionCase"]) == (30.5, case["id"])
        assert done(merchant, "POST", f"{path}30.5&externalId=a") == first
        assert refused(merchant, "POST", f"{path}31&externalId=a")[:2] == (409, "external_id_reused")
        assert state(merchant, case)["state"] == "PENDING"
        done(merchant, "POST", f"{path}49.50&externalId=b")
        assert state(merchant, case)["state"] == "CLOSED"
        assert refused(merchant, "POST", f"{path}1&externalId=c")[:2] == (422, "state_invalid")

    def test_receipts_at_once_are_all_counted(self, merchant: Merchant) -> None:
        case = pending(merchant)
        paths = [f"{CASES}/{case['id']}/payment-receipts?collectedAmount=20&externalId={n % 4}" for n in range(8)]
        with ThreadPoolExecutor(4) as executor:
            made = list(executor.map(lambda path: done(merchant, "POST", path)["id"], paths[:4]))
        assert len(set(made)) == 4
        assert state(merchant, case)["state"] == "CLOSED"

    def test_documents_go_with_a_case(self, merchant: Merchant) -> None:
        case = create(merchant)
        path = f"{CASES}/{case['id']}/documents"
        content = base64.b64encode(b"%PDF-1.4\n").decode().replace("+", "%2B").replace("=", "%3D")
        made = done(merchant, "POST", f"{path}?fileName=contract.pdf&content={content}")
        assert made.items() >= {"fileName": "contract.pdf", "mimeType": "application/pdf"}.items()
        assert "content" not in made
        assert done(merchant, "GET", path)["data"] == [made]
        for query in ("fileName=a&content=%25", "fileName=a", "fileName=..%2Fa&content=YQ%3D%3D", "content=YQ%3D%3D"):
            assert refused(merchant, "POST", f"{path}?{query}")[0] == 400
        assert refused(merchant, "GET", f"{CASES}/17/documents")[0] == 404
        done(merchant, "DELETE", f"{CASES}/{case['id']}")
        assert refused(merchant, "GET", f"{CASES}/{case['id']}")[0] == 404

    def test_closed_by_the_merchant(self, merchant: Merchant, held_clock: HeldClock) -> None:
        case = pending(merchant)
        assert step(merchant, case, "close")["state"] == "CLOSED"
        tick()
        held_clock.advance(days=2)
        tick()
        assert state(merchant, case)["state"] == "CLOSED"
        assert refused(merchant, "POST", f"{CASES}/{case['id']}/close")[:2] == (422, "state_invalid")

    def test_a_death_at_any_moment_hands_in_once(self, merchant: Merchant, held_clock: HeldClock) -> None:
        case = pending(merchant)
        for death in deaths(aws.dynamodb(), tick):
            assert state(merchant, case)["state"] in ("PENDING", "PROCESSING"), death
        assert state(merchant, case)["state"] == "PROCESSING"
        held_clock.advance(days=1, seconds=1)
        for death in deaths(aws.dynamodb(), tick):
            assert state(merchant, case)["state"] in ("PROCESSING", "CLOSED"), death
        assert state(merchant, case)["state"] == "CLOSED"


class TestChanges:
    def test_a_case_may_be_changed_until_it_is_handed_in(self, merchant: Merchant) -> None:
        case = create(merchant)
        path = f"{CASES}/{case['id']}"
        after = done(merchant, "PATCH", path, {"version": 1, "lineItems": lines_of("12.30"), "currency": "CHF"})
        assert (after["amount"], after["currency"]) == (12.3, "CHF")
        assert refused(merchant, "PATCH", path, {"version": 1})[0] == 409
        configure(merchant, skipReviewEnabled=True)
        step(merchant, case, "mark-prepared")
        version = state(merchant, case)["version"]
        assert refused(merchant, "PATCH", path, {"version": version})[:2] == (422, "state_invalid")
        assert refused(merchant, "DELETE", path)[:2] == (422, "state_invalid")

    def test_what_is_missing_is_said(self, merchant: Merchant) -> None:
        case = done(merchant, "POST", CASES, {"externalId": "e", "reference": "r"})
        path = f"{CASES}/{case['id']}"
        assert refused(merchant, "POST", f"{path}/mark-prepared")[2] == [
            "collectorConfiguration",
            "currency",
            "lineItems",
        ]
        assert refused(merchant, "POST", f"{path}/mark-reviewed")[:2] == (422, "state_invalid")
        assert refused(merchant, "PATCH", path, {"version": 1, "lineItems": lines_of("1")})[2] == ["currency"]

    def test_the_same_case_is_made_once(self, merchant: Merchant) -> None:
        first = create(merchant, externalId="e")
        assert create(merchant, externalId="e")["id"] == first["id"]
        body = {"externalId": "e", "reference": "other"}
        assert refused(merchant, "POST", CASES, body)[:2] == (409, "external_id_reused")

    def test_configurations(self, merchant: Merchant) -> None:
        made = configure(merchant, name="First", priority=3)
        assert made.items() >= {"state": "ACTIVE", "priority": 3, "skipReviewEnabled": False}.items()
        path = f"{CONFIGURATIONS}/{made['id']}"
        assert done(merchant, "PATCH", path, {"version": 1, "state": "INACTIVE"})["state"] == "INACTIVE"
        assert refused(merchant, "PATCH", path, {"version": 2, "state": "DELETED"})[2] == ["state"]
        assert refused(merchant, "POST", CONFIGURATIONS, {"collector": 17})[2] == ["collector"]
        done(merchant, "DELETE", path)
        assert done(merchant, "GET", path)["state"] == "DELETED"
        assert refused(merchant, "PATCH", path, {"version": 3, "name": "x"})[:2] == (422, "state_invalid")
        other = create(merchant, collectorConfiguration=made["id"])
        assert refused(merchant, "POST", f"{CASES}/{other['id']}/mark-prepared")[2] == ["collectorConfiguration"]

    @pytest.mark.parametrize("amount", ["0", "-1", "x", "1e99", ""])
    def test_amounts_that_are_none(self, merchant: Merchant, amount: str) -> None:
        case = pending(merchant)
        path = f"{CASES}/{case['id']}/payment-receipts?externalId=a&collectedAmount={amount}"
        assert refused(merchant, "POST", path)[0] == 400

    def test_a_fraction_that_the_currency_does_not_have(self, merchant: Merchant) -> None:
        case = pending(merchant)
        path = f"{CASES}/{case['id']}/payment-receipts?externalId=a&collectedAmount={Decimal('1.001')}"
        assert refused(merchant, "POST", path)[0] == 422
