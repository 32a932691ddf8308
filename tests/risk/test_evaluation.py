"""The evaluator alone: what conditions mean, missing values above all, and against a plain reading of the grammar."""

from __future__ import annotations

import ipaddress
import json
import random
from typing import Any

import pytest

from risk.conditions import DEEPEST, AllOf, AnyOf, Compare, Condition, Not, Nothing, Velocity
from risk.evaluation import Assessment, Backends, Facts, Remembered, compile_ruleset, evaluate
from risk.explanations import leaf_view
from risk.fields import Field, field_at, value_at
from risk.rules import Rule, RulesReader, pack, unpack
from tests.risk.instances import condition, count, leaf

CONTEXT: dict[str, Any] = {
    "context": "default",
    "credential_fingerprint": "crd_1",
    "customer": {"id": "c-1", "email": "john@shop.example", "date_of_birth": "1990-05-06"},
    "transaction": {"amount": 500, "currency": "EUR", "reference": "r"},
    "device": {"ip": "10.1.2.3"},
    "billing": {"country": "DE", "city": "Bonn"},
    "shipping": {"country": "FR"},
    "items": [{"name": "shoe", "price": 500, "categories": ["sport", "sale"]}],
    "metadata": {"tier": "gold", "odd name": "x"},
}


def rules_of(*rules: dict[str, Any], connect: bool = False) -> tuple[Rule, ...]:
    reader = RulesReader(connect=connect)
    found = reader.read(list(rules))
    assert reader.faults == []
    return found


def holds(of: dict[str, Any], **counters: int) -> bool:
    compiled = compile_ruleset("x", 1, rules_of(condition("c", of)))
    values = {operand.signature: counters["value"] for operand in compiled.operands if "value" in counters}
    return evaluate(compiled, Facts(CONTEXT, values)).decision == "BLOCK"


@pytest.mark.parametrize(
    "of",
    [
        leaf("$.transaction.amount", "gte", 500),
        leaf("$.transaction.amount", "ne", 501),
        leaf("$.transaction.amount", "not_in", [1, 2]),
        leaf("$.customer.email", "ends_with", ".example"),
        leaf("$.customer.email", "contains", "@"),
        leaf("$.customer.date_of_birth", "lt", "2000-01-01"),
        leaf("$.device.ip", "cidr", "10.0.0.0/8"),
        leaf("$.device.ip", "cidr", ["192.0.2.0/24", "10.1.2.3/32"]),
        leaf("$.items[0].price", "eq", {"field": "$.transaction.amount"}),
        leaf("$.items[0].categories", "contains", "sale"),
        leaf("$.billing.country", "ne", {"field": "$.shipping.country"}),
        leaf("$.metadata.tier", "in", ["gold", "silver"]),
        leaf("$.metadata['odd name']", "starts_with", "x"),
        leaf("$.device.session", "not_exists"),
        {"not": leaf("$.device.session", "eq", "x")},
        {"any": [leaf("$.device.session", "eq", "x"), {"all": [leaf("$.device.ip", "exists")]}]},
    ],
)
def test_holds(of: dict[str, Any]) -> None:
    assert holds(of)


@pytest.mark.parametrize("field", ["$.device.session", "$.metadata.none", "$.items[1].name"])
@pytest.mark.parametrize(
    ("op", "value"),
    [
        ("eq", "x"), ("ne", "x"), ("in", ["x"]), ("not_in", ["x"]), ("contains", "x"), ("starts_with", "x"),
        ("ends_with", "x"), ("exists", None), ("eq", {"field": "$.metadata.other"}), ("ne", {"field": "$.customer.id"}),
    ],
)  # fmt: skip
def test_a_missing_value_makes_a_leaf_false(field: str, op: str, value: Any) -> None:
    assert not holds(leaf(field, op, value))
    if isinstance(value, dict):
        assert not holds(leaf(value["field"], op, {"field": field}))


def test_a_value_of_another_type_is_missing() -> None:
    compiled = compile_ruleset("x", 1, rules_of(condition("c", leaf("$.transaction.amount", "lt", 10**9))))
    for value in ("5", 5.5, True, None, [5]):
        assert evaluate(compiled, Facts({"transaction": {"amount": value}})).decision == "ALLOW"
    assert evaluate(compiled, Facts({})).decision == "ALLOW"


def test_a_count_without_a_key_is_missing() -> None:
    assert holds(count("$.customer.id", "gte", 0), value=0)
    assert not holds(count("$.customer.id", "gte", 0))


def test_values_of_rules_never_become_code() -> None:
    for text in ('"', "'", "\\", '"); raise SystemExit; ("', "__import__('os')", "{0}", "v[0]"):
        of = {"all": [leaf("$.customer.id", "eq", text), leaf("$.metadata.tier", "eq", text)]}
        assert not holds(of)
        name = f"$.metadata['{text}']" if "'" not in text and "\\" not in text else "$.metadata.tier"
        assert holds({"any": [leaf(name, "exists"), leaf("$.customer.id", "exists")]})


@pytest.mark.parametrize("text", ['"', "'", "\\", "{0}", "{c0}", "%s", "' + f'", "\u2028", "ä", '"}]'])
def test_texts_stand_in_explanations_as_they_are(text: str) -> None:
    of = {"any": [leaf("$.customer.email", "eq", text), {"all": [leaf("$.metadata.tier", "contains", text)]}]}
    compiled = compile_ruleset("x", 1, rules_of(condition("c", of)))
    context = {"customer": {"email": text}, "metadata": {"tier": f"<{text}>"}}
    ((_, why),) = evaluate(compiled, Facts(context)).triggered
    parts = [{**of["any"][0], "actual": text}, {"all": [{**of["any"][1]["all"][0], "actual": f"<{text}>"}]}]
    assert json.loads(why or "") == {"any": parts}


def test_the_largest_condition_runs_and_is_explained() -> None:
    deep = leaf("$.transaction.amount", "gt", 1)
    for level in range(DEEPEST - 2):
        deep = {"any": [leaf("$.customer.id", "eq", str(level)), deep]} if level % 2 else {"all": [deep]}
    wide = {"any": [deep, *(leaf("$.transaction.amount", "eq", n) for n in range(200))]}
    compiled = compile_ruleset("x", 1, rules_of(condition("c", wide)))
    ((_, why),) = evaluate(compiled, Facts(CONTEXT)).triggered
    assert why is not None
    assert '"actual":500' in why


class Scripted:
    """Backends that answer as told, and count how often they are asked."""

    def __init__(self, **answers: Assessment) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def assess(self, rule: Rule, context: Any) -> Assessment:
        self.asked.append(rule.id)
        return self.answers[rule.id]


def backend(rule_id: str, **members: Any) -> dict[str, Any]:
    return {"id": rule_id, "type": "backend", "backend": "sift", **members}


@pytest.mark.parametrize(
    ("members", "answer", "decision"),
    [
        ({}, Assessment("ALLOW"), "ALLOW"),
        ({}, Assessment("REVIEW"), "REVIEW"),
        ({}, Assessment("BLOCK"), "BLOCK"),
        ({"live": False}, Assessment("BLOCK"), "ALLOW"),
        ({}, Assessment(None, failed=True), "ALLOW"),
        ({"on_error": "review"}, Assessment(None, failed=True), "REVIEW"),
        ({"on_error": "block"}, Assessment(None, failed=True), "BLOCK"),
        ({"async": True}, Assessment("PROVISIONAL"), "PROVISIONAL"),
        ({"condition": leaf("$.transaction.amount", "gt", 10**6)}, Assessment("BLOCK"), "ALLOW"),
    ],
)
def test_backends_decide(members: dict[str, Any], answer: Assessment, decision: str) -> None:
    compiled = compile_ruleset("x", 1, rules_of(backend("b", **members), connect=True))
    outcome = evaluate(compiled, Facts(CONTEXT), Scripted(b=answer))
    assert outcome.decision == decision
    assert outcome.pending == (["b"] if decision == "PROVISIONAL" else [])


def test_a_block_asks_nobody_and_settles_what_is_pending() -> None:
    block = condition("c", leaf("$.transaction.amount", "gt", 1))
    backends = Scripted(a=Assessment("PROVISIONAL"), b=Assessment("ALLOW"))
    compiled = compile_ruleset("x", 1, rules_of(backend("a"), block, backend("b"), connect=True))
    outcome = evaluate(compiled, Facts(CONTEXT), backends)
    assert (outcome.decision, outcome.pending, backends.asked) == ("BLOCK", [], ["a"])


def test_backends_are_asked_once_however_often_a_decision_is_evaluated() -> None:
    scripted = Scripted(b=Assessment("REVIEW"))
    backends: Backends = Remembered(scripted)
    compiled = compile_ruleset("x", 1, rules_of(backend("b"), connect=True))
    for _ in range(3):
        assert evaluate(compiled, Facts(CONTEXT), backends).decision == "REVIEW"
    assert scripted.asked == ["b"]


def test_core_leaves_backend_rules_out() -> None:
    compiled = compile_ruleset("x", 1, rules_of(backend("b", on_error="block"), connect=True), connect=False)
    assert evaluate(compiled, Facts(CONTEXT)).decision == "ALLOW"


def test_rules_survive_storage() -> None:
    rules = rules_of(
        condition("c", {"not": {"any": [leaf("$.device.ip", "cidr", "10.0.0.0/8"), count("$.device.ip", "gt", 3)]}}),
        {"id": "b", "type": "blacklist", "action": "REVIEW", "fields": ["$.device.ip"], "ttl_seconds": 60},
        backend("k", on_error="review", **{"async": True}),
        {"id": "g", "type": "backend_group", "members": [{"backend": "a", "weight": 3}], "strategy": "split"},
        connect=True,
    )
    assert unpack(pack(rules)) == rules


# ------------------------------------------------------------------ against a plain reading


def plainly(of: Condition, context: dict[str, Any], counters: dict[str, int]) -> bool:
    """The grammar of `risk.conditions`, word for word."""
    match of:
        case Nothing():
            return False
        case AllOf(parts):
            return all(plainly(part, context, counters) for part in parts)
        case AnyOf(parts):
            return any(plainly(part, context, counters) for part in parts)
        case Not(part):
            return not plainly(part, context, counters)
        case Velocity():
            value = counters.get(of.operand.signature)
            return value is not None and compared(of.op, value, of.value)
        case Compare():
            return leaf_holds(of, context)


def plainly_why(of: Condition, context: dict[str, Any], counters: dict[str, int]) -> Any:
    """What `risk.explanations` says of its shape, word for word."""
    match of:
        case AllOf(parts):
            return {"all": [plainly_why(part, context, counters) for part in parts]}
        case AnyOf(parts):
            some = [part for part in parts if plainly(part, context, counters)]
            return {"any": [plainly_why(part, context, counters) for part in some]}
        case Not(part):
            return {"not": plainly_why(part, context, counters)}
        case Velocity():
            return leaf_view(of) | {"actual": counters.get(of.operand.signature)}
        case Compare():
            other = (
                {"field": of.value.path, "actual": value_at(context, of.value)} if isinstance(of.value, Field) else None
            )
            return leaf_view(of) | ({"value": other} if other else {}) | {"actual": value_at(context, of.field)}
    return {}


def leaf_holds(of: Compare, context: dict[str, Any]) -> bool:
    value = value_at(context, of.field)
    if of.op in {"exists", "not_exists"}:
        return (value is not None) is (of.op == "exists")
    other = value_at(context, of.value) if isinstance(of.value, Field) else of.value
    return value is not None and other is not None and compared(of.op, value, other)


def compared(op: str, value: Any, other: Any) -> bool:
    if op == "cidr":
        return any(ipaddress.ip_address(value) in ipaddress.ip_network(network) for network in other)
    meanings: dict[str, Any] = {
        "eq": lambda: value == other,
        "ne": lambda: value != other,
        "gt": lambda: value > other,
        "gte": lambda: value >= other,
        "lt": lambda: value < other,
        "lte": lambda: value <= other,
        "in": lambda: value in other,
        "not_in": lambda: value not in other,
        "contains": lambda: other in value,
        "starts_with": lambda: value.startswith(other),
        "ends_with": lambda: value.endswith(other),
    }
    return bool(meanings[op]())


TEXTS = ["a", "ab", "b", "DE"]
FIELDS = {
    "text": ["$.customer.email", "$.billing.country", "$.shipping.country", "$.metadata.m", "$.items[0].name"],
    "number": ["$.transaction.amount", "$.items[0].price"],
}


def random_leaf(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.15:
        return count(
            "$.customer.id", chance.choice(["eq", "gt", "lte"]), chance.randrange(4), chance.choice([60, 3600])
        )
    kind = chance.choice(["text", "number"])
    some = [*TEXTS] if kind == "text" else [*range(4)]
    ops = ["eq", "ne", "in", "not_in", "exists", "not_exists"]
    ops += ["contains", "starts_with", "ends_with"] if kind == "text" else ["gt", "gte", "lt", "lte"]
    op = chance.choice(ops)
    if op in {"exists", "not_exists"}:
        return leaf(chance.choice(FIELDS[kind]), op)
    if op in {"in", "not_in"}:
        return leaf(chance.choice(FIELDS[kind]), op, chance.sample(some, 2))
    other = {"field": chance.choice(FIELDS[kind])} if chance.random() < 0.3 else chance.choice(some)
    return leaf(chance.choice(FIELDS[kind]), op, other)


def random_condition(chance: random.Random, depth: int = 3) -> dict[str, Any]:
    form = chance.choice(["leaf", "leaf", "all", "any", "not"]) if depth else "leaf"
    if form == "leaf":
        return random_leaf(chance)
    if form == "not":
        return {"not": random_condition(chance, depth - 1)}
    return {form: [random_condition(chance, depth - 1) for _ in range(chance.randrange(1, 4))]}


def random_context(chance: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in (*FIELDS["text"], *FIELDS["number"]):
        field = field_at(path)
        value = chance.choice([None, *(TEXTS if field.kind == "text" else range(4))])
        if value is None:
            continue
        if field.steps[0] == "items":
            found.setdefault("items", [{}])[0][field.steps[2]] = value
        else:
            found.setdefault(field.steps[0], {})[field.steps[1]] = value
    return found


@pytest.mark.parametrize("seed", range(10))
def test_means_what_the_grammar_says(seed: int) -> None:
    chance = random.Random(seed)
    rules = rules_of(*(condition(f"r{n}", random_condition(chance), "REVIEW") for n in range(100)))
    compiled = compile_ruleset("x", 1, rules)
    for _ in range(20):
        context = random_context(chance)
        counters = {operand.signature: chance.randrange(5) for operand in compiled.operands if chance.random() < 0.8}
        outcome = evaluate(compiled, Facts(context, counters))
        expected = [rule.id for rule in rules if rule.condition and plainly(rule.condition, context, counters)]
        assert [rule.id for rule, _ in outcome.triggered] == expected
        assert outcome.failed_rules == []
        for rule, why in outcome.triggered:
            assert rule.condition is not None
            assert why is not None
            assert json.loads(why) == plainly_why(rule.condition, context, counters)
        silent = evaluate(compiled, Facts(context, counters), explain=False)
        assert (silent.decision, silent.triggered) == (
            outcome.decision,
            [(rule, None) for rule, _ in outcome.triggered],
        )
