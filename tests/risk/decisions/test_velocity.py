"""Velocity over HTTP: rolling windows to the microsecond, exact under concurrency, deaths, round trips."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from risk.decisions import handler as door
from tests.risk.instances import BODY, Instance, condition, count, leaf
from tests.support import faults
from tollgate import aws
from tollgate.errors import Contended

CUSTOMER = "$.customer.id"


def counted(answer: Any) -> int:
    """The value that the only velocity rule of the decision saw."""
    (rule,) = answer.json["triggered_rules"]
    return int(rule["matched"]["actual"])


def watch(instance: Instance, key: str = CUSTOMER, window: int = 3600, **members: Any) -> None:
    instance.activate(condition("seen", count(key, "gte", 0, window, **members), "REVIEW"))


class TestWindow:
    def test_slides_and_includes_the_decision_itself(self, instance: Instance, held_clock: Any) -> None:
        watch(instance, window=10)
        assert counted(instance.decide()) == 1
        held_clock.advance(seconds=4)
        assert counted(instance.decide()) == 2
        held_clock.advance(microseconds=5_999_999)
        assert counted(instance.decide()) == 3
        held_clock.advance(microseconds=1)  # the first one is now exactly a window old
        assert counted(instance.decide()) == 3
        held_clock.advance(seconds=60)
        assert counted(instance.decide()) == 1

    def test_survives_a_clock_that_steps_back(self, instance: Instance, held_clock: Any) -> None:
        watch(instance, window=10)
        instance.decide()
        held_clock.advance(seconds=-5)
        assert counted(instance.decide()) == 2

    @pytest.mark.parametrize(
        ("key", "other"),
        [
            (CUSTOMER, {"customer": {"id": "another"}}),
            ("$.credential_fingerprint", {"credential": {"type": "pan", "pan": {"value": "4111111111111111"}}}),
            ("$.device.ip", {"device": {"ip": "203.0.113.8", "fingerprint": "device-1"}}),
            ("$.device.fingerprint", {"device": {"ip": "203.0.113.7", "fingerprint": "device-2"}}),
        ],
    )
    def test_counts_by_key(self, instance: Instance, key: str, other: dict[str, Any]) -> None:
        watch(instance, key)
        instance.decide()
        assert counted(instance.decide(**other)) == 1
        assert counted(instance.decide()) == 2

    def test_spells_an_address_in_one_way(self, instance: Instance) -> None:
        watch(instance, "$.device.ip")
        for text in ("2001:db8::1", "2001:0DB8:0:0::0001"):
            answer = instance.decide(device={"ip": text})
        assert counted(answer) == 2

    def test_does_not_count_without_a_key(self, instance: Instance) -> None:
        watch(instance, "$.device.ip")
        for _ in range(2):
            assert instance.decide(device={"session": "s"}).json["triggered_rules"] == []

    def test_sums_amounts_of_the_currency(self, instance: Instance) -> None:
        watch(instance, aggregate="sum")
        for currency, amount in (("EUR", 100), ("USD", 7), ("EUR", 20)):
            answer = instance.decide(transaction={"reference": "r", "amount": amount, "currency": currency})
        assert counted(answer) == 120

    def test_counts_distinct_values(self, instance: Instance) -> None:
        watch(instance, aggregate="distinct", of="$.credential_fingerprint")
        for number in ("4242424242424242", "4111111111111111", "4242424242424242"):
            answer = instance.decide(credential={"type": "pan", "pan": {"value": number}})
        assert counted(answer) == 2

    def test_counts_earlier_outcomes(self, instance: Instance) -> None:
        instance.activate(
            condition("blocked", count(CUSTOMER, "gte", 2, outcomes=["BLOCK"]), "REVIEW"),
            condition("big", leaf("$.transaction.amount", "gt", 1000)),
        )
        seen = [len(instance.decide().json["triggered_rules"]) for _ in range(3)]
        assert seen == [1, 1, 2]

    def test_keeps_accounts_apart(self, instance: Instance, make_instance: Any) -> None:
        other = make_instance()
        for each in (instance, other):
            watch(each)
            assert counted(each.decide()) == 1


class TestConcurrency:
    def test_each_of_many_sees_another_number(self, instance: Instance) -> None:
        watch(instance)
        instance.decide()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: instance.decide(), range(24)))
        assert {each.status for each in answers} == {200}
        assert sorted(counted(each) for each in answers) == list(range(2, 26))

    def test_a_threshold_is_crossed_once(self, instance: Instance) -> None:
        instance.activate(condition("burst", count(CUSTOMER, "gt", 10)))
        with ThreadPoolExecutor(8) as pool:
            decided = list(pool.map(lambda _: instance.decide().json["decision"], range(16)))
        assert sorted(decided) == ["ALLOW"] * 10 + ["BLOCK"] * 6

    def test_says_so_when_others_are_always_first(self, instance: Instance, monkeypatch: Any) -> None:
        watch(instance)
        instance.decide()
        monkeypatch.setattr("risk.decisions.service.ATTEMPTS", 0)
        assert instance.decide().json["message"] == Contended.default_message


def test_a_death_leaves_all_or_nothing(instance: Instance) -> None:
    """Wherever a decision dies, asking again under its key makes one decision that was counted once."""
    watch(instance)
    instance.decide()
    expected = 1
    for number, _ in enumerate(faults.deaths(aws.dynamodb(), lambda: _decide(instance, "last"))):
        assert number < 20
        answers = [_decide(instance, f"k{expected}") for _ in range(2)]
        assert answers[0].body == answers[1].body
        found = counted(answers[0])
        assert found in {expected + 1, expected + 2}  # the one that died may have been made, under its own key
        expected = found
    assert counted(_decide(instance, "last")) <= expected + 1


def _decide(instance: Instance, key: str) -> Any:
    return instance.send("POST", "/api/decisions", json_body=BODY, headers={"idempotency-key": key})


def test_takes_three_round_trips(instance: Instance, monkeypatch: Any) -> None:
    """With a hundred rules, two velocity rules and a blacklist: the instance, one batch, one transaction."""
    rules = [condition(f"r{n}", leaf("$.transaction.amount", "gt", 100_000 + n)) for n in range(97)]
    instance.activate(
        *rules,
        condition("v1", count(CUSTOMER, "gt", 900)),
        condition("v2", count("$.credential_fingerprint", "gt", 900, 86400)),
        {"id": "b", "type": "blacklist", "action": "BLOCK", "fields": ["$.device.ip", "$.credential_fingerprint"]},
    )
    instance.decide()
    calls: list[str] = []

    def note(**event: Any) -> None:
        calls.append(event["event_name"].rpartition(".")[2])

    monkeypatch.setattr("tollgate.sandbox_clock.refresh", lambda: None)  # a sandbox's own read
    events = aws.dynamodb().meta.events
    events.register("before-send.dynamodb.*", note)
    try:
        assert instance.decide().status == 200
    finally:
        events.unregister("before-send.dynamodb.*", note)
    assert calls == ["GetItem", "BatchGetItem", "TransactWriteItems"]


def test_a_record_gives_the_same_outcome_again(instance: Instance) -> None:
    """What is stored of a decision is all that its outcome followed from."""
    from risk.evaluation import Facts, compile_ruleset, evaluate, view_of
    from risk.rules import RulesReader

    active = instance.activate(
        condition("v", count(CUSTOMER, "gte", 3), "REVIEW"),
        condition("m", leaf("$.metadata.tier", "eq", "gold"), live=False),
        {"id": "b", "type": "blacklist", "action": "BLOCK", "fields": ["$.device.ip"]},
    )
    made = [instance.decide(metadata={"tier": "gold"}).json for _ in range(3)]
    listed = {"field_path": "$.device.ip", "value": "203.0.113.7"}
    assert instance.send("POST", "/api/admin/blacklist", json_body=listed).status == 201
    made.append(instance.decide().json)
    assert [each["decision"] for each in made] == ["ALLOW", "ALLOW", "REVIEW", "BLOCK"]
    compiled = compile_ruleset("x", 1, RulesReader(connect=False).read(active["rules"]))
    for each in made:
        record = door._service.require(instance.account_id, each["id"])
        outcome = evaluate(compiled, Facts(record.inputs, record.counters, frozenset(record.listed)))
        assert outcome.decision == each["decision"]
        assert [view_of(*triggered) for triggered in outcome.triggered] == each["triggered_rules"]
