"""The ruleset resource over HTTP: life cycle, faults with exact paths, checks before activation, lists, races."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.risk.instances import Instance, MakeInstance, condition, count, leaf

AMOUNT = "$.transaction.amount"
BIG = condition("big", leaf(AMOUNT, "gt", 1000))


def deep(levels: int) -> dict[str, Any]:
    made: dict[str, Any] = leaf(AMOUNT, "gt", 1)
    for _ in range(levels - 1):
        made = {"all": [made]}
    return made


class TestLife:
    def test_is_drafted_activated_and_rolled_back(self, instance: Instance) -> None:
        first = instance.draft(BIG).json
        assert (first["status"], first["version"], first["activated_at"]) == ("DRAFT", 1, None)
        assert first["created_by"] == instance.client_id
        assert instance.decide().json["decision"] == "ALLOW"
        second = instance.draft(condition("all", leaf(AMOUNT, "gt", 5), "REVIEW")).json
        assert second["version"] == 2
        for ruleset, decision in ((first, "BLOCK"), (second, "REVIEW")):
            answer = instance.send("POST", f"/api/admin/rulesets/{ruleset['id']}/activate")
            assert (answer.status, answer.json["status"]) == (200, "ACTIVE")
            assert instance.decide().json["decision"] == decision
        assert self.statuses(instance) == ["INACTIVE", "ACTIVE"]
        answer = instance.send("POST", f"/api/admin/rulesets/{first['id']}/rollback")
        assert (answer.status, answer.json["status"]) == (200, "ACTIVE")
        assert self.statuses(instance) == ["ACTIVE", "INACTIVE"]
        assert instance.decide().json["ruleset_id"] == first["id"]

    @staticmethod
    def statuses(instance: Instance) -> list[str]:
        return [each["status"] for each in instance.send("GET", "/api/admin/rulesets").json["data"]]

    def test_changes_only_as_a_draft(self, instance: Instance) -> None:
        made = instance.draft(BIG).json
        target = f"/api/admin/rulesets/{made['id']}"
        changed = instance.send("PATCH", target, json_body={"description": "new"})
        assert (changed.status, changed.json["description"], changed.json["rules"]) == (200, "new", made["rules"])
        assert instance.send("PATCH", target, json_body={"context": "other"}).paths() == ["$.context"]
        assert instance.send("POST", f"{target}/rollback").status == 409
        assert instance.send("POST", f"{target}/activate").status == 200
        assert instance.send("PATCH", target, json_body={"description": "x"}).status == 409
        assert instance.send("POST", f"{target}/activate").status == 409
        assert instance.send("GET", target).json["description"] == "new"

    def test_has_one_active_however_many_activate(self, instance: Instance) -> None:
        drafts = [instance.draft(BIG).json["id"] for _ in range(6)]
        assert sorted(instance.send("GET", f"/api/admin/rulesets/{each}").json["version"] for each in drafts) == [
            *range(1, 7)
        ]
        with ThreadPoolExecutor(6) as pool:
            sent = list(pool.map(lambda each: instance.send("POST", f"/api/admin/rulesets/{each}/activate"), drafts))
        assert {each.status for each in sent} <= {200, 409}
        activated = sum(each.status == 200 for each in sent)
        statuses = self.statuses(instance)
        assert statuses.count("ACTIVE") == 1
        assert statuses.count("INACTIVE") == activated - 1

    def test_one_draft_is_activated_once(self, instance: Instance) -> None:
        target = f"/api/admin/rulesets/{instance.draft(BIG).json['id']}/activate"
        with ThreadPoolExecutor(6) as pool:
            sent = pool.map(lambda _: instance.send("POST", target), range(6))
        assert sorted(each.status for each in sent) == [200] + [409] * 5

    def test_is_nobody_elses(self, instance: Instance, make_instance: MakeInstance) -> None:
        target, other = f"/api/admin/rulesets/{instance.draft(BIG).json['id']}", make_instance()
        for method, suffix in (("GET", ""), ("PATCH", ""), ("POST", "/activate"), ("POST", "/rollback")):
            assert other.send(method, target + suffix, json_body={}).status == 404

    def test_replays_under_an_idempotency_key(self, instance: Instance) -> None:
        body = {"context": "default", "rules": [BIG]}
        sent = [
            instance.send("POST", "/api/admin/rulesets", json_body=body, headers={"idempotency-key": "k"})
            for _ in range(2)
        ]
        assert sent[0].body == sent[1].body
        assert self.statuses(instance) == ["DRAFT"]


class TestFaults:
    @pytest.mark.parametrize(
        ("of", "path"),
        [
            (None, ""),
            ([], ""),
            ({"foo": 1}, ""),
            ({"all": [], "any": []}, ""),
            ({"all": []}, ".all"),
            ({"any": [leaf(AMOUNT, "gt", 1), 7]}, ".any[1]"),
            ({"not": []}, ".not"),
            (leaf("$.transaction.sum", "gt", 1), ".field"),
            (leaf("$.credential.pan.value", "eq", "x"), ".field"),
            (leaf("$..amount", "gt", 1), ".field"),
            (leaf("$.items[?(@.price>1)]", "exists"), ".field"),
            (leaf("$.items[*].price", "gt", 1), ".field"),
            (leaf("$.__class__", "eq", "x"), ".field"),
            (leaf(AMOUNT, "gtt", 1), ".op"),
            (leaf(AMOUNT, "starts_with", "1"), ".op"),
            (leaf("$.customer.email", "gt", "a"), ".op"),
            (leaf("$.customer.email", "matches", "^(a+)+$"), ".op"),
            (leaf(AMOUNT, "gt", "1"), ".value"),
            (leaf(AMOUNT, "gt", True), ".value"),
            (leaf(AMOUNT, "gt", 1.5), ".value"),
            (leaf(AMOUNT, "gt"), ".value"),
            (leaf(AMOUNT, "exists", 1), ".value"),
            (leaf(AMOUNT, "in", 1), ".value"),
            (leaf(AMOUNT, "in", [1, "2"]), ".value[1]"),
            (leaf("$.customer.id", "in", ["x"] * 1001), ".value"),
            (leaf("$.customer.id", "eq", "4242424242424242"), ".value"),
            (leaf("$.device.ip", "eq", "1.2.3"), ".value"),
            (leaf("$.device.ip", "cidr", "10.0.0.0/99"), ".value"),
            (leaf("$.customer.date_of_birth", "gt", "01.01.2000"), ".value"),
            (leaf(AMOUNT, "gt", {"field": "$.customer.id"}), ".value.field"),
            (leaf(AMOUNT, "gt", 1) | {"more": 1}, ".more"),
            (count("$.customer.email", "gt", 1), ".velocity.key"),
            (count("$.customer.id", "gt", 1, window=0), ".velocity.window_seconds"),
            (count("$.customer.id", "gt", 1, window=90 * 86400 + 1), ".velocity.window_seconds"),
            (count("$.customer.id", "gt", 1, aggregate="mean"), ".velocity.aggregate"),
            (count("$.customer.id", "gt", 1, of=AMOUNT), ".velocity.of"),
            (count("$.customer.id", "gt", 1, aggregate="distinct"), ".velocity.of"),
            (count("$.customer.id", "gt", 1, outcomes=["MAYBE"]), ".velocity.outcomes"),
            (count("$.customer.id", "gt", 1001), ".value"),
            (count("$.customer.id", "in", 1), ".op"),
            (deep(17), ".all[0]" * 16),
            ({"any": [leaf(AMOUNT, "gt", n) for n in range(256)]}, ".any[255]"),
        ],
    )
    def test_have_their_path(self, instance: Instance, of: Any, path: str) -> None:
        answer = instance.draft(condition("fine", leaf(AMOUNT, "gt", 1)), condition("c", of))
        assert (answer.status, answer.paths()) == (422, [f"$.rules[1].condition{path}"])

    def test_sixteen_levels_and_256_parts_are_taken(self, instance: Instance) -> None:
        wide = {"any": [leaf(AMOUNT, "gt", n) for n in range(255)]}
        assert instance.draft(condition("d", deep(16)), condition("w", wide)).status == 201

    def test_ten_thousand_levels_are_refused(self, instance: Instance) -> None:
        body = '{"context":"default","rules":[{"type":"condition","action":"BLOCK","condition":'
        body += '{"not":' * 10_000 + "{}" + "}" * 10_000 + "}]}"
        answer = instance.send("POST", "/api/admin/rulesets", body=body)
        assert (answer.status, answer.paths()) == (422, ["$"])

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"type": "velocity"}, ".type"),
            ({"action": "ALLOW"}, ".action"),
            ({"enabled": "true"}, ".enabled"),
            ({"live": 1}, ".live"),
            ({"id": "a b"}, ".id"),
            ({"id": "fine"}, ".id"),
            ({"name": ""}, ".name"),
            ({"name": "card 4242424242424242"}, ".name"),
            ({"backend": "sift"}, ".backend"),
            ({"type": "blacklist", "fields": ["$.device.ip"]}, ".condition"),
            ({"type": "blacklist", "condition": None, "fields": []}, ".fields"),
            ({"type": "blacklist", "condition": None, "fields": ["$.nothing"]}, ".fields[0]"),
            ({"type": "blacklist", "condition": None, "fields": ["$.device.ip"], "populate_on": ["x"]}, ".populate_on"),
            ({"type": "blacklist", "condition": None, "fields": ["$.device.ip"], "ttl_seconds": 0}, ".ttl_seconds"),
            ({"type": "backend", "condition": None, "backend": "sift"}, ".type"),
        ],
    )
    def test_of_rules_have_their_path(self, instance: Instance, changes: dict[str, Any], path: str) -> None:
        rule = condition("c", leaf(AMOUNT, "gt", 1)) | changes
        answer = instance.draft(condition("fine", leaf(AMOUNT, "gt", 1)), rule)
        assert (answer.status, answer.paths()) == (422, [f"$.rules[1]{path}"])

    @pytest.mark.parametrize(
        ("body", "path"),
        [([], "$"), ({}, "$.context"), ({"context": "a b"}, "$.context"), ({"context": "a", "rules": {}}, "$.rules")],
    )
    def test_of_bodies_have_their_path(self, instance: Instance, body: Any, path: str) -> None:
        answer = instance.send("POST", "/api/admin/rulesets", json_body=body)
        assert (answer.status, answer.paths()) == (422, [path])

    def test_a_thousand_rules_are_taken_and_run(self, instance: Instance) -> None:
        instance.activate(*(condition(f"r{n}", leaf(AMOUNT, "gt", n), "REVIEW") for n in range(1000)))
        assert len(instance.decide().json["triggered_rules"]) == 1000
        assert instance.draft(*(condition(f"r{n}", leaf(AMOUNT, "gt", n)) for n in range(1001))).paths() == ["$.rules"]


class TestEditions:
    def test_backend_rules_need_connect(self, make_instance: MakeInstance, provision: Any) -> None:
        instance = make_instance(edition="connect")
        rule = {"id": "b", "type": "backend", "backend": "sift", "on_error": "review"}
        group = {"id": "g", "type": "backend_group", "members": [{"backend": "a"}, {"backend": "b", "live": False}]}
        instance.activate(rule, group)
        made = instance.decide().json
        assert (made["decision"], made["source"], made["has_backend_error"]) == ("REVIEW", "BACKEND", True)
        assert [each["backend"] for each in made["backend_results"]] == ["sift", "a", "b"]
        draft = instance.draft(rule).json["id"]
        provision("update_account", account_id=instance.account_id, risk={"edition": "core"})
        assert instance.decide().json["decision"] == "ALLOW"
        answer = instance.send("POST", f"/api/admin/rulesets/{draft}/activate")
        assert (answer.status, answer.paths()) == (422, ["$.rules[0].type"])


class TestChecks:
    @pytest.mark.parametrize(
        ("rules", "paths"),
        [
            ([condition("a", {"not": {}}), condition("b", leaf(AMOUNT, "gt", 1))], ["$.rules[1]"]),
            ([condition("a", leaf(AMOUNT, "gte", 0)), condition("b", leaf(AMOUNT, "gt", 1))], ["$.rules[1]"]),
            ([condition("a", leaf("$.customer.id", "exists")), condition("b", {})], ["$.rules[1]"]),
            ([condition("a", leaf(AMOUNT, "gt", 1)), condition("b", leaf(AMOUNT, "gt", 1))], ["$.rules[1]"]),
            ([condition("a", leaf(AMOUNT, "lt", 0))], ["$.rules[0].condition"]),
            ([condition("a", {"all": [leaf(AMOUNT, "gt", 5), leaf(AMOUNT, "lt", 5)]})], ["$.rules[0].condition"]),
            ([condition("a", {"all": [leaf(AMOUNT, "eq", 5), leaf(AMOUNT, "ne", 5)]})], ["$.rules[0].condition"]),
            (
                [condition("a", {"all": [leaf("$.device.ip", "exists"), leaf("$.device.ip", "not_exists")]})],
                ["$.rules[0].condition"],
            ),
            (
                [condition("a", {"all": [leaf("$.customer.id", "in", ["a"]), leaf("$.customer.id", "eq", "b")]})],
                ["$.rules[0].condition"],
            ),
            ([condition("a", count("$.customer.id", "lt", 1))], ["$.rules[0].condition"]),
        ],
    )
    def test_refuse_what_can_never_fire(self, instance: Instance, rules: list[Any], paths: list[str]) -> None:
        made = instance.draft(*rules)
        assert made.status == 201
        answer = instance.send("POST", f"/api/admin/rulesets/{made.json['id']}/activate")
        assert (answer.status, answer.paths()) == (422, paths)

    def test_let_pass_what_can(self, instance: Instance) -> None:
        instance.activate(
            condition("shadow", {"not": {}}, live=False),
            condition("off", {"not": {}}, enabled=False),
            condition("nothing", {}),
            condition("a", {"all": [leaf(AMOUNT, "gte", 5), leaf(AMOUNT, "lte", 5)]}),
            condition("b", {"any": [leaf(AMOUNT, "lt", 0), leaf("$.device.ip", "exists")]}),
        )


class TestList:
    def test_walks_all_in_order(self, instance: Instance) -> None:
        ids = [instance.draft(BIG).json["id"] for _ in range(6)]
        found: list[str] = []
        target: str | None = "/api/admin/rulesets?limit=2"
        pages = 0
        while target:
            page = instance.send("GET", target).json
            found += [each["id"] for each in page["data"]]
            pages += 1
            link = page["links"]["next"]
            assert link is None or link.startswith("https://risk.example/api/admin/rulesets?after=")
            target = f"{urlsplit(link).path}?{urlsplit(link).query}" if link else None
        assert (found, pages) == (ids, 3)

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=101", "limit=x", "limit=", "after=", "after=x", "after=%F0%9F%92%B3", "limit=1&limit=1"],
    )
    def test_refuses(self, instance: Instance, query: str) -> None:
        answer = instance.send("GET", f"/api/admin/rulesets?{query}")
        assert (answer.status, answer.paths()) == (422, [f"query.{query.split('=', maxsplit=1)[0]}"])

    def test_takes_no_cursor_of_another_list_or_account(self, instance: Instance, make_instance: MakeInstance) -> None:
        for _ in range(2):
            instance.draft(BIG)
        link = instance.send("GET", "/api/admin/rulesets?limit=1").json["links"]["next"]
        query = urlsplit(link).query
        assert instance.send("GET", f"/api/admin/rulesets?{query}").status == 200
        assert instance.send("GET", f"/api/admin/blacklist?{query}").paths() == ["query.after"]
        assert make_instance().send("GET", f"/api/admin/rulesets?{query}").paths() == ["query.after"]
