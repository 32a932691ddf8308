"""Each card of the simulator's table, through all components: what the merchant sees, now and later."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from tests.support.session import HeldClock
from tests.threeds import conftest
from tests.threeds.conftest import Shop
from tests.threeds.network import Network
from threeds.acs_simulator.worker import handler as acs_schedule
from threeds.authentications.worker import handler as timeouts

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
MEMBERS = {
    "id", "action_requirement", "amount", "authentication_result", "challenge_preference", "created_at",
    "currency_code", "recurring_expiry", "recurring_frequency", "failure_details", "finished_at",
    "original_authentication", "merchant_id", "number_of_installments", "purchase_date", "status", "token_id", "type",
}  # fmt: skip


def data_of(answer: dict[str, Any]) -> dict[str, Any]:
    return dict(answer["authentication_result"]["cardholder_data"])


def reasons(answer: dict[str, Any]) -> list[str]:
    return [each["reason"] for each in answer["failure_details"]]


class TestFrictionless:
    def test_answers_the_members_of_the_reference(self, shop: Shop, held_clock: HeldClock) -> None:
        token_id = shop.token(conftest.FRICTIONLESS)
        answer = shop.ask(**conftest.PAYMENT, token_id=token_id).json
        assert set(answer) == MEMBERS
        assert UUID.fullmatch(answer["id"])
        assert STAMP.fullmatch(answer["created_at"])
        assert STAMP.fullmatch(answer["finished_at"])
        assert UUID.fullmatch(answer["merchant_id"])
        assert (answer["amount"], answer["currency_code"], answer["token_id"]) == (4200, "EUR", token_id)
        assert (answer["status"], answer["type"]) == ("COMPLETED", "COF_PAYMENT")
        assert answer["challenge_preference"] == "CHALLENGE"
        assert answer["purchase_date"] == held_clock.now().strftime("%Y%m%d%H%M%S")
        assert answer["failure_details"] == []
        absent = MEMBERS - {name for name, value in answer.items() if value is not None}
        assert absent == {
            "action_requirement", "recurring_expiry", "recurring_frequency", "original_authentication",
            "number_of_installments",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("account_number", "status", "eci"),
        [
            (conftest.FRICTIONLESS, "Y", "05"),
            (conftest.FRICTIONLESS_MASTERCARD, "Y", "02"),
            (conftest.ATTEMPT, "A", "06"),
            ("4000000000000002", "Y", "05"),
        ],
    )
    def test_completes_with_a_value(self, shop: Shop, account_number: str, status: str, eci: str) -> None:
        answer = shop.pay(account_number)
        data = data_of(answer)
        assert (answer["status"], data["transaction_status"], data["eci"]) == ("COMPLETED", status, eci)
        assert (data["version"], data["challenged"]) == ("2.2.0", False)
        assert len(data["authentication_value"]) == 28
        assert len(base64.b64decode(data["authentication_value"], validate=True)) == 20
        for name in ("ds_transaction_id", "acs_transaction_id", "three_ds_server_transaction_id"):
            assert UUID.fullmatch(data[name])
        assert answer["authentication_result"]["encrypted_token_data"] is None

    def test_two_authentications_have_nothing_in_common(self, shop: Shop) -> None:
        token_id = shop.token(conftest.FRICTIONLESS)
        first, second = (data_of(shop.ask(**conftest.PAYMENT, token_id=token_id).json) for _ in range(2))
        for name in ("authentication_value", "ds_transaction_id", "acs_transaction_id"):
            assert first[name] != second[name]

    @pytest.mark.parametrize(
        ("account_number", "status", "eci", "reason"),
        [
            (conftest.REFUSED, "N", "00", "authentication_failed"),
            (conftest.REJECTED, "R", "07", "authentication_rejected"),
            (conftest.UNAVAILABLE, "U", "07", "authentication_unavailable"),
        ],
    )
    def test_fails_with_a_reason(self, shop: Shop, account_number: str, status: str, eci: str, reason: str) -> None:
        answer = shop.pay(account_number)
        data = data_of(answer)
        assert (answer["status"], data["transaction_status"], data["eci"]) == ("FAILED", status, eci)
        assert data["authentication_value"] is None
        assert STAMP.fullmatch(answer["finished_at"])
        (detail,) = answer["failure_details"]
        assert (detail["reason"], detail["source"]) == (reason, "issuer")
        assert detail["message"]

    def test_a_card_that_expired_since_fails(self, shop: Shop, held_clock: HeldClock) -> None:
        token_id = shop.token(conftest.FRICTIONLESS)
        held_clock.advance(days=366 * 30)
        assert reasons(shop.ask(**conftest.PAYMENT, token_id=token_id).json) == ["expired"]


class TestChallenge:
    @pytest.mark.parametrize("account_number", [conftest.CHALLENGE, conftest.CHALLENGE_MASTERCARD])
    @pytest.mark.parametrize("preference", [None, "NO_PREFERENCE", "CHALLENGE", "CHALLENGE_MANDATED"])
    def test_asks_the_cardholder(self, shop: Shop, account_number: str, preference: str | None) -> None:
        answer = shop.pay(account_number, challenge_preference=preference)
        assert answer["status"] == "PROCESSING"
        action = answer["action_requirement"]
        assert action["type"] == "redirect"
        assert UUID.fullmatch(action["session_id"])
        assert action["target_url"].startswith("https://")
        assert answer["finished_at"] is answer["authentication_result"] is None
        assert answer["failure_details"] == []

    @pytest.mark.parametrize(
        ("account_number", "eci"), [(conftest.CHALLENGE, "05"), (conftest.CHALLENGE_MASTERCARD, "02")]
    )
    def test_does_without_where_none_is_wanted(self, shop: Shop, account_number: str, eci: str) -> None:
        answer = shop.pay(account_number, challenge_preference="NO_CHALLENGE")
        assert (answer["status"], answer["action_requirement"]) == ("COMPLETED", None)
        assert data_of(answer)["eci"] == eci

    @pytest.mark.parametrize("account_number", [conftest.CHALLENGE, conftest.SILENT])
    @pytest.mark.parametrize("first", [timeouts, acs_schedule], ids=["server", "issuer"])
    def test_times_out_whoever_notices_first(
        self, shop: Shop, held_clock: HeldClock, account_number: str, first: Any
    ) -> None:
        made = shop.pay(account_number)
        held_clock.advance(seconds=599)
        timeouts({}, object())
        acs_schedule({}, object())
        assert shop.read(made)["status"] == "PROCESSING"
        held_clock.advance(seconds=1)
        first({}, object())
        over = shop.read(made)
        assert (over["status"], reasons(over), over["action_requirement"]) == ("FAILED", ["challenge_timeout"], None)
        timeouts({}, object())
        acs_schedule({}, object())
        assert shop.read(made) == over


class TestDecoupled:
    def test_completes_later(self, shop: Shop, held_clock: HeldClock) -> None:
        made = shop.pay(conftest.DECOUPLED)
        assert (made["status"], made["action_requirement"]) == ("PROCESSING", None)
        held_clock.advance(seconds=59)
        acs_schedule({}, object())
        assert shop.read(made) == made
        held_clock.advance(seconds=1)
        acs_schedule({}, object())
        done = shop.read(made)
        assert (done["status"], data_of(done)["eci"], data_of(done)["challenged"]) == ("COMPLETED", "05", True)

    def test_is_given_up_after_a_day(self, shop: Shop, held_clock: HeldClock, network: Network) -> None:
        made = shop.pay(conftest.DECOUPLED)
        held_clock.advance(days=1, seconds=-1)
        timeouts({}, object())
        assert shop.read(made)["status"] == "PROCESSING"
        held_clock.advance(seconds=1)
        timeouts({}, object())
        assert reasons(shop.read(made)) == ["challenge_timeout"]
