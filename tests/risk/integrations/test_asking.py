"""Backend rules over HTTP: strategies, shadows, errors, what a backend gets to see, what is kept of its answer."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from risk.integrations.rules import strategies
from risk.rules import RulesReader
from tests.risk.instances import Instance, condition, leaf
from tests.risk.integrations.backends import LinkServer, connected, group, rule, verdict
from tests.support.environment import DEPLOYMENT
from tollgate import aws, ids

PAN = "4242424242424242"


def decided(instance: Instance, *rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    instance.activate(*rules)
    answer = instance.decide(**changes)
    assert answer.status == 200, answer.body
    return dict(answer.json)


def result_of(made: dict[str, Any], backend: str = "link/acme") -> dict[str, Any]:
    (found,) = [each for each in made["backend_results"] if each["backend"] == backend]
    return dict(found)


class TestOneBackend:
    @pytest.mark.parametrize("value", ["ALLOW", "REVIEW", "BLOCK"])
    def test_decides(self, connect: Instance, link: LinkServer, value: str) -> None:
        connected(connect, link.peer.url)
        link.answers["acme"] = verdict(value, score=0.83)
        made = decided(connect, rule())
        assert (made["decision"], made["source"], made["has_backend_error"]) == (value, "BACKEND", False)
        found = result_of(made)
        latency = found.pop("latency_ms")
        assert isinstance(latency, int)
        assert found == {
            "backend": "link/acme",
            "rule_id": "b",
            "live": True,
            "error": None,
            "link_execution_id": "exec-1",
            "link_timing": {"external": 0, "internal": 13, "total": 13},
            "missing_fields": [],
            "raw_response": {
                "type": "enum", "value": value, "backend_reference": f"ref-{value.lower()}", "score": 0.83,
            },
        }  # fmt: skip
        fired = [(each["rule_id"], each["type"], each["action"]) for each in made["triggered_rules"]]
        assert fired == ([] if value == "ALLOW" else [("b", "backend", value)])
        assert connect.send("GET", f"/api/decisions/{made['id']}").json["backend_results"] == made["backend_results"]

    def test_sees_what_rules_see_and_no_more(self, connect: Instance, link: LinkServer) -> None:
        connected(connect, link.peer.url, access_token="a-bearer-token")
        sent = {
            "metadata": {"secret": "of ours"},
            "customer": {"id": f"c {PAN}"},
            "passthrough": {"acme": {"card": PAN, "hint": 1}, "other": {"x": "theirs"}},
        }
        made = decided(connect, rule(), **sent)
        (asked,) = link.of("assess")
        assert (asked.method, asked.path) == ("POST", "/api/invoke/specter-v1/assess")
        assert asked.headers["authorization"] == "Bearer a-bearer-token"
        assert asked.headers["idempotency-key"] == f"{made['id']}/b/link/acme"
        assert asked.body["decision_id"] == made["id"]
        assert asked.body["credential"] == {
            "type": "pan", "fingerprint": made["credential_fingerprint"], "masked": "424242 ****** 4242",
            "expiry_month": 4, "expiry_year": 2033, "scheme": "visa",
        }  # fmt: skip
        assert asked.body["transaction"] == {"reference": "order-1", "amount": 14999, "currency": "EUR"}
        assert set(asked.body) == {
            "decision_id", "context", "credential", "customer", "transaction", "device", "passthrough",
        }  # fmt: skip
        assert asked.body["passthrough"]["hint"] == 1
        for secret in (PAN, "of ours", "theirs"):
            assert secret.encode() not in asked.raw

    def test_is_not_asked_without_the_fields_it_requires(self, connect: Instance, link: LinkServer) -> None:
        connected(connect, link.peer.url)
        required = ["$.customer.email", "$.shipping.country", "$.metadata.tier", "$.no.such"]
        link.describe("acme", required_fields=required)
        made = decided(connect, rule(on_error="review"), metadata={"tier": "gold"})
        found = result_of(made)
        assert (found["error"], found["missing_fields"]) == ("insufficient_context", required[1:])
        assert (made["decision"], made["has_backend_error"], link.of("assess")) == ("REVIEW", True, [])

    @pytest.mark.parametrize(
        ("members", "error"),
        [({"enabled": False}, "backend_disabled"), ({"actions": []}, "backend_capability_disabled")],
    )
    def test_is_not_asked_what_it_does_not_do(
        self, connect: Instance, link: LinkServer, members: dict[str, Any], error: str
    ) -> None:
        connected(connect, link.peer.url)
        link.describe("acme", **members)
        assert result_of(decided(connect, rule()))["error"] == error
        assert link.of("assess") == []

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            ((404, {"classifier": "NOT_FOUND"}), "action_not_supported"),
            ((409, {}), "ambiguous_backend"),
            ((401, {}), "not_authorized"),
            ((502, {"source": "transport"}), "transport_error"),
            ((400, {"source": "mapping"}), "mapping_error"),
            ((502, {"source": PAN}), "unavailable"),
            ((503, {}), "unavailable"),
            ((418, {}), "unusable_answer"),
            ((302, {}), "unusable_answer"),
            ((200, {"type": "enum", "value": "PROVISIONAL"}), "unusable_answer"),
            ((200, {"type": "number", "value": "BLOCK"}), "unusable_answer"),
            ((200, [1]), "unusable_answer"),
            ((200, b"{"), "unusable_answer"),
            ((200, b'{"a":' * 5000 + b"1" + b"}" * 5000), "unusable_answer"),
            ((200, b'{"value":NaN}'), "unusable_answer"),
            ((200, b"x" * 200_000), "unusable_answer"),
        ],
    )
    @pytest.mark.parametrize(("on_error", "decision"), [("allow", "ALLOW"), ("block", "BLOCK")])
    def test_fails_in_one_word(
        self, connect: Instance, link: LinkServer, answer: Any, error: str, on_error: str, decision: str
    ) -> None:
        connected(connect, link.peer.url)
        link.answers["acme"] = answer
        made = decided(connect, rule(on_error=on_error))
        found = result_of(made)
        assert (made["decision"], found["error"], found["raw_response"]) == (decision, error, None)

    @pytest.mark.parametrize(("on_error", "decision"), [("allow", "ALLOW"), ("review", "REVIEW"), ("block", "BLOCK")])
    def test_has_its_time(self, connect: Instance, link: LinkServer, on_error: str, decision: str) -> None:
        connected(connect, link.peer.url, timeout_ms=100)
        link.answers["acme"] = None
        made = decided(connect, rule(on_error=on_error))
        found = result_of(made)
        assert (made["decision"], found["error"]) == (decision, "timeout")
        assert 90 <= found["latency_ms"] < 5000

    def test_that_is_not_there(self, connect: Instance, link: LinkServer) -> None:
        link.peer.__exit__()
        connected(connect, link.peer.url)
        assert result_of(decided(connect, rule()))["error"] == "unreachable"

    def test_is_left_alone_when_switched_off(self, connect: Instance, link: LinkServer) -> None:
        made = connected(connect, link.peer.url, enabled=False)
        assert result_of(decided(connect, rule()))["error"] == "backend_not_configured"
        connect.send("PATCH", f"/api/admin/integrations/{made['id']}", json_body={"enabled": True})
        assert result_of(dict(connect.decide().json))["error"] is None

    def test_says_nothing_that_is_kept_with_a_card_number(self, connect: Instance, link: LinkServer) -> None:
        connected(connect, link.peer.url)
        link.answers["acme"] = verdict("REVIEW", echo={PAN: [f"card {PAN}"]})
        made = decided(connect, rule())
        assert PAN not in json.dumps(made)
        assert made["decision"] == "REVIEW"
        link.answers["acme"] = verdict("BLOCK", text="x" * 20_000)
        assert result_of(dict(connect.decide().json))["raw_response"] == {"type": "enum", "value": "BLOCK"}

    def test_is_not_asked_after_a_block_nor_where_its_condition_does_not_hold(
        self, connect: Instance, link: LinkServer
    ) -> None:
        connected(connect, link.peer.url)
        big = leaf("$.transaction.amount", "gt", 10**6)
        connect.activate(
            rule(condition=big), condition("c", leaf("$.customer.id", "eq", "bad")), rule("link/two", id="2")
        )
        connect.decide(customer={"id": "bad"})
        assert link.of("assess") == []
        connect.decide()
        assert [each.backend for each in link.of("assess")] == ["two"]

    def test_named_by_the_slug_alone_is_for_link_to_find(self, connect: Instance, link: LinkServer) -> None:
        connected(connect, link.peer.url)
        decided(connect, rule("link"))
        assert link.of("assess")[0].query == {}

    def test_in_the_shadow_changes_nothing(self, connect: Instance, link: LinkServer) -> None:
        connected(connect, link.peer.url)
        link.answers["acme"] = verdict("BLOCK")
        made = decided(connect, rule(live=False))
        assert (made["decision"], result_of(made)["live"]) == ("ALLOW", False)
        assert [(each["rule_id"], each["live"]) for each in made["triggered_rules"]] == [("b", False)]


class TestGroups:
    def ask(self, connect: Instance, link: LinkServer, of: dict[str, Any], **answers: Any) -> dict[str, Any]:
        connected(connect, link.peer.url)
        link.answers.update(answers)
        return decided(connect, of)

    def test_fall_back_to_the_first_that_answers(self, connect: Instance, link: LinkServer) -> None:
        of = group("link/a", {"backend": "link/s", "live": False}, "link/b", "link/c")
        made = self.ask(connect, link, of, a=(503, {}), s=verdict("BLOCK"), b=verdict("REVIEW"), c=verdict("BLOCK"))
        assert made["decision"] == "REVIEW"
        said = [(each["backend"], each["live"], each["error"]) for each in made["backend_results"]]
        assert said == [("link/a", True, "unavailable"), ("link/s", False, None), ("link/b", True, None)]

    @pytest.mark.parametrize(
        ("merge", "values", "decision"),
        [
            ("strictest", ("ALLOW", "REVIEW", "ALLOW"), "REVIEW"),
            ("strictest", ("BLOCK", "REVIEW", "ALLOW"), "BLOCK"),
            ("majority", ("ALLOW", "BLOCK", "ALLOW"), "ALLOW"),
            ("majority", ("ALLOW", "BLOCK", "REVIEW"), "BLOCK"),
            ("any_allow", ("BLOCK", "ALLOW", "BLOCK"), "ALLOW"),
            ("any_allow", ("REVIEW", "BLOCK", "REVIEW"), "BLOCK"),
        ],
    )
    def test_in_parallel_merge(
        self, connect: Instance, link: LinkServer, merge: str, values: tuple[str, ...], decision: str
    ) -> None:
        of = group("link/a", "link/b", "link/c", strategy="parallel", merge=merge)
        answers = {name: verdict(value) for name, value in zip("abc", values, strict=True)}
        assert self.ask(connect, link, of, **answers)["decision"] == decision

    def test_in_parallel_are_asked_at_once(self, connect: Instance, link: LinkServer) -> None:
        link.gate = threading.Barrier(3)  # nobody is answered before all are asked
        made = self.ask(connect, link, group("link/a", "link/b", "link/c", strategy="parallel"))
        assert [each["error"] for each in made["backend_results"]] == [None] * 3

    def test_in_parallel_need_one_answer(self, connect: Instance, link: LinkServer) -> None:
        of = group("link/a", "link/b", strategy="parallel", on_error="block")
        assert self.ask(connect, link, of, a=(503, {}))["decision"] == "ALLOW"
        link.answers["b"] = (503, {})
        made = connect.decide().json
        assert (made["decision"], made["has_backend_error"]) == ("BLOCK", True)

    def test_of_shadows_alone_change_nothing(self, connect: Instance, link: LinkServer) -> None:
        of = group({"backend": "link/a", "live": False}, on_error="block", strategy="parallel")
        assert self.ask(connect, link, of, a=verdict("BLOCK"))["decision"] == "ALLOW"

    def test_split_asks_one(self, connect: Instance, link: LinkServer) -> None:
        of = group({"backend": "link/a", "weight": 3}, "link/b", strategy="split", on_error="block")
        made = self.ask(connect, link, of)
        assert len(made["backend_results"]) == len(link.of("assess")) == 1

    def test_split_follows_the_weights_and_the_decision(self) -> None:
        reader = RulesReader(connect=True)
        members = [
            {"backend": "l/a", "weight": 60},
            {"backend": "l/b", "weight": 40},
            {"backend": "l/s", "live": False},
        ]
        (of,) = reader.read([{**group(strategy="split"), "members": members}])
        assert reader.faults == []
        drawn = [ids.new_uuid() for _ in range(10_000)]
        chosen = [strategies.chosen(of, each)[0].backend for each in drawn]
        assert 5800 < chosen.count("l/a") < 6200
        assert "l/s" not in chosen
        assert chosen == [strategies.chosen(of, each)[0].backend for each in drawn]


class TestTheSimulator:
    @pytest.mark.parametrize(
        ("backend", "changes", "decision", "error"),
        [
            ("allow", {}, "ALLOW", None),
            ("review", {}, "REVIEW", None),
            ("block", {}, "BLOCK", None),
            ("amount", {"transaction": {"reference": "r", "amount": 100_000, "currency": "EUR"}}, "BLOCK", None),
            ("amount", {}, "REVIEW", None),
            ("email", {"customer": {"id": "c", "email": "x@fraud.example"}}, "BLOCK", None),
            ("email", {"customer": {"id": "c"}}, "ALLOW", "insufficient_context"),
            ("passthrough", {"passthrough": {"passthrough": {"verdict": "BLOCK"}}}, "BLOCK", None),
            ("slow", {}, "ALLOW", "timeout"),
            ("broken", {}, "ALLOW", "transport_error"),
            ("unmapped", {}, "ALLOW", "mapping_error"),
            ("off", {}, "ALLOW", "backend_disabled"),
            ("scores-only", {}, "ALLOW", "backend_capability_disabled"),
            ("nobody", {}, "ALLOW", "action_not_supported"),
        ],
    )
    def test_answers_by_name(
        self, connect: Instance, backend: str, changes: dict[str, Any], decision: str, error: str | None
    ) -> None:
        connected(connect)
        made = decided(connect, rule(f"link/{backend}"), **changes)
        assert (made["decision"], made["backend_results"][0]["error"]) == (decision, error)


def test_core_has_no_backends(make_instance: Any, link: LinkServer, provision: Any) -> None:
    instance = make_instance(edition="connect")
    connected(instance, link.peer.url)
    instance.activate(rule(on_error="block"))
    provision("update_account", account_id=instance.account_id, risk={"edition": "core"})
    made = instance.decide().json
    assert made["decision"] == "ALLOW"
    assert "backend_results" not in made
    assert link.asked == []


def test_nothing_of_a_token_or_a_card_number_is_in_the_table(connect: Instance, link: LinkServer) -> None:
    connected(connect, link.peer.url, access_token="a-bearer-token-of-ours")
    decided(connect, rule(), passthrough={"acme": {"x": "only-for-acme"}})
    table = DEPLOYMENT.environment("Decisions")["RISK_TABLE"]
    for page in aws.dynamodb().get_paginator("scan").paginate(TableName=table):
        text = repr([item for item in page["Items"] if connect.account_id in repr(item)])
        for secret in (PAN, "a-bearer-token-of-ours", "only-for-acme"):
            assert secret not in text
