"""What backends answer later: provisional decisions settled once, redelivery, deaths, silence, shadows, the sweep."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from risk.settlements.sweep_worker import handler as sweep
from risk.settlements.worker import handler as worker
from tests.risk.instances import Instance, condition, leaf
from tests.risk.integrations.backends import LinkServer, connected, group, rule, verdict
from tests.support import tables
from tests.support.environment import DEPLOYMENT
from tests.support.faults import deaths
from tests.support.session import HeldClock
from tollgate import aws

TABLE = DEPLOYMENT.environment("Decisions")["RISK_TABLE"]
PAN = "4242424242424242"
LATER: dict[str, Any] = {"async": True}


def rows(instance: Instance) -> list[dict[str, Any]]:
    """Work of the account that is left."""
    found = tables.items(aws.dynamodb(), TABLE, "BACKEND-WORK#")
    return [each for each in found if each["account_id"]["S"] == instance.account_id]


def work_on(instance: Instance) -> dict[str, Any]:
    """Deliver references to all that is left."""
    references = [{"pk": each["pk"]["S"], "sk": each["sk"]["S"]} for each in rows(instance)]
    return deliver(references)


def deliver(references: list[dict[str, str]]) -> dict[str, Any]:
    records = [{"messageId": str(n), "body": json.dumps(each)} for n, each in enumerate(references)]
    return worker({"Records": records}, object())


def shown(instance: Instance, decision_id: str) -> dict[str, Any]:
    return dict(instance.send("GET", f"/api/decisions/{decision_id}").json)


def provisional(instance: Instance, link: LinkServer, *rules: dict[str, Any]) -> dict[str, Any]:
    connected(instance, link.peer.url)
    instance.activate(*(rules or (rule(**LATER),)))
    made = instance.decide(metadata={"a": "b"}).json
    assert made["decision"] == "PROVISIONAL"
    assert (made["backend_results"], link.of("assess")) == ([], [])
    return dict(made)


class TestSettling:
    @pytest.mark.parametrize("value", ["ALLOW", "REVIEW", "BLOCK"])
    def test_gives_the_backends_verdict(self, connect: Instance, link: LinkServer, sqs: Any, value: str) -> None:
        link.answers["acme"] = verdict(value)
        made = provisional(connect, link)
        (reference,) = sqs.bodies()
        assert deliver([reference]) == {"batchItemFailures": []}
        after = shown(connect, made["id"])
        assert (after["decision"], after["source"]) == (value, "BACKEND")
        assert [each["error"] for each in after["backend_results"]] == [None]
        assert (rows(connect), len(link.of("assess"))) == ([], 1)
        assert b'"metadata"' not in link.of("assess")[0].raw

    def test_shows_who_asks_and_keeps_no_card_number(self, connect: Instance, link: LinkServer) -> None:
        connected(connect, link.peer.url, access_token="link-secret")
        link.answers["acme"] = verdict("ALLOW", note=f"card {PAN}")
        connect.activate(rule(**LATER))
        made = connect.decide().json
        work_on(connect)
        assert [each.headers["authorization"] for each in link.of("assess")] == ["Bearer link-secret"]
        after = shown(connect, made["id"])
        assert after["decision"] == "ALLOW"
        assert PAN not in json.dumps(after)
        assert "[masked:" in json.dumps(after["backend_results"])

    def test_happens_once_however_often_it_is_delivered(self, connect: Instance, link: LinkServer) -> None:
        made = provisional(connect, link)
        reference = {name: rows(connect)[0][name]["S"] for name in ("pk", "sk")}
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(deliver, [[reference, reference]] * 5))
        assert (len(link.of("assess")), rows(connect)) == (1, [])
        assert shown(connect, made["id"])["decision"] == "ALLOW"

    def test_survives_a_death_at_every_call(self, connect: Instance, link: LinkServer) -> None:
        made = provisional(connect, link, rule(**LATER), rule("link/two", id="2", **LATER))
        link.answers["two"] = verdict("REVIEW")
        for _ in deaths(aws.dynamodb(), lambda: work_on(connect)):
            state = shown(connect, made["id"])["decision"]
            assert state == ("PROVISIONAL" if rows(connect) else "REVIEW")
        after = shown(connect, made["id"])
        assert (after["decision"], len(after["backend_results"]), rows(connect)) == ("REVIEW", 2, [])
        assert len({each.headers["idempotency-key"] for each in link.of("assess")}) == 2

    def test_keeps_what_live_rules_had_said(self, connect: Instance, link: LinkServer) -> None:
        review = condition("r", leaf("$.transaction.amount", "gt", 1), "REVIEW")
        made = provisional(connect, link, review, rule(**LATER))
        work_on(connect)
        after = shown(connect, made["id"])
        assert (after["decision"], after["source"]) == ("REVIEW", "COMBINED")
        resolved = connect.send("POST", f"/api/decisions/{made['id']}/resolve", json_body={"action": "accept"})
        assert resolved.status == 200

    def test_ends_at_a_block(self, connect: Instance, link: LinkServer) -> None:
        link.answers["acme"] = verdict("BLOCK")
        made = provisional(connect, link, rule(**LATER), rule("link/two", id="2", **LATER))
        work_on(connect)
        assert [each.backend for each in link.of("assess")] == ["acme"]
        assert shown(connect, made["id"])["decision"] == "BLOCK"

    def test_of_a_group(self, connect: Instance, link: LinkServer) -> None:
        link.answers |= {"a": verdict("REVIEW"), "b": verdict("ALLOW")}
        made = provisional(connect, link, group("link/a", "link/b", strategy="parallel", **LATER))
        work_on(connect)
        assert shown(connect, made["id"])["decision"] == "REVIEW"

    def test_cannot_be_overtaken_by_a_resolution(self, connect: Instance, link: LinkServer) -> None:
        made = provisional(connect, link)
        resolved = connect.send("POST", f"/api/decisions/{made['id']}/resolve", json_body={"action": "accept"})
        assert resolved.status == 409

    def test_is_not_asked_for_after_a_block(self, connect: Instance, link: LinkServer) -> None:
        connected(connect, link.peer.url)
        connect.activate(rule(**LATER), condition("c", leaf("$.transaction.amount", "gt", 1)))
        assert connect.decide().json["decision"] == "BLOCK"
        assert rows(connect) == []

    def test_of_a_shadow_changes_nothing_but_the_record(self, connect: Instance, link: LinkServer) -> None:
        connected(connect, link.peer.url)
        link.answers["acme"] = verdict("BLOCK")
        connect.activate(rule(live=False, **LATER))
        made = connect.decide().json
        assert (made["decision"], link.of("assess")) == ("ALLOW", [])
        work_on(connect)
        after = shown(connect, made["id"])
        assert after["decision"] == "ALLOW"
        assert [(each["live"], each["error"]) for each in after["backend_results"]] == [(False, None)]


class TestSilence:
    @pytest.mark.parametrize(("on_error", "decision"), [("allow", "ALLOW"), ("review", "REVIEW"), ("block", "BLOCK")])
    def test_is_asked_again_and_then_settled_by_on_error(
        self, connect: Instance, link: LinkServer, on_error: str, decision: str
    ) -> None:
        link.answers["acme"] = (503, {})
        made = provisional(connect, link, rule(on_error=on_error, **LATER))
        for attempt in range(1, 5):
            assert shown(connect, made["id"])["decision"] == "PROVISIONAL"
            work_on(connect)
            assert len(link.of("assess")) == attempt
        after = shown(connect, made["id"])
        assert (after["decision"], after["has_backend_error"], rows(connect)) == (decision, True, [])
        assert len({each.headers["idempotency-key"] for each in link.of("assess")}) == 1

    def test_that_ends_is_heard(self, connect: Instance, link: LinkServer) -> None:
        link.answers["acme"] = (503, {})
        made = provisional(connect, link)
        work_on(connect)
        link.answers["acme"] = verdict("BLOCK")
        work_on(connect)
        assert shown(connect, made["id"])["decision"] == "BLOCK"

    def test_what_time_cannot_mend_settles_at_once(self, connect: Instance, link: LinkServer) -> None:
        link.answers["acme"] = (400, {"source": "mapping"})
        made = provisional(connect, link, rule(on_error="review", **LATER))
        work_on(connect)
        assert shown(connect, made["id"])["decision"] == "REVIEW"


class TestSweep:
    def test_hands_on_what_the_queue_did_not_take(
        self, connect: Instance, link: LinkServer, sqs: Any, held_clock: HeldClock
    ) -> None:
        sqs.refuse = {"0"}
        made = provisional(connect, link)
        assert sqs.bodies() == []
        sweep({}, object())
        mine = {each["sk"]["S"] for each in rows(connect)}
        assert not mine & {each["sk"] for each in sqs.bodies()}
        held_clock.advance(seconds=31)
        answer = sweep({}, object())
        assert answer["handed_on"] >= 1
        deliver([each for each in sqs.bodies() if each["sk"] in mine])
        assert shown(connect, made["id"])["decision"] == "ALLOW"

    def test_a_message_that_is_none_is_redelivered_alone(self, connect: Instance, link: LinkServer) -> None:
        made = provisional(connect, link)
        (row,) = rows(connect)
        good = json.dumps({"pk": row["pk"]["S"], "sk": row["sk"]["S"]})
        answer = worker({"Records": [{"messageId": "x", "body": "{"}, {"messageId": "y", "body": good}]}, object())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "x"}]}
        assert shown(connect, made["id"])["decision"] == "ALLOW"
