"""Lifecycle events over HTTP: what they do to their decision, to the state of the payment, to the blacklist."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from risk.events import handler as door
from tests.risk.instances import Instance, MakeInstance
from tests.support import faults
from tests.support.environment import DEPLOYMENT
from tests.support.http import Response
from tollgate import aws
from tollgate.store.table import Table

TYPES = ("authorization", "capture", "refund", "void", "chargeback", "fraud_report", "failed")
RULE: dict[str, Any] = {"id": "b", "name": "listed", "type": "blacklist", "action": "BLOCK"}
PAN = "4242424242424242"


def at(minutes: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def tell(instance: Instance, decision_id: str, type_: str = "authorization", **members: Any) -> Response:
    body = {"type": type_, "decision_id": decision_id, "occurred_at": at(-1), "data": {}} | members
    return instance.send("POST", "/api/events", json_body=body)


def entries(instance: Instance) -> list[dict[str, Any]]:
    return list(instance.send("GET", "/api/admin/blacklist?limit=100").json["data"])


def read(instance: Instance, decision_id: str) -> dict[str, Any]:
    return dict(instance.send("GET", f"/api/decisions/{decision_id}").json)


class TestTaking:
    @pytest.mark.parametrize("type_", TYPES)
    def test_joins_its_decision(self, instance: Instance, type_: str) -> None:
        decision_id = instance.decide().json["id"]
        sent = {"reference": "r-1", "amount": 100, "share": 0.25, "nested": {"list": [1, None, True]}}
        made = tell(instance, decision_id, type_, occurred_at="2026-01-02T03:04:05+01:00", data=sent)
        assert made.status == 200, made.body
        event = made.json
        assert set(event) == {"id", "type", "decision_id", "occurred_at", "processed_at", "data"}
        assert (event["type"], event["decision_id"], event["data"]) == (type_, decision_id, sent)
        assert event["occurred_at"] == "2026-01-02T02:04:05Z"
        assert instance.send("GET", f"/api/events/{event['id']}").json == event
        shown = {name: event[name] for name in ("id", "type", "occurred_at", "processed_at")}
        assert read(instance, decision_id)["events"] == [shown]

    def test_shows_notifications_on_connect_alone(self, make_instance: MakeInstance) -> None:
        connect = make_instance("connect")
        made = tell(connect, connect.decide().json["id"]).json
        assert made["backend_notifications"] == []
        assert connect.send("GET", f"/api/events/{made['id']}").json == made

    def test_the_same_again_is_one(self, instance: Instance) -> None:
        decision_id, moment = instance.decide().json["id"], at()
        body = {"type": "capture", "decision_id": decision_id, "occurred_at": moment}
        first = instance.send("POST", "/api/events", json_body=body | {"data": {"a": 1, "b": 2}})
        again = instance.send("POST", "/api/events", json_body=body | {"data": {"b": 2, "a": 1}})
        assert first.body == again.body
        other = instance.send("POST", "/api/events", json_body=body | {"data": {"a": 1, "b": 3}})
        assert other.json["id"] != first.json["id"]
        assert len(read(instance, decision_id)["events"]) == 2

    def test_many_at_once_are_all_there_and_the_same_one_once(self, instance: Instance) -> None:
        instance.activate({**RULE, "fields": ["$.customer.id"]})
        decision_id, moment = instance.decide().json["id"], at()
        data = [{"n": n % 4} for n in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(lambda each: tell(instance, decision_id, "fraud_report", occurred_at=moment, data=each), data)
            )
        assert {each.status for each in answers} == {200}
        assert len({each.json["id"] for each in answers}) == 4
        assert len(read(instance, decision_id)["events"]) == 4
        assert len(entries(instance)) == 1

    def test_is_nobody_elses(self, instance: Instance, make_instance: MakeInstance) -> None:
        decision_id, other = instance.decide().json["id"], make_instance()
        made = tell(instance, decision_id).json
        assert tell(other, decision_id).status == 404
        assert other.send("GET", f"/api/events/{made['id']}").status == 404

    @pytest.mark.parametrize("unknown", ["x", "019aa4c6-7a00-7000-8000-000000000000", "%2e%2e%2f"])
    def test_knows_nothing_else(self, instance: Instance, unknown: str) -> None:
        assert instance.send("GET", f"/api/events/{unknown}").status == 404

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"type": "chargebacks"}, "$.type"),
            ({"type": "AUTHORIZATION"}, "$.type"),
            ({"type": None}, "$.type"),
            ({"decision_id": "x"}, "$.decision_id"),
            ({"decision_id": 1}, "$.decision_id"),
            ({"occurred_at": "2026-01-02"}, "$.occurred_at"),
            ({"occurred_at": "2026-01-02T03:04:05"}, "$.occurred_at"),
            ({"occurred_at": 1}, "$.occurred_at"),
            ({"data": None}, "$.data"),
            ({"data": []}, "$.data"),
            ({"data": "x"}, "$.data"),
            ({"data": {"x": "y" * 70_000}}, "$.data"),
        ],
    )
    def test_refuses_with_the_path(self, instance: Instance, changes: dict[str, Any], path: str) -> None:
        body = {"type": "capture", "decision_id": instance.decide().json["id"], "occurred_at": at(), "data": {}}
        answer = instance.send("POST", "/api/events", json_body=body | changes)
        assert (answer.status, answer.paths()) == (422, [path])

    @pytest.mark.parametrize("member", ["type", "decision_id", "occurred_at", "data"])
    def test_needs_every_member(self, instance: Instance, member: str) -> None:
        body = {"type": "capture", "decision_id": instance.decide().json["id"], "occurred_at": at(), "data": {}}
        del body[member]
        answer = instance.send("POST", "/api/events", json_body=body)
        assert (answer.status, answer.paths()) == (422, [f"$.{member}"])

    def test_takes_five_minutes_of_future_and_no_more(self, instance: Instance, held_clock: Any) -> None:
        decision_id = instance.decide().json["id"]
        late = held_clock.at + timedelta(minutes=5)
        assert tell(instance, decision_id, occurred_at=late.isoformat()).status == 200
        later = late + timedelta(microseconds=1)
        assert tell(instance, decision_id, occurred_at=later.isoformat()).paths() == ["$.occurred_at"]

    def test_of_an_unknown_decision_is_not_taken(self, instance: Instance) -> None:
        assert tell(instance, "019aa4c6-7a00-7000-8000-000000000000").status == 404

    def test_ten_thousand_levels_are_refused(self, instance: Instance) -> None:
        deep = '{"a":' * 10_000 + "1" + "}" * 10_000
        answer = instance.send("POST", "/api/events", body=f'{{"data":{deep}}}')
        assert (answer.status, answer.paths()) == (422, ["$"])

    def test_takes_two_hundred_and_no_more(self, instance: Instance) -> None:
        decision_id = instance.decide().json["id"]
        table = Table(DEPLOYMENT.tables["RiskTable"].name, aws.dynamodb())
        full = [{"id": "x", "type": "refund", "occurred_at": "2026-01-01T00:00:00Z", "processed_at": at()}] * 200
        found = door._service._decisions.find(instance.account_id, decision_id)
        assert found is not None
        from risk import records

        key = records.decision_key(instance.account_id, decision_id)
        assert key is not None
        table.update(*key, "SET events = :full", values={":full": full})
        assert tell(instance, decision_id).status == 409


class TestState:
    @pytest.mark.parametrize(
        ("types", "state"),
        [
            (["authorization"], "authorized"),
            (["authorization", "capture"], "captured"),
            (["authorization", "void"], "voided"),
            (["failed"], "failed"),
            (["authorization", "capture", "refund"], "captured"),
            (["refund"], None),
            (["authorization", "capture", "fraud_report"], "fraud_reported"),
            (["authorization", "capture", "chargeback"], "chargedback"),
        ],
    )
    def test_is_that_of_the_last_to_occur_in_whatever_order_they_come(
        self, instance: Instance, types: list[str], state: str | None
    ) -> None:
        moments = [(type_, at(n - 10)) for n, type_ in enumerate(types)]
        for order in (moments, moments[::-1]):
            decision_id = instance.decide().json["id"]
            for type_, moment in order:
                assert tell(instance, decision_id, type_, occurred_at=moment).status == 200
            assert read(instance, decision_id)["payment_state"] == state

    def test_tells_moments_apart_that_texts_would_confuse(self, instance: Instance) -> None:
        decision_id = instance.decide().json["id"]
        tell(instance, decision_id, "capture", occurred_at="2026-01-01T00:00:00.5Z")
        tell(instance, decision_id, "authorization", occurred_at="2026-01-01T00:00:00Z")
        assert read(instance, decision_id)["payment_state"] == "captured"


class TestBlacklist:
    def test_gets_every_field_of_the_decision(self, instance: Instance) -> None:
        fields = ["$.device.ip", "$.customer.id", "$.credential_fingerprint", "$.shipping.city"]
        instance.activate({**RULE, "fields": fields})
        made = instance.decide().json
        assert tell(instance, made["id"], "chargeback").status == 200
        assert entries(instance) == []
        assert tell(instance, made["id"], "fraud_report").status == 200
        found = {each["field_path"]: each for each in entries(instance)}
        assert {path: each["value"] for path, each in found.items()} == {
            "$.device.ip": "203.0.113.7",
            "$.customer.id": "customer-1",
            "$.credential_fingerprint": made["credential_fingerprint"],
        }
        assert found["$.credential_fingerprint"]["display_hint"] == "****4242"
        assert {each["source_decision_id"] for each in found.values()} == {made["id"]}
        assert instance.decide().json["decision"] == "BLOCK"

    @pytest.mark.parametrize("type_", TYPES)
    @pytest.mark.parametrize("populate_on", [None, [], ["chargeback", "failed"]])
    def test_gets_what_its_rules_ask_for(self, instance: Instance, type_: str, populate_on: list[str] | None) -> None:
        given = {} if populate_on is None else {"populate_on": populate_on}
        instance.activate({**RULE, "fields": ["$.customer.id"], **given})
        tell(instance, instance.decide().json["id"], type_)
        expected = ["fraud_report"] if populate_on is None else populate_on
        assert bool(entries(instance)) == (type_ in expected)

    @pytest.mark.parametrize("members", [{"enabled": False}, {"live": False}])
    def test_gets_nothing_of_a_rule_that_changes_nothing(self, instance: Instance, members: dict[str, Any]) -> None:
        instance.activate({**RULE, "fields": ["$.customer.id"], **members})
        tell(instance, instance.decide().json["id"], "fraud_report")
        assert entries(instance) == []

    def test_is_renewed_by_a_further_report_and_not_doubled(self, instance: Instance, held_clock: Any) -> None:
        instance.activate({**RULE, "fields": ["$.customer.id"], "ttl_seconds": 60})
        decision_id, moment = instance.decide().json["id"], held_clock.at.isoformat()
        tell(instance, decision_id, "fraud_report", occurred_at=moment)
        (first,) = entries(instance)
        held_clock.advance(seconds=30)
        tell(instance, decision_id, "fraud_report", occurred_at=moment)
        assert entries(instance) == [first]
        tell(instance, decision_id, "fraud_report", occurred_at=held_clock.at.isoformat())
        (renewed,) = entries(instance)
        assert renewed["expires_at"] > first["expires_at"]
        assert renewed["id"] == first["id"]

    def test_keeps_the_longest_of_two_lives(self, instance: Instance) -> None:
        rules = [{**RULE, "id": f"b{n}", "fields": ["$.customer.id"], "ttl_seconds": n} for n in (60, 3600)]
        instance.activate(*rules)
        tell(instance, instance.decide().json["id"], "fraud_report")
        assert entries(instance)[0]["ttl_seconds"] == 3600

    def test_takes_more_fields_than_one_transaction(self, instance: Instance) -> None:
        names = [f"$.metadata.m{n}" for n in range(40)]
        instance.activate(*({**RULE, "id": f"r{n}", "fields": names[n * 20 : n * 20 + 20]} for n in range(2)))
        made = instance.decide(metadata={f"m{n}": "x" for n in range(40)}).json
        assert tell(instance, made["id"], "fraud_report").status == 200
        assert len(entries(instance)) == 40


def test_keeps_no_card_number(instance: Instance) -> None:
    decision_id = instance.decide().json["id"]
    data = {"text": f"card {PAN}", "number": int(PAN), PAN: "name", "list": [PAN]}
    made = tell(instance, decision_id, data=data)
    assert made.status == 200
    stored = Table(DEPLOYMENT.tables["RiskTable"].name, aws.dynamodb()).get(
        f"EVENT#{instance.account_id}#{made.json['id']}", "#"
    )
    assert PAN not in json.dumps(stored, default=str)
    assert PAN.encode() not in made.body


def test_a_death_leaves_all_or_nothing(instance: Instance) -> None:
    instance.activate({**RULE, "fields": ["$.customer.id"]})
    tell(instance, instance.decide().json["id"])  # keys are made and known
    for attempt in range(40):
        customer = {"id": f"c{attempt}"}
        decision_id, moment = instance.decide(customer=customer).json["id"], at()
        alive = True
        for moment_of_death in faults.MOMENTS:
            try:
                with faults.killed_at(aws.dynamodb(), attempt + 1, moment_of_death):
                    tell(instance, decision_id, "fraud_report", occurred_at=moment)
            except faults.Killed:
                alive = False
            listed = any(each["value"] == customer["id"] for each in entries(instance))
            assert listed == bool(read(instance, decision_id)["events"])
        assert tell(instance, decision_id, "fraud_report", occurred_at=moment).status == 200
        assert len(read(instance, decision_id)["events"]) == 1
        if alive:
            return
    raise AssertionError("it never lived to its end")
