"""A directory server that fails, lies or is silent; a process that dies at any call; two who settle at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.faults import Killed, deaths
from tests.support.http import send
from tests.support.session import HeldClock
from tests.support.tables import items
from tests.threeds import browser, conftest
from tests.threeds.conftest import PAYMENT, Shop
from tests.threeds.network import (
    Network,
    Obstacle,
    answers,
    loses_the_answer,
    silent,
    unreachable,
    with_changes,
)
from threeds.acs_simulator.worker import handler as acs_schedule
from threeds.addresses import DIRECTORY_PATH, RESULTS_PATH
from threeds.authentications import handler as door
from threeds.authentications.worker import handler as timeouts
from tollgate import aws
from tollgate.egress import Answer

TABLE = DEPLOYMENT.tables["ThreedsTable"].name


def announced() -> dict[str, list[str]]:
    """What was announced, by authentication."""
    found: dict[str, list[str]] = {}
    for row in items(aws.dynamodb(), TABLE, "OUTBOX#"):
        found.setdefault(row["subject"]["S"], []).append(row["type"]["S"])
    return found


def events_of(authentication_id: str) -> list[str]:
    return announced().get(authentication_id, [])


def listed(shop: Shop) -> list[dict[str, Any]]:
    return list(shop.send("GET", "/authentications?limit=500").json["data"])


def total(shop: Shop) -> int:
    return int(shop.send("GET", "/authentications?limit=1").json["total_items"])


class TestRefusals:
    @pytest.mark.parametrize(
        "obstacle",
        [
            unreachable,
            answers(500),
            answers(302),
            answers(200, b"<html>"),
            answers(200, {"messageType": "Erro", "messageVersion": "2.2.0"}),
            answers(200, {"messageType": "CRes"}),
            with_changes(transStatus=None),
            with_changes(transStatus="X"),
            with_changes(acsTransID="1"),
            with_changes(authenticationValue="AAAA"),
            with_changes(transStatus="C"),
            with_changes(transStatus="C", acsChallengeMandated="Y", acsURL="javascript:alert(1)"),
            with_changes(threeDSServerTransID="00000000-0000-4000-8000-000000000000"),
            with_changes(messageExtension=[{"id": "x", "name": "x", "criticalityIndicator": True, "data": {}}]),
        ],
    )
    def test_fail_at_once(self, shop: Shop, network: Network, obstacle: Obstacle) -> None:
        with network.when(DIRECTORY_PATH, obstacle):
            made = shop.pay(conftest.FRICTIONLESS)
        (detail,) = made["failure_details"]
        assert (made["status"], detail["reason"]) == ("FAILED", "directory_server_error")
        assert made["authentication_result"] is None
        assert made["finished_at"] is not None
        assert events_of(made["id"]) == ["authentication.failed"]

    def test_a_result_without_indicator_gets_the_schemes(self, shop: Shop, network: Network) -> None:
        with network.when(DIRECTORY_PATH, with_changes(eci=None)):
            visa, mastercard = shop.pay(conftest.ATTEMPT), shop.pay(conftest.FRICTIONLESS_MASTERCARD)
        assert visa["authentication_result"]["cardholder_data"]["eci"] == "06"
        assert mastercard["authentication_result"]["cardholder_data"]["eci"] == "02"

    def test_an_exemption_completes_without_a_value(self, shop: Shop, network: Network) -> None:
        with network.when(DIRECTORY_PATH, with_changes(transStatus="I", eci=None, authenticationValue=None)):
            made = shop.pay(conftest.FRICTIONLESS)
        data = made["authentication_result"]["cardholder_data"]
        assert (made["status"], data["eci"], data["authentication_value"]) == ("COMPLETED", "07", None)

    @pytest.mark.parametrize(("code", "reason"), [("08", "card_not_enrolled"), ("13", "card_not_enrolled")])
    def test_the_issuers_reason_is_told(self, shop: Shop, network: Network, code: str, reason: str) -> None:
        with network.when(DIRECTORY_PATH, with_changes(transStatusReason=code)):
            assert shop.pay(conftest.REFUSED)["failure_details"][0]["reason"] == reason

    def test_without_a_directory_server_nothing_is_sent(
        self, shop: Shop, network: Network, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from dataclasses import replace

        monkeypatch.setattr(door, "_settings", replace(door._settings, environment="production"))
        made = shop.pay(conftest.FRICTIONLESS)
        assert made["failure_details"][0]["reason"] == "directory_server_error"
        assert network.sent == []


class TestSilence:
    @pytest.mark.parametrize("obstacle", [silent, loses_the_answer])
    @pytest.mark.parametrize("account_number", [conftest.FRICTIONLESS, conftest.CHALLENGE, conftest.DECOUPLED])
    def test_is_settled_by_the_clock_and_sent_once(
        self, shop: Shop, network: Network, held_clock: HeldClock, obstacle: Obstacle, account_number: str
    ) -> None:
        with network.when(DIRECTORY_PATH, obstacle):
            made = shop.pay(account_number)
        assert (made["status"], made["action_requirement"]) == ("PROCESSING", None)
        held_clock.advance(seconds=59)
        timeouts({}, object())
        assert shop.read(made) == made
        held_clock.advance(seconds=1)
        timeouts({}, object())
        over = shop.read(made)
        assert over["failure_details"][0]["reason"] == "directory_server_error"
        held_clock.advance(hours=1)
        acs_schedule({}, object())
        timeouts({}, object())
        assert shop.read(made) == over
        assert events_of(made["id"]) == ["authentication.failed"]
        assert len([each for each in network.sent if each.path == DIRECTORY_PATH and "acctNumber" in each.message]) == 1


class TestDeaths:
    """The process dies at each of its calls; afterwards everything is settled once and counted right."""

    @pytest.mark.parametrize("account_number", [conftest.FRICTIONLESS, conftest.CHALLENGE])
    def test_of_a_creation(self, shop: Shop, network: Network, held_clock: HeldClock, account_number: str) -> None:
        token_id = shop.token(account_number)
        shop.ask(**PAYMENT, token_id=token_id)
        tried = 0

        def attempt() -> None:
            nonlocal tried
            tried += 1
            headers = {"x-idempotency-key": f"k-{tried}"}
            shop.send("POST", "/authentications/cof", json_body={**PAYMENT, "token_id": token_id}, headers=headers)

        for death in deaths(aws.dynamodb(), attempt):
            held_clock.advance(seconds=601)
            acs_schedule({}, object())
            timeouts({}, object())
            before = total(shop)
            headers = {"x-idempotency-key": f"k-{tried}"}
            body = {**PAYMENT, "token_id": token_id}
            again = shop.send("POST", "/authentications/cof", json_body=body, headers=headers)
            assert again.status == 200, death
            assert total(shop) - before == ("x-idempotency-replayed" not in again.headers), death
        assert tried > 10
        self._check(shop, listed(shop))

    def test_of_a_subsequent_one(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        original = shop.begin(recurring_frequency=1)
        held_clock.advance(days=1)
        for _ in deaths(aws.dynamodb(), lambda: shop.follow(original)):
            held_clock.advance(seconds=61)
            timeouts({}, object())
            held_clock.advance(days=1)
            assert shop.follow(original)["status"] == "COMPLETED"
            held_clock.advance(days=1)
        self._check(shop, listed(shop))

    def test_of_the_cardholders_answer(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        """At the issuer, whose verdict must reach us nevertheless."""
        tried = 0

        def attempt() -> None:
            nonlocal tried
            tried += 1
            made = shop.pay(conftest.CHALLENGE)
            browser.post(made["action_requirement"]["target_url"], {"challenge_code": "123456"})

        for _ in deaths(aws.dynamodb(), attempt):
            held_clock.advance(seconds=61)
            acs_schedule({}, object())
            timeouts({}, object())
        assert tried > 10
        self._check(shop, listed(shop))

    def test_of_a_result(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        """At our server, which must take the same result again."""

        def report() -> dict[str, Any]:
            made = shop.pay(conftest.CHALLENGE)
            with network.when(RESULTS_PATH, unreachable):
                browser.post(made["action_requirement"]["target_url"], {"challenge_code": "123456"})
            return {"made": made, "rreq": network.sent[-1].message}

        waiting: list[dict[str, Any]] = [report()]
        for death in deaths(aws.dynamodb(), lambda: self._send(waiting[-1]["rreq"])):
            last = waiting[-1]
            assert self._send(last["rreq"])["resultsStatus"] == "01", death
            done = shop.read(last["made"])
            assert done["status"] == "COMPLETED", death
            assert self._send(last["rreq"])["resultsStatus"] == "01", death
            assert shop.read(last["made"]) == done
            waiting.append(report())
        assert len(waiting) > 5
        self._check(shop, listed(shop))

    def _send(self, message: dict[str, Any]) -> dict[str, Any]:
        answer = send(door.handler, "POST", RESULTS_PATH, json_body=message)
        assert answer.status == 200
        return dict(answer.json)

    def test_of_the_clock(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        def attempt() -> None:
            shop.pay(conftest.SILENT)
            held_clock.advance(seconds=601)
            timeouts({}, object())

        for _ in deaths(aws.dynamodb(), attempt):
            held_clock.advance(seconds=601)
            timeouts({}, object())
        self._check(shop, listed(shop))

    def _check(self, shop: Shop, found: list[dict[str, Any]]) -> None:
        """All is counted, and what is over was announced once."""
        assert shop.send("GET", "/authentications").json["total_items"] == len(found)
        events = announced()
        for each in found:
            is_over = each["status"] != "PROCESSING"
            assert is_over or each["action_requirement"]
            assert events.get(each["id"], []) == [f"authentication.{each['status'].lower()}"] * is_over


class TestRaces:
    def test_a_result_and_the_clock(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        for _ in range(5):
            made = shop.pay(conftest.CHALLENGE)
            url = made["action_requirement"]["target_url"]
            held_clock.advance(seconds=599)

            def obstacle(go: Callable[[], Answer]) -> Answer:
                """The result is on its way when the time is over."""
                held_clock.advance(seconds=2)
                with ThreadPoolExecutor(2) as pool:
                    answer, _ = pool.submit(go), pool.submit(timeouts, {}, object())
                    return answer.result()

            with network.when("/authentications/results", obstacle):
                browser.post(url, {"challenge_code": "123456"})
            after = shop.read(made)
            assert after["status"] in ("COMPLETED", "FAILED")
            assert events_of(made["id"]) == [f"authentication.{after['status'].lower()}"]
            acs_schedule({}, object())
            timeouts({}, object())
            assert shop.read(made) == after

    def test_two_completions(self, shop: Shop, network: Network) -> None:
        made = shop.pay(conftest.CHALLENGE)
        url = made["action_requirement"]["target_url"]
        with ThreadPoolExecutor(6) as pool:
            pages = list(pool.map(lambda _: browser.post(url, {"challenge_code": "123456"}), range(6)))
        assert {page.status for page in pages} <= {200, 409}
        assert 200 in {page.status for page in pages}
        acs_schedule({}, object())
        assert shop.read(made)["status"] == "COMPLETED"
        assert events_of(made["id"]) == ["authentication.completed"]

    def test_the_clock_twice(self, shop: Shop, held_clock: HeldClock) -> None:
        made = [shop.pay(conftest.CHALLENGE) for _ in range(4)]
        held_clock.advance(seconds=601)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: timeouts({}, object()), range(4)))
        for each in made:
            assert shop.read(each)["status"] == "FAILED"
            assert events_of(each["id"]) == ["authentication.failed"]

    def test_a_death_before_the_answer_is_no_death_of_the_next(self, shop: Shop, network: Network) -> None:
        def die(go: Callable[[], Answer]) -> Answer:
            raise Killed

        with network.when(DIRECTORY_PATH, die), pytest.raises(Killed):
            shop.pay(conftest.FRICTIONLESS)
        assert shop.pay(conftest.FRICTIONLESS)["status"] == "COMPLETED"


def test_the_announcement_is_the_public_form(shop: Shop) -> None:
    made = shop.pay(conftest.FRICTIONLESS)
    (row,) = [row for row in items(aws.dynamodb(), TABLE, "OUTBOX#") if row["subject"]["S"] == made["id"]]
    assert json.loads(row["payload"]["S"]) == {"authentication": made}
