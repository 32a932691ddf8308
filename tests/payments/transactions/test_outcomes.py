"""What an acquirer says, late or never: declined, pending, unanswered, and what the clock makes of each."""

from __future__ import annotations

from typing import Any

import pytest

from payments.work import ASK_AFTER_SECONDS
from tests.payments.shops import (
    DECLINED,
    LOST,
    PENDING,
    PENDING_DECLINED,
    REVIEW,
    SILENT,
    SILENT_DECLINED,
    Shop,
    lines_of,
    settle,
    table,
)
from tests.support.session import HeldClock

PATH = "/payment/transactions"


def attempts(shop: Shop, number: int) -> list[dict[str, Any]]:
    return list(shop.get(f"/payment/charge-attempts/search?query=linkedTransaction:{number}&order=id")["data"])


def work_rows(number: int) -> list[str]:
    """What the clock still has to come back to for a transaction."""
    found = []
    for shard in range(8):
        found += [row["sk"] for row in table().query(f"PAYMENT-WORK#transactions#{shard}")]
    return [each.split("#")[1] for each in found if each.endswith(f"#{number:016d}")]


class TestDeclined:
    def test_the_buyer_may_try_again(self, shop: Shop) -> None:
        number = shop.create()["id"]
        after = shop.process(number, DECLINED)
        assert (after["state"], "declined" in after["userFailureMessage"]) == ("PROCESSING", True)
        assert [each["state"] for each in attempts(shop, number)] == ["FAILED"]
        assert shop.refused("PATCH", f"{PATH}/{number}", {"version": after["version"]})[:2] == (422, "state_invalid")
        again = shop.process(number)
        assert (again["state"], "userFailureMessage" in again) == ("FULFILL", False)
        assert [each["state"] for each in attempts(shop, number)] == ["FAILED", "SUCCESSFUL"]
        assert work_rows(number) == []

    def test_but_not_where_the_merchant_says_so(self, shop: Shop) -> None:
        after = shop.paid(DECLINED, chargeRetryEnabled=False)
        assert (after["state"], after["failureReason"]["id"]) == ("FAILED", 1460954915001)
        assert shop.refused("POST", f"{PATH}/{after['id']}/process-card-details", {})[0] == 400
        assert shop.get(f"{PATH}/{after['id']}?expand=group,failureReason")["group"]["state"] == "FAILED"
        assert work_rows(after["id"]) == []

    def test_nor_when_its_time_is_over(self, shop: Shop, held_clock: HeldClock) -> None:
        number = shop.create()["id"]
        shop.process(number, DECLINED)
        held_clock.advance(hours=24, seconds=1)
        settle()
        assert shop.state(number) == "FAILED"
        assert work_rows(number) == []


class TestUnknown:
    @pytest.mark.parametrize(
        ("pan", "expected"),
        [(SILENT, "FULFILL"), (SILENT_DECLINED, "FAILED"), (LOST, "FAILED")],
    )
    def test_no_answer_is_asked_for_and_not_repeated(
        self, shop: Shop, held_clock: HeldClock, pan: str, expected: str
    ) -> None:
        number = shop.create(chargeRetryEnabled=False)["id"]
        assert shop.process(number, pan)["state"] == "PROCESSING"
        settle()
        assert shop.state(number) == "PROCESSING"
        held_clock.advance(seconds=ASK_AFTER_SECONDS)
        settle()
        assert shop.state(number) == expected
        assert work_rows(number) == []

    def test_nobody_pays_while_the_outcome_is_open(self, shop: Shop) -> None:
        number = shop.create()["id"]
        shop.process(number, PENDING)
        refused = shop.call(
            "POST", f"{PATH}/{number}/process-card-details", {"cardData": {"primaryAccountNumber": "4111111111111111"}}
        )
        assert (refused.status, refused.json["code"]) == (422, "state_invalid")

    @pytest.mark.parametrize(("pan", "expected"), [(PENDING, "FULFILL"), (PENDING_DECLINED, "FAILED")])
    def test_what_is_pending_is_asked_for_ever_more_rarely(
        self, shop: Shop, held_clock: HeldClock, pan: str, expected: str
    ) -> None:
        number = shop.create(chargeRetryEnabled=False)["id"]
        assert shop.process(number, pan)["state"] == "PROCESSING"
        dues = []
        for _ in range(4):
            dues.append(shop.stored(number).attributes["due"])
            held_clock.advance(seconds=dues[-1] - int(held_clock.at.timestamp()) + 1)
            settle()
            if shop.state(number) != "PROCESSING":
                break
        assert dues == sorted(set(dues))
        held_clock.advance(days=1)
        settle()
        assert shop.state(number) == expected
        assert work_rows(number) == []

    @pytest.mark.parametrize(
        ("ending", "expected"), [("160.02", "FULFILL"), ("160.03", "FULFILL"), ("160.04", "AUTHORIZED")]
    )
    def test_completions(self, shop: Shop, held_clock: HeldClock, ending: str, expected: str) -> None:
        number = shop.authorised(lineItems=lines_of("200"))["id"]
        body = {
            "externalId": f"{number}",
            "lineItems": [{"uniqueId": "shipping", "quantity": 1, "amount": ending}],
            "lastCompletion": True,
        }
        made = shop.post(f"{PATH}/{number}/complete-partially-online", body)
        assert made["state"] == "PENDING"
        for operation in ("complete-online", "complete-offline", "void-online", "void-offline"):
            assert shop.refused("POST", f"{PATH}/{number}/{operation}")[:2] == (422, "state_invalid")
        held_clock.advance(days=1)
        settle()
        assert shop.state(number) == expected
        assert shop.get(f"{PATH}/completions/{made['id']}")["state"] == (
            "FAILED" if expected == "AUTHORIZED" else "SUCCESSFUL"
        )
        assert work_rows(number) == (["completion-ends"] if expected == "AUTHORIZED" else [])

    @pytest.mark.parametrize(
        ("ending", "expected"), [("161.03", "VOIDED"), ("161.04", "AUTHORIZED"), ("161.01", "AUTHORIZED")]
    )
    def test_voids(self, shop: Shop, held_clock: HeldClock, ending: str, expected: str) -> None:
        number = shop.authorised(lineItems=lines_of(ending))["id"]
        made = shop.post(f"{PATH}/{number}/void-online")
        held_clock.advance(days=1)
        settle()
        assert shop.state(number) == expected
        assert shop.get(f"{PATH}/voids/{made['id']}")["state"] == (
            "FAILED" if expected == "AUTHORIZED" else "SUCCESSFUL"
        )


class TestTimeouts:
    def test_a_draft_that_nobody_pays_fails(self, shop: Shop, held_clock: HeldClock) -> None:
        pending, confirmed = shop.create()["id"], shop.create()["id"]
        shop.post(f"{PATH}/{confirmed}/confirm", {"version": 2})
        held_clock.advance(hours=23, minutes=59)
        settle()
        assert {shop.state(pending), shop.state(confirmed)} == {"PENDING", "CONFIRMED"}
        held_clock.advance(minutes=2)
        settle()
        assert {shop.state(pending), shop.state(confirmed)} == {"FAILED"}

    @pytest.mark.parametrize("amount", ["100", "161.01"])
    def test_an_authorisation_that_is_not_completed_is_void(
        self, shop: Shop, held_clock: HeldClock, amount: str
    ) -> None:
        """Whatever the processor says to that."""
        number = shop.authorised(lineItems=lines_of(amount))["id"]
        held_clock.advance(days=7, seconds=1)
        settle()
        assert shop.state(number) == "VOIDED"
        assert work_rows(number) == []

    def test_one_completed_in_part_is_closed(self, shop: Shop, held_clock: HeldClock) -> None:
        number = shop.authorised()["id"]
        body = {"externalId": f"{number}", "lineItems": [{"uniqueId": "shirt", "quantity": 1, "amount": 40}]}
        shop.post(f"{PATH}/{number}/complete-partially-online", body)
        held_clock.advance(days=7, seconds=1)
        settle()
        now = shop.get(f"{PATH}/{number}")
        assert (now["state"], now["completedAmount"]) == ("FULFILL", 40)


def test_a_doubtful_payment_waits_for_a_decision(shop: Shop) -> None:
    after = shop.paid(REVIEW)
    assert after["state"] == "COMPLETED"
