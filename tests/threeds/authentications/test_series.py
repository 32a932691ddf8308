"""Subsequent authentications: what a series permits, counted right when many try at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.session import HeldClock
from tests.threeds import browser, conftest
from tests.threeds.conftest import PAYMENT, Shop
from tests.threeds.network import Network, silent, unreachable
from threeds.addresses import DIRECTORY_PATH
from threeds.authentications.worker import handler as timeouts

NOBODY = "00000000-0000-4000-8000-000000000000"


def reason(answer: dict[str, Any]) -> str | None:
    assert (answer["status"] == "FAILED") == bool(answer["failure_details"])
    return answer["failure_details"][0]["reason"] if answer["failure_details"] else None


@pytest.mark.parametrize(
    ("kind", "type_"), [("recurring", "SUBSEQUENT_RECURRING"), ("installment", "SUBSEQUENT_INSTALLMENT")]
)
@pytest.mark.parametrize(
    ("account_number", "eci"), [(conftest.FRICTIONLESS, "05"), (conftest.FRICTIONLESS_MASTERCARD, "07")]
)
def test_completes_without_the_cardholder(
    shop: Shop, held_clock: HeldClock, kind: str, type_: str, account_number: str, eci: str
) -> None:
    original = shop.begin(kind, account_number)
    held_clock.advance(days=28)
    made = shop.follow(original, amount=4199)
    assert (made["status"], made["type"], made["original_authentication"]) == ("COMPLETED", type_, original["id"])
    assert (made["amount"], made["token_id"], made["merchant_id"]) == (
        4199,
        original["token_id"],
        original["merchant_id"],
    )
    assert made["purchase_date"] == held_clock.now().strftime("%Y%m%d%H%M%S")
    for name in ("recurring_expiry", "recurring_frequency", "number_of_installments"):
        assert made[name] == original[name]
    assert made["action_requirement"] is made["challenge_preference"] is None
    data = made["authentication_result"]["cardholder_data"]
    assert (data["transaction_status"], data["eci"], data["challenged"]) == ("Y", eci, False)
    assert shop.read(made) == made


def test_a_series_that_began_with_a_challenge_goes_on_without(shop: Shop, held_clock: HeldClock) -> None:
    original = shop.begin(account_number=conftest.CHALLENGE)
    assert reason(shop.follow(original)) == "original_not_completed"
    browser.post(original["action_requirement"]["target_url"], {"challenge_code": "123456"})
    held_clock.advance(days=28)
    made = shop.follow(original)
    assert (made["status"], made["action_requirement"]) == ("COMPLETED", None)


class TestTerms:
    def test_not_before_the_frequency_allows(self, shop: Shop, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
        original = shop.begin()
        for days in (0, 27):
            held_clock.at = datetime(2026, 3, 1 + days, 23, 59, 59, tzinfo=UTC)
            assert reason(shop.follow(original)) == "too_early"
        held_clock.at = datetime(2026, 3, 29, tzinfo=UTC)
        assert reason(shop.follow(original)) is None
        held_clock.advance(days=27)
        assert reason(shop.follow(original)) == "too_early"
        held_clock.advance(days=1)
        assert reason(shop.follow(original)) is None

    def test_counted_from_the_date_of_the_first_purchase(self, shop: Shop, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2026, 3, 1, tzinfo=UTC)
        assert reason(shop.follow(shop.begin(purchase_date="20260201000000"))) is None
        assert reason(shop.follow(shop.begin(purchase_date="20260202000000"))) == "too_early"

    def test_not_after_the_last_day(self, shop: Shop, held_clock: HeldClock) -> None:
        held_clock.at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        original = shop.begin(recurring_expiry="20260329", recurring_frequency=1)
        held_clock.at = datetime(2026, 3, 29, 23, 59, 59, tzinfo=UTC)
        assert reason(shop.follow(original)) is None
        held_clock.at = datetime(2026, 3, 30, tzinfo=UTC)
        assert reason(shop.follow(original)) == "expired"

    def test_not_above_the_amount(self, shop: Shop, held_clock: HeldClock) -> None:
        original = shop.begin()
        held_clock.advance(days=28)
        assert reason(shop.follow(original, amount=4201)) == "amount_exceeded"
        assert reason(shop.follow(original, currency_code="JPY", amount=42)) == "currency_mismatch"
        assert reason(shop.follow(original, amount=4200)) is None

    def test_not_more_than_the_number_of_instalments(self, shop: Shop, held_clock: HeldClock) -> None:
        original = shop.begin("installment", number_of_installments=3)
        outcomes = []
        for _ in range(4):
            held_clock.advance(days=28)
            outcomes.append(reason(shop.follow(original)))
        assert outcomes == [None, None, "installments_exceeded", "installments_exceeded"]

    def test_only_of_an_original_that_completed(self, shop: Shop, held_clock: HeldClock) -> None:
        original = shop.begin(account_number=conftest.REFUSED)
        held_clock.advance(days=28)
        assert reason(shop.follow(original)) == "original_not_completed"

    def test_only_while_token_and_merchant_are_there(self, shop: Shop, held_clock: HeldClock) -> None:
        second = shop.merchant(legal_name="Second")["id"]
        gone_token, gone_merchant = shop.begin(), shop.begin(merchant_id=second)
        shop.delete_token(gone_token["token_id"])
        from vault.merchants.handler import handler as merchants

        assert shop.caller.at(merchants).send("DELETE", f"/merchants/{second}").status == 204
        held_clock.advance(days=28)
        assert reason(shop.follow(gone_token)) == "token_unavailable"
        assert reason(shop.follow(gone_merchant)) == "merchant_not_configured"

    def test_a_refusal_sends_nothing_and_is_announced(self, shop: Shop, network: Network) -> None:
        original = shop.begin()
        network.sent.clear()
        refused = shop.follow(original)
        assert (refused["status"], refused["finished_at"] is not None) == ("FAILED", True)
        assert network.sent == []
        assert shop.read(refused) == refused


class TestRequests:
    def test_of_an_original_that_begins_no_series(self, shop: Shop, held_clock: HeldClock) -> None:
        cof, original = shop.pay(conftest.FRICTIONLESS), shop.begin()
        held_clock.advance(days=28)
        follower = shop.follow(original)
        for each in (cof, follower):
            answer = shop.ask("subsequent", **PAYMENT, original_authentication=each["id"])
            assert (answer.status, answer.paths()) == (422, ["$.original_authentication"])

    def test_of_an_original_that_is_not_the_callers(self, shop: Shop, other_shop: Shop) -> None:
        foreign = other_shop.ask("subsequent", **PAYMENT, original_authentication=shop.begin()["id"])
        absent = other_shop.ask("subsequent", **PAYMENT, original_authentication=NOBODY)
        assert (foreign.status, foreign.body) == (404, absent.body)

    @pytest.mark.parametrize("name", ["original_authentication", "amount", "currency_code"])
    def test_need_every_member(self, shop: Shop, name: str) -> None:
        body = {**PAYMENT, "original_authentication": NOBODY}
        del body[name]
        answer = shop.ask("subsequent", **body)
        assert (answer.status, answer.paths()) == (422, [f"$.{name}"])


class TestCounting:
    def test_of_many_at_once_one_is_the_next(self, shop: Shop, held_clock: HeldClock, network: Network) -> None:
        original = shop.begin("installment")
        held_clock.advance(days=28)
        network.sent.clear()
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: shop.follow(original), range(8)))
        assert sorted(str(reason(each)) for each in made) == ["None"] + ["too_early"] * 7
        assert len({each["threeDSServerTransID"] for each in network.messages("AReq")}) == 1

    def test_one_that_failed_leaves_room_for_another(self, shop: Shop, held_clock: HeldClock, network: Network) -> None:
        original = shop.begin("installment", number_of_installments=2)
        held_clock.advance(days=28)
        with network.when(DIRECTORY_PATH, unreachable):
            assert reason(shop.follow(original)) == "directory_server_error"
        assert reason(shop.follow(original)) is None
        held_clock.advance(days=28)
        assert reason(shop.follow(original)) == "installments_exceeded"

    def test_one_whose_outcome_is_unknown_keeps_its_place_until_it_is_settled(
        self, shop: Shop, held_clock: HeldClock, network: Network
    ) -> None:
        original = shop.begin()
        held_clock.advance(days=28)
        with network.when(DIRECTORY_PATH, silent):
            unknown = shop.follow(original)
        assert unknown["status"] == "PROCESSING"
        assert reason(shop.follow(original)) == "too_early"
        held_clock.advance(seconds=60)
        timeouts({}, object())
        assert reason(shop.read(unknown)) == "directory_server_error"
        assert reason(shop.follow(original)) is None

    def test_an_issuer_may_not_ask_for_an_absent_cardholder(
        self, shop: Shop, held_clock: HeldClock, network: Network
    ) -> None:
        from tests.threeds.network import with_changes

        original = shop.begin()
        held_clock.advance(days=28)
        challenge = with_changes(transStatus="C", acsURL="https://acs.example/c", acsChallengeMandated="Y")
        with network.when(DIRECTORY_PATH, challenge):
            assert reason(shop.follow(original)) == "directory_server_error"
        assert reason(shop.follow(original)) is None
