"""The time machine over HTTP: the past again as it was, what would have been otherwise, in pieces, by nobody else."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from risk.simulations import service as machine
from tests.risk.instances import Instance, MakeInstance, condition, count, leaf
from tests.risk.test_evaluation import random_condition
from tests.support.environment import DEPLOYMENT
from tests.support.http import Response
from tollgate import aws, clock
from tollgate.store.table import Table

CUSTOMER = "$.customer.id"
BIG = leaf("$.transaction.amount", "gt", 5000)


def simulate(instance: Instance, ruleset_id: str, **members: Any) -> Response:
    now = clock.now()
    body = {"from": (now - timedelta(days=1)).isoformat(), "to": (now + timedelta(minutes=1)).isoformat()}
    return instance.send("POST", f"/api/admin/rulesets/{ruleset_id}/simulate", json_body=body | members)


def try_out(instance: Instance, *rules: dict[str, Any], context: str = "default", **members: Any) -> dict[str, Any]:
    drafted = instance.draft(*rules, context=context)
    assert drafted.status == 201, drafted.body
    answer = simulate(instance, drafted.json["id"], **members)
    assert answer.status == 200, answer.body
    return dict(answer.json)


def pay(instance: Instance, amount: int, customer: str = "c", **members: Any) -> dict[str, Any]:
    transaction = {"reference": "r", "amount": amount, "currency": members.pop("currency", "EUR")}
    answer = instance.decide(customer={"id": customer}, transaction=transaction, **members)
    assert answer.status == 200, answer.body
    return dict(answer.json)


class TestThePast:
    @pytest.mark.parametrize("seed", range(4))
    def test_comes_out_as_it_did(self, instance: Instance, held_clock: Any, seed: int) -> None:
        """Whatever the rules, the counts, the list: a ruleset makes of its own decisions what it made of them."""
        chance = random.Random(seed)
        rules = [
            condition(f"r{n}", random_condition(chance), chance.choice(["BLOCK", "REVIEW"]), live=chance.random() < 0.8)
            for n in range(6)
        ]
        rules.append(condition("velocity", count(CUSTOMER, "gte", 3, 60), "REVIEW"))
        of_value = {"aggregate": "distinct", "of": "$.transaction.reference"}
        rules.append(condition("distinct", count("$.device.ip", "gt", 4, 600, **of_value), "BLOCK"))
        rules.append({"id": "b", "type": "blacklist", "action": "BLOCK", "fields": [CUSTOMER]})
        active = instance.activate(*[each for each in rules if _is_sound(instance, each)])
        made = []
        for n in range(30):
            if n == 15:
                entry = {"field_path": CUSTOMER, "value": "customer-2", "ttl_seconds": 60}
                assert instance.send("POST", "/api/admin/blacklist", json_body=entry).status == 201
            held_clock.advance(seconds=chance.randrange(20))
            made.append(_any_decision(instance, chance))
        answer = simulate(instance, active["id"]).json
        before = Counter(each["decision"] for each in made)
        assert {(each["before"], each["after"]): each["decisions"] for each in answer["outcomes"]} == {
            (outcome, outcome): n for outcome, n in before.items()
        }
        fired = Counter(rule["rule_id"] for each in made for rule in each["triggered_rules"])
        assert {each["rule_id"]: each["fired"] for each in answer["rules"] if each["fired"]} == fired
        assert answer["reconstructed"] == []

    def test_is_not_touched(self, instance: Instance) -> None:
        active = instance.activate(condition("v", count(CUSTOMER, "gte", 1), "REVIEW"))
        pay(instance, 1)
        names = [DEPLOYMENT.tables[each].name for each in ("RiskTable", "NotificationsTable")]

        def everything() -> list[Any]:
            pages = [
                aws.dynamodb().get_paginator("scan").paginate(TableName=name, ConsistentRead=True) for name in names
            ]
            found = [item for each in pages for page in each for item in page["Items"]]
            mine = [item for item in found if instance.account_id in str(item["pk"])]
            return sorted(mine, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))

        before = everything()
        assert simulate(instance, active["id"]).status == 200
        assert everything() == before


def _is_sound(instance: Instance, rule: dict[str, Any]) -> bool:
    """Whether a rule may be activated: random ones can contradict themselves."""
    made = instance.draft(rule, context="probe").json
    return instance.send("POST", f"/api/admin/rulesets/{made['id']}/activate").status == 200


def _any_decision(instance: Instance, chance: random.Random) -> dict[str, Any]:
    answer = instance.decide(
        customer={"id": f"customer-{chance.randrange(4)}", "email": chance.choice(["a", "ab", "b"])},
        transaction={"reference": f"r{chance.randrange(9)}", "amount": chance.randrange(4), "currency": "EUR"},
        billing={"country": chance.choice(["DE", "FR"])},
        metadata={"m": chance.choice(["a", "b"])},
    )
    assert answer.status == 200, answer.body
    return dict(answer.json)


class TestDifferences:
    def test_are_counted_and_summed(self, instance: Instance) -> None:
        instance.activate(condition("foreign", leaf("$.transaction.currency", "eq", "USD"), "BLOCK"))
        made = [pay(instance, 100), pay(instance, 9000), pay(instance, 7000), pay(instance, 50, currency="USD")]
        answer = try_out(instance, condition("big", BIG, "BLOCK"))
        assert answer["decisions"] == 4
        assert answer["outcomes"] == [
            {"before": "ALLOW", "after": "ALLOW", "decisions": 1},
            {"before": "ALLOW", "after": "BLOCK", "decisions": 2},
            {"before": "BLOCK", "after": "ALLOW", "decisions": 1},
        ]
        assert answer["newly_blocked"] == {
            "decisions": 2,
            "amounts": [{"currency": "EUR", "amount": 16000}],
            "samples": [made[1]["id"], made[2]["id"]],
        }
        assert answer["newly_allowed"]["amounts"] == [{"currency": "USD", "amount": 50}]
        assert answer["newly_reviewed"]["decisions"] == 0
        assert answer["rules"] == [{"rule_id": "big", "name": "rule big", "live": True, "fired": 2}]

    def test_shadow_rules_fire_and_change_nothing(self, instance: Instance) -> None:
        pay(instance, 9000)
        answer = try_out(instance, condition("big", BIG, "BLOCK", live=False))
        assert (answer["newly_blocked"]["decisions"], answer["rules"][0]["fired"]) == (0, 1)

    def test_are_those_of_the_context(self, instance: Instance) -> None:
        instance.activate(condition("x", leaf("$.transaction.amount", "eq", 1), "REVIEW"), context="shop")
        pay(instance, 9000)
        pay(instance, 9000, context="shop")
        pay(instance, 9000, context="elsewhere")
        block = condition("big", BIG, "BLOCK")
        default, shop = try_out(instance, block), try_out(instance, block, context="shop")
        assert (default["decisions"], default["others"]) == (2, 1)
        assert (shop["decisions"], shop["others"]) == (1, 2)

    def test_are_of_the_period_alone(self, instance: Instance, held_clock: Any) -> None:
        moments = []
        for _ in range(3):
            pay(instance, 9000)
            moments.append(held_clock.at)
            held_clock.advance(seconds=1)
        answer = try_out(
            instance, condition("big", BIG), **{"from": moments[1].isoformat(), "to": moments[1].isoformat()}
        )
        assert answer["decisions"] == 1

    def test_go_over_midnight_and_days(self, instance: Instance, held_clock: Any) -> None:
        for _ in range(5):
            held_clock.advance(hours=11)
            instance.token = ""  # the former one has ended
            pay(instance, 9000)
        first = (held_clock.at - timedelta(days=3)).isoformat()
        assert try_out(instance, condition("big", BIG), **{"from": first})["newly_blocked"]["decisions"] == 5

    def test_come_in_pieces_that_add_up(self, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        for n in range(7):
            pay(instance, 9000, customer=f"c{n % 2}")
        ruleset_id = instance.draft(condition("many", count(CUSTOMER, "gte", 3), "BLOCK")).json["id"]
        whole = simulate(instance, ruleset_id).json
        pieces = [simulate(instance, ruleset_id, limit=2).json]
        monkeypatch.setattr(machine, "SECONDS", -1)  # from here on a run is late at once, and still goes on by one
        monkeypatch.setattr(machine, "_LOOK_AT_THE_TIME_EVERY", 1)
        while not pieces[-1]["complete"]:
            pieces.append(simulate(instance, ruleset_id, after=pieces[-1]["after"]).json)
        assert (whole["complete"], whole["after"]) == (True, None)
        assert [each["decisions"] for each in pieces] == [2, 1, 1, 1, 1, 1]
        assert sum(each["newly_blocked"]["decisions"] for each in pieces) == whole["newly_blocked"]["decisions"] == 3
        samples = [sample for each in pieces for sample in each["newly_blocked"]["samples"]]
        assert samples == whole["newly_blocked"]["samples"]


class TestWhatThePastDidNotKeep:
    @pytest.mark.parametrize(
        "members",
        [
            {"aggregate": "count"},
            {"aggregate": "sum"},
            {"aggregate": "distinct", "of": "$.transaction.reference"},
            {"aggregate": "count", "outcomes": ["ALLOW"]},
        ],
    )
    def test_is_counted_anew_as_it_would_have_been(
        self, instance: Instance, make_instance: MakeInstance, held_clock: Any, members: dict[str, Any]
    ) -> None:
        """Two accounts with the same payments: one had the rule, in shadow, from the beginning; the other tries it."""
        twin, chance = make_instance(), random.Random(1)
        rule = condition("v", count(CUSTOMER, "gte", 4, 30, **members), "BLOCK", live=False)
        block = condition("big", BIG, "BLOCK")
        twin.activate(block, rule)
        instance.activate(block)
        fired = 0
        for _ in range(40):
            held_clock.advance(seconds=chance.randrange(6))
            transaction = {
                "reference": f"r{chance.randrange(5)}",
                "amount": chance.choice([1, 2, 6000]),
                "currency": "EUR",
            }
            body = {"customer": {"id": f"c{chance.randrange(2)}"}, "transaction": transaction}
            fired += any(each["rule_id"] == "v" for each in twin.decide(**body).json["triggered_rules"])
            instance.decide(**body)
        answer = try_out(instance, block, rule)
        assert answer["rules"][1] == {"rule_id": "v", "name": "rule v", "live": False, "fired": fired}
        assert fired
        assert answer["reconstructed"][0]["key"] == CUSTOMER
        assert answer["counted_from"] is not None

    def test_counts_begin_before_the_period(self, instance: Instance, held_clock: Any) -> None:
        for _ in range(3):
            pay(instance, 1)
            held_clock.advance(seconds=10)
        pay(instance, 1)
        draft = condition("v", count(CUSTOMER, "gte", 4, 60), "BLOCK")
        first = (held_clock.at - timedelta(seconds=1)).isoformat()
        answer = try_out(instance, draft, **{"from": first})
        assert (answer["decisions"], answer["newly_blocked"]["decisions"]) == (1, 1)

    def test_a_run_up_that_takes_too_long_is_cut(self, instance: Instance, monkeypatch: Any) -> None:
        for _ in range(3):
            pay(instance, 1)
        monkeypatch.setattr(machine, "RUN_UP_SECONDS", -1)
        monkeypatch.setattr(machine, "_LOOK_AT_THE_TIME_EVERY", 1)
        answer = try_out(instance, condition("v", count(CUSTOMER, "gte", 2, 86_400), "BLOCK"))
        assert (answer["decisions"], answer["complete"]) == (3, True)

    def test_is_looked_up_on_the_list_as_it_stood(self, instance: Instance, held_clock: Any) -> None:
        before = pay(instance, 1)
        held_clock.advance(seconds=1)
        entry = {"field_path": CUSTOMER, "value": "c", "ttl_seconds": 3600}
        instance.send("POST", "/api/admin/blacklist", json_body=entry)
        held_clock.advance(seconds=1)
        after = pay(instance, 1)
        answer = try_out(instance, {"id": "b", "type": "blacklist", "action": "BLOCK", "fields": [CUSTOMER]})
        assert answer["newly_blocked"]["samples"] == [after["id"]] != [before["id"]]


class TestRequests:
    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"from": None}, "$.from"),
            ({"from": 1}, "$.from"),
            ({"from": "yesterday"}, "$.from"),
            ({"to": "2026-02-30"}, "$.to"),
            ({"from": "2026-01-02", "to": "2026-01-01"}, "$.from"),
            ({"from": "2026-01-01", "to": "2026-02-02"}, "$.to"),
            ({"limit": 0}, "$.limit"),
            ({"limit": 100_001}, "$.limit"),
            ({"limit": True}, "$.limit"),
            ({"limit": "1"}, "$.limit"),
            ({"after": ""}, "$.after"),
            ({"after": 1}, "$.after"),
            ({"after": "x" * 5000}, "$.after"),
        ],
    )
    def test_refuse_with_the_path(self, instance: Instance, changes: dict[str, Any], path: str) -> None:
        answer = simulate(instance, instance.draft().json["id"], **changes)
        assert (answer.status, answer.paths()) == (422, [path])

    def test_take_no_place_of_another_account_or_list(self, instance: Instance, make_instance: MakeInstance) -> None:
        for _ in range(2):
            pay(instance, 1)
            instance.draft()
        other, mine = make_instance(), instance.draft().json["id"]
        after = simulate(instance, mine, limit=1).json["after"]
        assert simulate(instance, mine, after=after).status == 200
        assert simulate(other, other.draft().json["id"], after=after).paths() == ["$.after"]
        assert simulate(instance, mine, after=after[:-2] + "AA").paths() == ["$.after"]
        page = instance.send("GET", "/api/admin/rulesets?limit=1").json["links"]["next"]
        cursor = page.partition("after=")[2].partition("&")[0]
        assert simulate(instance, mine, after=cursor).paths() == ["$.after"]

    def test_find_nobody_elses_ruleset(self, instance: Instance, make_instance: MakeInstance) -> None:
        mine = instance.draft().json["id"]
        assert simulate(make_instance(), mine, limit="x").status == 404
        assert simulate(instance, "x").status == 404

    def test_see_nobody_elses_decisions(self, instance: Instance, make_instance: MakeInstance) -> None:
        pay(instance, 9000)
        assert try_out(make_instance(), condition("big", BIG))["decisions"] == 0


def test_backends_say_what_they_said(make_instance: MakeInstance) -> None:
    """No backend is asked; a verdict of then counts again, in this ruleset and in another with a rule of this id."""
    connect = make_instance("connect")
    rule = {"id": "k", "name": "k", "type": "backend", "backend": "none/such", "on_error": "block"}
    active = connect.activate(rule)
    assert connect.decide().json["decision"] == "BLOCK"
    assert simulate(connect, active["id"]).json["outcomes"] == [{"before": "BLOCK", "after": "BLOCK", "decisions": 1}]
    assert try_out(connect, {**rule, "id": "other"})["newly_allowed"]["decisions"] == 1


def test_its_table_is_read_in_part(instance: Instance) -> None:
    """The rows that a simulation asks for are the period's, and of each what it needs."""
    draft = instance.draft(condition("big", BIG)).json["id"]
    pay(instance, 1)
    asked: list[dict[str, Any]] = []
    client = aws.dynamodb()

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.append(dict(params))

    client.meta.events.register("before-parameter-build.dynamodb.Query", note)
    try:
        simulate(instance, draft)
    finally:
        client.meta.events.unregister("before-parameter-build.dynamodb.Query", note)
    rows = [each for each in asked if "DECISIONS#" in str(each["ExpressionAttributeValues"])]
    assert {each["ProjectionExpression"] for each in rows} == {"#p0, #p1, #p2, #p3"}
    assert {len(each["ExpressionAttributeValues"]) for each in rows} == {3}
    assert Table(DEPLOYMENT.tables["RiskTable"].name, client).name == rows[0]["TableName"]
