"""Charge flows: level by level until somebody pays, by whom and when; cancelled, at once, killed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from payments.charge_flows.models import EMAIL, TEXT_MESSAGE, TOKEN, seconds_of
from payments.charge_flows.public import Flows
from payments.charge_flows.service.messages import EVENT
from payments.resources.charge_flows import DEMONSTRATION_LEVELS
from payments.transactions.public import Acting
from payments.transactions.service.charging import BUYER_SECONDS
from payments.work import ASK_AFTER_SECONDS
from tests.payments.shops import DECLINED, PAN, SILENT, Shop, card, new_shop, settle, table
from tests.payments.transactions.test_outcomes import attempts, work_rows
from tests.payments.transactions.test_threeds import DONE, network, send, through, together_each
from tests.support.faults import deaths
from tests.support.session import HeldClock
from tests.threeds.conftest import CHALLENGE
from tests.threeds.network import Network
from tollgate import aws, events

__all__ = ["network"]
FLOWS = "/payment/charge-flows"
PATH = "/payment/transactions"
WHO = {"customerEmailAddress": "buyer@example.com", "customerId": "c-1"}
DAY = 86_400
TIMED_OUT, CANCELED, DECLINED_REASON = 1460954915009, 1460954915013, 1460954915001


def apply(shop: Shop, number: int) -> Any:
    return shop.post(f"{PATH}/{number}/charge-flow/apply")


def levels(shop: Shop, number: int, expand: str = "") -> list[dict[str, Any]]:
    query = f"query=linkedTransaction:{number}&order=id&expand={expand}"
    return list(shop.get(f"{FLOWS}/levels/search?{query}")["data"])


def states(shop: Shop, number: int) -> list[str]:
    return [each["state"] for each in levels(shop, number)]


def token(shop: Shop, pan: str = PAN) -> int:
    """A token whose card the acquirer takes; a declined one gets a bad card behind our back."""
    return int(shop.paid(tokenizationMode="FORCE_CREATION", **WHO)["token"]["id"])


def spoil(shop: Shop, token_id: int, pan: str) -> None:
    """From now on the token is of another card."""
    from dataclasses import asdict

    from payments.engine.repository import Objects
    from payments.resources.tokens import TOKEN, TOKEN_VERSION
    from payments.units import UnitOfWork
    from vault.acquiring.worker import handler as acquiring

    objects = Objects(table())
    version = objects.read(TOKEN, shop.scope, token_id).attributes["active_version"]
    before = objects.read(TOKEN_VERSION, shop.scope, version)
    bad = {"account_number": pan, "expiry_month": 12, "expiry_year": 2040}
    kept = acquiring({"action": "keep", "account_id": shop.merchant.tenant, "card": bad, "lasting": True}, object())
    unit = UnitOfWork(objects, shop.merchant.tenant, shop.scope)
    unit.replace(before, {}, {"card": {**before.attributes["card"], "token_id": kept["token_id"]}})
    unit.commit()
    assert asdict  # the other members are for labels


def messages(number: int) -> list[dict[str, Any]]:
    """What buyers of a transaction are to be sent."""
    rows = (row for shard in range(events.SHARDS) for row in table().query(f"{events.PREFIX}{shard:02d}"))
    found = [json.loads(row["payload"])["message"] for row in rows if row["type"] == EVENT]
    return sorted((each for each in found if each["transaction_id"] == number), key=lambda each: each["expires_on"])


class TestLevels:
    def test_a_token_is_charged_and_that_is_it(self, shop: Shop) -> None:
        number = shop.create(token=token(shop), **WHO)["id"]
        after = apply(shop, number)
        assert after["state"] == "FULFILL"
        (level,) = levels(shop, number, "tokenCharge,configuration.flow")
        assert (level["state"], level["tokenCharge"]["state"], level["tokenCharge"]["type"]) == (
            "SUCCESSFUL", "SUCCESSFUL", "TOKEN",
        )  # fmt: skip
        assert (level["configuration"]["type"], level["configuration"]["flow"]["state"]) == (TOKEN, "ACTIVE")
        assert (messages(number), work_rows(number), flow_rows(number)) == ([], [], [])

    def test_a_token_that_fails_is_followed_by_a_link(self, shop: Shop) -> None:
        bad = token(shop)
        spoil(shop, bad, DECLINED)
        number = shop.create(token=bad, **WHO)["id"]
        assert apply(shop, number)["state"] == "PROCESSING"
        assert states(shop, number) == ["FAILED", "PENDING"]
        assert [each["state"] for each in attempts(shop, number)] == ["FAILED"]
        assert [each["recipient"] for each in messages(number)] == ["buyer@example.com"]
        assert shop.process(number)["state"] == "FULFILL"
        assert states(shop, number) == ["FAILED", "SUCCESSFUL"]
        assert levels(shop, number, "synchronousCharge")[1]["synchronousCharge"]["state"] == "SUCCESSFUL"
        assert flow_rows(number) == []

    def test_a_link_and_its_message(self, shop: Shop) -> None:
        number = shop.create(**WHO)["id"]
        apply(shop, number)
        skipped, level = levels(shop, number, "transaction,configuration")
        assert (skipped["state"], level["state"], level["transaction"]["state"]) == ("FAILED", "PENDING", "PROCESSING")
        (link,) = shop.get(f"{FLOWS}/levels/payment-links/search?query=chargeFlowLevel:{level['id']}")["data"]
        (message,) = messages(number)
        assert message == {
            "channel": "email", "recipient": "buyer@example.com", "language": "en-US",
            "space_id": shop.merchant.space_id, "transaction_id": number, "charge_flow_level_id": level["id"],
            "payment_link_id": link["id"], "expires_on": level["timeoutOn"],
        }  # fmt: skip
        assert f"/s/{shop.merchant.space_id}/payment/transaction/pay/{number}?securityToken=" in link["paymentLink"]
        page = shop.call("GET", f"{PATH}/{number}/charge-flow/payment-page-url", headers={"accept": "text/plain"})
        assert page.body.decode() == link["paymentLink"]
        assert (
            shop.get(f"{FLOWS}/levels/payment-links/{link['id']}?expand=chargeFlowLevel.transaction")[
                "chargeFlowLevel"
            ]["transaction"]["id"]
            == number
        )

    def test_the_link_is_good_as_long_as_the_flow(self, shop: Shop, held_clock: HeldClock) -> None:
        from tests.threeds import browser

        number = shop.create(**WHO)["id"]
        apply(shop, number)
        link = shop.get(f"{PATH}/{number}/charge-flow/payment-page-url")
        held_clock.advance(days=6)
        settle()
        assert browser.get(link).status == 200
        assert shop.process(number)["state"] == "FULFILL"
        held_clock.advance(days=3)
        assert browser.get(link).status == 404

    def test_levels_follow_by_the_clock_and_the_last_one_fails_the_transaction(
        self, shop: Shop, held_clock: HeldClock
    ) -> None:
        number = shop.create(**WHO)["id"]
        apply(shop, number)
        seen = [states(shop, number)]
        for period in ("P3D", "P4D"):
            held_clock.advance(seconds=seconds_of(period) - 1)
            settle()
            assert states(shop, number) == seen[-1]
            held_clock.advance(seconds=1)
            settle()
            seen.append(states(shop, number))
        assert seen == [["FAILED", "PENDING"], ["FAILED", "FAILED", "PENDING"], ["FAILED"] * 3]
        now = shop.get(f"{PATH}/{number}?expand=group")
        assert (now["state"], now["failureReason"]["id"], now["group"]["state"]) == ("FAILED", TIMED_OUT, "FAILED")
        assert len(messages(number)) == 2
        assert (work_rows(number), flow_rows(number)) == ([], [])

    def test_a_buyer_may_try_again_within_the_level(self, shop: Shop) -> None:
        number = shop.create(**WHO)["id"]
        apply(shop, number)
        assert shop.process(number, DECLINED)["state"] == "PROCESSING"
        assert states(shop, number) == ["FAILED", "PENDING"]
        assert shop.process(number)["state"] == "FULFILL"
        assert states(shop, number) == ["FAILED", "SUCCESSFUL"]

    def test_without_leave_to_try_again_a_failure_ends_the_level(self, shop: Shop, held_clock: HeldClock) -> None:
        number = shop.create(chargeRetryEnabled=False, **WHO)["id"]
        apply(shop, number)
        for expected in (["FAILED", "FAILED", "PENDING"], ["FAILED"] * 3):
            shop.process(number, DECLINED)
            settle()
            assert states(shop, number) == expected
        now = shop.get(f"{PATH}/{number}")
        assert (now["state"], now["failureReason"]["id"]) == ("FAILED", DECLINED_REASON)

    def test_a_payment_under_way_comes_first(self, shop: Shop, held_clock: HeldClock) -> None:
        number = shop.create(**WHO)["id"]
        apply(shop, number)
        held_clock.advance(days=3, seconds=-1)
        shop.process(number, SILENT)
        held_clock.advance(seconds=2)
        settle()
        assert states(shop, number) == ["FAILED", "PENDING"]
        held_clock.advance(seconds=ASK_AFTER_SECONDS)
        settle()
        assert (shop.state(number), states(shop, number)) == ("FULFILL", ["FAILED", "SUCCESSFUL"])
        assert flow_rows(number) == []

    def test_a_buyer_at_the_issuer_comes_first(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        number = shop.create(successUrl=DONE, **WHO)["id"]
        apply(shop, number)
        held_clock.advance(days=3, minutes=-5)
        url = send(shop, number, CHALLENGE)
        held_clock.advance(minutes=6)
        settle()
        assert states(shop, number) == ["FAILED", "PENDING"]
        assert shop.refused("POST", f"{PATH}/{number}/charge-flow/cancel")[:2] == (422, "state_invalid")
        assert through(url) == DONE
        assert (shop.state(number), states(shop, number), flow_rows(number)) == (
            "FULFILL",
            ["FAILED", "SUCCESSFUL"],
            [],
        )

    def test_a_buyer_who_does_not_come_to_the_issuer(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        number = shop.create(chargeRetryEnabled=False, **WHO)["id"]
        apply(shop, number)
        send(shop, number, CHALLENGE)
        held_clock.advance(seconds=BUYER_SECONDS)
        settle()
        settle()
        assert states(shop, number) == ["FAILED", "FAILED", "PENDING"]

    def test_a_token_that_nobody_knows_the_outcome_of(self, shop: Shop, held_clock: HeldClock) -> None:
        silent = token(shop)
        spoil(shop, silent, SILENT)
        number = shop.create(token=silent, **WHO)["id"]
        assert apply(shop, number)["state"] == "PROCESSING"
        held_clock.advance(seconds=ASK_AFTER_SECONDS)
        settle()
        assert (shop.state(number), states(shop, number), len(attempts(shop, number))) == (
            "FULFILL", ["SUCCESSFUL"], 1,
        )  # fmt: skip

    def test_the_flow_outlasts_the_usual_time_for_a_payment(self, shop: Shop, held_clock: HeldClock) -> None:
        number = shop.create(**WHO)["id"]
        after = apply(shop, number)
        assert after["authorizationTimeoutOn"] > shop.create()["authorizationTimeoutOn"]
        held_clock.advance(days=2)
        settle()
        assert (shop.state(number), states(shop, number)) == ("PROCESSING", ["FAILED", "PENDING"])


def flow_rows(number: int) -> list[str]:
    found = [row["sk"] for shard in range(8) for row in table().query(f"PAYMENT-WORK#charge-flows#{shard}")]
    return [each for each in found if each.endswith(f"#{number:016d}")]


class TestOperations:
    def test_cancelled(self, shop: Shop) -> None:
        number = shop.create(**WHO)["id"]
        assert shop.refused("POST", f"{PATH}/{number}/charge-flow/cancel")[:2] == (422, "state_invalid")
        apply(shop, number)
        after = shop.post(f"{PATH}/{number}/charge-flow/cancel?expand=group")
        assert (after["state"], after["failureReason"]["id"], after["group"]["state"]) == ("FAILED", CANCELED, "FAILED")
        assert (states(shop, number), flow_rows(number), work_rows(number)) == (["FAILED", "FAILED"], [], [])
        for again in ("cancel", "apply"):
            assert shop.refused("POST", f"{PATH}/{number}/charge-flow/{again}")[:2] == (422, "state_invalid")
        assert shop.refused("POST", f"{PATH}/{number}/process-card-details", card())[:2] == (422, "state_invalid")

    def test_not_cancelled_while_a_payment_is_under_way(self, shop: Shop) -> None:
        number = shop.create(**WHO)["id"]
        apply(shop, number)
        shop.process(number, SILENT)
        assert shop.refused("POST", f"{PATH}/{number}/charge-flow/cancel")[:2] == (422, "state_invalid")

    def test_applied_once(self, shop: Shop) -> None:
        number = shop.create(**WHO)["id"]
        apply(shop, number)
        assert shop.refused("POST", f"{PATH}/{number}/charge-flow/apply")[:2] == (422, "state_invalid")
        assert shop.refused("POST", f"{PATH}/17/charge-flow/apply")[0] == 404
        assert shop.refused("POST", f"{PATH}/{shop.paid()['id']}/charge-flow/apply")[:2] == (422, "state_invalid")
        unconfirmed = shop.create(autoConfirmationEnabled=False)["id"]
        assert shop.refused("POST", f"{PATH}/{unconfirmed}/charge-flow/apply")[:2] == (422, "state_invalid")

    def test_the_flow_alone_charges_the_token(self, shop: Shop) -> None:
        bad = token(shop)
        spoil(shop, bad, DECLINED)
        number = shop.create(token=bad, **WHO)["id"]
        apply(shop, number)
        assert shop.refused("POST", f"{PATH}/{number}/process-with-token")[:2] == (422, "state_invalid")

    def test_messages_are_sent_again_and_to_somebody_else(self, shop: Shop) -> None:
        number = shop.create()["id"]
        recipient = f"{PATH}/{number}/charge-flow/update-recipient"
        apply(shop, number)
        assert messages(number) == []
        level = levels(shop, number)[-1]["id"]
        assert shop.call("POST", f"{recipient}?type={EMAIL}&recipient=other%40example.com").status == 204
        assert messages(number) == []
        assert shop.call("POST", f"{FLOWS}/levels/{level}/send-message").status == 204
        assert [each["recipient"] for each in messages(number)] == ["other@example.com"]
        shop.post(f"{PATH}/{number}/charge-flow/cancel")
        assert shop.refused("POST", f"{FLOWS}/levels/{level}/send-message")[:2] == (422, "state_invalid")
        assert shop.refused("POST", f"{recipient}?type={EMAIL}&recipient=x%40example.com")[:2] == (422, "state_invalid")
        assert shop.refused("POST", f"{FLOWS}/levels/17/send-message")[0] == 404

    @pytest.mark.parametrize(
        ("query", "errors"),
        [
            ("", ["type"]),
            (f"type={EMAIL}", ["recipient"]),
            ("type=x&recipient=a%40b.ch", ["type"]),
            (f"type={TOKEN}&recipient=a%40b.ch", ["type"]),
            (f"type={EMAIL}&recipient=nobody", ["recipient"]),
            (f"type={TEXT_MESSAGE}&recipient=079123", ["recipient"]),
        ],
    )
    def test_recipients_that_are_none(self, shop: Shop, query: str, errors: list[str]) -> None:
        number = shop.create()["id"]
        path = f"{PATH}/{number}/charge-flow/update-recipient?{query}"
        assert shop.refused("POST", path)[0::2] == (400, errors)

    def test_no_message_where_the_merchant_sends_its_own(self, shop: Shop) -> None:
        number = shop.create(emailsDisabled=True, **WHO)["id"]
        apply(shop, number)
        assert (states(shop, number), messages(number)) == (["FAILED", "PENDING"], [])

    def test_another_space_sees_nothing(self, shop: Shop) -> None:
        number = shop.create(**WHO)["id"]
        apply(shop, number)
        level, stranger = levels(shop, number)[-1]["id"], new_shop()
        for path in (f"{FLOWS}/levels/{level}", f"{PATH}/{number}/charge-flow/payment-page-url"):
            assert stranger.refused("GET", path)[0] == 404
        for path in (f"{FLOWS}/levels/{level}/send-message", f"{PATH}/{number}/charge-flow/cancel"):
            assert stranger.refused("POST", path)[0] == 404
        assert stranger.get(f"{FLOWS}/levels")["data"] == []


class TestConfiguration:
    def test_a_new_space_has_a_flow(self, shop: Shop) -> None:
        (flow,) = shop.get(FLOWS)["data"]
        assert (flow["state"], "conditions" in flow) == ("ACTIVE", False)
        found = shop.get(f"{FLOWS}/level-configurations/search?query=flow:{flow['id']}&order=priority")["data"]
        assert [(each["name"], each["type"], each["period"]) for each in found] == list(DEMONSTRATION_LEVELS)

    def test_a_flow_of_ones_own(self, shop: Shop) -> None:
        mine = new_shop()
        (first,) = mine.get(FLOWS)["data"]
        flow = mine.call("POST", FLOWS, {"name": "Mine", "priority": -1}).json
        level = {"flow": flow["id"], "type": TEXT_MESSAGE, "period": "P1DT12H"}
        made = mine.call("POST", f"{FLOWS}/level-configurations", level).json
        number = mine.create(billingAddress={"mobilePhoneNumber": "+41791234567"})["id"]
        apply(mine, number)
        (opened,) = levels(mine, number)
        assert opened["configuration"]["id"] == made["id"]
        assert [(each["channel"], each["recipient"]) for each in messages(number)] == [("sms", "+41791234567")]
        mine.call("PATCH", f"{FLOWS}/{flow['id']}", {"version": flow["version"], "state": "INACTIVE"})
        second = mine.create(**WHO)["id"]
        apply(mine, second)
        assert len(levels(mine, second)) == 2
        assert mine.call("DELETE", f"{FLOWS}/{first['id']}").status == 204
        third = mine.create(**WHO)["id"]
        assert mine.refused("POST", f"{PATH}/{third}/charge-flow/apply")[:2] == (422, "no_charge_flow")
        assert mine.state(third) == "PENDING"

    def test_only_a_token_and_there_is_none(self) -> None:
        mine = new_shop()
        flow = mine.call("POST", FLOWS, {"name": "Mine", "priority": -1}).json["id"]
        mine.post(f"{FLOWS}/level-configurations", {"flow": flow, "type": TOKEN, "period": "PT1H"})
        number = mine.create(**WHO)["id"]
        assert mine.refused("POST", f"{PATH}/{number}/charge-flow/apply")[:2] == (422, "no_charge_flow")

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({"type": 17}, (422, ["type"])),
            ({"period": "P"}, (422, ["period"])),
            ({"period": "P1M"}, (422, ["period"])),
            ({"period": "PT0M"}, (422, ["period"])),
            ({"period": "P52W10D"}, (422, ["period"])),
            ({"period": None}, (400, ["period"])),
            ({"flow": 17}, (422, ["flow"])),
        ],
    )
    def test_levels_that_are_refused(
        self, shop: Shop, members: dict[str, Any], expected: tuple[int, list[str]]
    ) -> None:
        flow = shop.get(FLOWS)["data"][0]["id"]
        body = {"flow": flow, "type": EMAIL, "period": "P1D", **members}
        assert shop.refused("POST", f"{FLOWS}/level-configurations", body)[0::2] == expected

    @pytest.mark.parametrize(
        ("period", "seconds"), [("PT1M", 60), ("PT2H30M", 9000), ("P1DT1H", 90_000), ("P2W1D", 15 * DAY)]
    )
    def test_periods(self, period: str, seconds: int) -> None:
        assert seconds_of(period) == seconds


class TestOnce:
    def test_applied_by_several_at_once(self, shop: Shop) -> None:
        for _ in range(2):
            number = shop.create(token=token(shop), **WHO)["id"]
            path = f"{PATH}/{number}/charge-flow/apply"
            answers = together_each(*[lambda path=path: shop.call("POST", path)] * 4)
            assert sorted(each.status for each in answers) == [200, 422, 422, 422]
            settle()
            assert (shop.state(number), states(shop, number), len(attempts(shop, number))) == (
                "FULFILL", ["SUCCESSFUL"], 1,
            )  # fmt: skip

    def test_the_clock_twice_the_buyer_and_the_merchant(self, shop: Shop, held_clock: HeldClock) -> None:
        for _ in range(3):
            number = shop.create(**WHO)["id"]
            apply(shop, number)
            held_clock.advance(days=3)
            together_each(
                settle,
                settle,
                lambda number=number: shop.call("POST", f"{PATH}/{number}/process-card-details", card()),
                lambda number=number: shop.call("POST", f"{PATH}/{number}/charge-flow/cancel"),
            )
            state, found = shop.state(number), states(shop, number)
            assert state in ("FULFILL", "FAILED")
            assert found.count("SUCCESSFUL") == (state == "FULFILL")
            settle()
            assert "PENDING" not in states(shop, number)
            assert (flow_rows(number), work_rows(number)) == ([], [])

    def test_killed_at_whatever_call(self, shop: Shop, held_clock: HeldClock) -> None:
        """The clock takes it to its end: paid with the token once, or never begun."""
        from payments.gateway.handler import _transactions as transactions

        mine = token(shop)
        waiting, ends = [int(shop.create(token=mine, chargeRetryEnabled=False, **WHO)["id"])], set()

        def attempt() -> None:
            Flows(transactions).apply(
                Acting(shop.merchant.tenant, shop.scope), waiting[-1], lambda _: "https://x.example"
            )

        for death in deaths(aws.dynamodb(), attempt):
            number = waiting[-1]
            held_clock.advance(seconds=ASK_AFTER_SECONDS)
            for duty in (transactions.settling, Flows(transactions)):
                for each in duty.due():
                    each()
            state, found = shop.state(number), states(shop, number)
            assert (state, found, len(attempts(shop, number))) in (
                ("PENDING", [], 0), ("FULFILL", ["SUCCESSFUL"], 1), ("PROCESSING", ["FAILED", "PENDING"], 1),
            ), death  # fmt: skip
            ends.add(state)
            waiting.append(int(shop.create(token=mine, chargeRetryEnabled=False, **WHO)["id"]))
        assert {"PENDING", "FULFILL"} <= ends
