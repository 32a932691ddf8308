"""Evaluates a ruleset for one decision: a pure function of the ruleset and of facts that were read before.

The contract, for the decision endpoint, the interceptors and the time machine alike::

    compiled = compile_ruleset(ruleset_id, version, rules)          # once per version; cache it
    compiled.operands, compiled.listed_fields, compiled.asks_backends # what has to be read for it
    outcome = evaluate(compiled, Facts(context, counters, listed), backends)

`context` is the decision without its card number (`risk.credentials`, `risk.decisions.models.Inputs`), `counters` maps
an operand's signature to its value (this decision included; a signature that is missing has no key, and its leaf is
false), `listed` holds the canonical paths whose value stands on the blacklist. The same ruleset and facts always give
the same outcome: a decision's record keeps all three, and replaying it is calling `evaluate` again. `backends` is the
only way out; it is asked for backend rules alone, never after a live BLOCK, and at most once per rule.

Order and effect (docs/decisions/0021-conditions.md): rules in array order, disabled ones skipped; a rule with
`live: false` is reported and changes nothing; the first live BLOCK ends the evaluation; REVIEW accumulates; nothing
fired is ALLOW; a rule that fails counts as not fired and is reported in `failed_rules`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Protocol

from risk.conditions import Condition
from risk.explanations import Explainer, texts_of
from risk.matching import Find, Line, Program, Run, Slots, Values
from risk.rules import Rule

Decision = Literal["ALLOW", "REVIEW", "BLOCK", "PROVISIONAL"]
Source = Literal["RULE_ENGINE", "BACKEND", "COMBINED"]


class Facts(NamedTuple):
    """What a decision is made of."""

    context: Mapping[str, Any]
    counters: Mapping[str, int] = MappingProxyType({})
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the backends of one rule say.

    `verdict` None: no answer that counts, and `on_error` of the rule applies if `failed`. PROVISIONAL: the answer comes
    later (`async`). `results` are the entries of `backend_results`, as the decision shows them.
    """

    verdict: Decision | None
    failed: bool = False
    results: tuple[dict[str, Any], ...] = ()


class Backends(Protocol):
    """The port to external risk backends. Must not raise for what a backend does; it may take the time it is given."""

    def assess(self, rule: Rule, context: Mapping[str, Any]) -> Assessment:
        """Ask the backend or group of the rule."""


class NoBackends:
    """Where none is configured: every backend rule fails, and its `on_error` says what that means."""

    def assess(self, rule: Rule, context: Mapping[str, Any]) -> Assessment:  # noqa: ARG002 -- the port's signature
        """One result per backend named, each with the error `backend_not_configured`."""
        names = [member.backend for member in rule.members] or [rule.backend or ""]
        return Assessment(
            None,
            failed=True,
            results=tuple(
                {
                    "backend": name,
                    "rule_id": rule.id,
                    "live": rule.live,
                    "error": "backend_not_configured",
                    "latency_ms": 0,
                    "missing_fields": [],
                }
                for name in names
            ),
        )


class Remembered:
    """Asks each rule's backends once, however often a decision is evaluated anew because another one was first."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._known: dict[str, Assessment] = {}

    def assess(self, rule: Rule, context: Mapping[str, Any]) -> Assessment:
        if rule.id not in self._known:
            self._known[rule.id] = self._backends.assess(rule, context)
        return self._known[rule.id]


Triggered = tuple[Rule, str | None]
"""A rule that fired, and why: JSON text in the shape of its condition, with what it saw (`risk.explanations`)."""


def view_of(rule: Rule, explanation: str | None) -> dict[str, Any]:
    """A rule that fired, as `triggered_rules` of a decision shows it."""
    return {
        "rule_id": rule.id,
        "name": rule.name,
        "type": rule.type,
        "action": rule.action,
        "live": rule.live,
        "matched": None if explanation is None else json.loads(explanation),
    }


class CompiledRuleset:
    """Enabled rules ready to run, and what has to be known to run them. What explains is written when first asked for,
    as is what does not: a process mostly needs one of them."""

    def __init__(self, ruleset_id: str | None, version: int | None, rules: tuple[Rule, ...]) -> None:
        self.id = ruleset_id
        self.version = version
        self.rules = rules
        self.asks_backends = any(rule.is_backend for rule in rules)
        self.listed_fields = tuple(dict.fromkeys(path for rule in rules for path in rule.fields))
        slots = Slots()
        for rule in rules:
            slots.take(rule.condition)
        self.operands = tuple(slots.operands.values())
        self._program = Program(slots)
        self._explainer = Explainer(slots, self._program)
        self._fetch = self._program.fetch()

    def values(self, facts: Facts) -> list[Any]:
        """The slots of one decision."""
        values = self._fetch(facts.context, facts.counters)
        values.append(facts.listed)
        return values

    @cached_property
    def find(self) -> Find:
        """Runs all rules at once; only where no backend is asked in between."""
        return self._program.find([self._line(rule) for rule in self.rules], texts=False)

    @cached_property
    def find_explaining(self) -> Find:
        """As `find`, with why each rule holds."""
        return self._program.find([self._explained(rule) for rule in self.rules], texts=True)

    @cached_property
    def run(self) -> Run:
        """Runs the rules step by step, explaining."""
        return self._program.run([self._explained(rule) for rule in self.rules])

    def _line(self, rule: Rule) -> Line:
        return Line(rule.id, _test(rule), self._program.bound((rule, None)), _follows(rule))

    def _explained(self, rule: Rule) -> Line:
        test = _test(rule)
        if rule.is_backend or test is None:
            return self._line(rule)
        found = f"({self._program.bound(rule)}, {self._explainer.source(test)})"
        return Line(rule.id, test, found, _follows(rule))


def _test(rule: Rule) -> Condition | tuple[str, ...] | None:
    return rule.fields or rule.condition


def _follows(rule: Rule) -> Literal["BLOCK", "REVIEW"] | None:
    """What follows at once where the rule holds."""
    if not rule.live or rule.is_backend:
        return None
    return "BLOCK" if rule.action == "BLOCK" else "REVIEW"


@dataclass(slots=True)
class Outcome:
    """What came of it. `pending` are the rules whose backends answer later (the decision is then PROVISIONAL, unless
    blocked), `shadow_pending` those of them that change nothing."""

    decision: Decision = "ALLOW"
    triggered: list[Triggered] = field(default_factory=list)
    failed_rules: list[str] = field(default_factory=list)
    backend_results: list[dict[str, Any]] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    shadow_pending: list[str] = field(default_factory=list)

    @property
    def has_backend_error(self) -> bool:
        return any(result.get("error") for result in self.backend_results)

    @property
    def source(self) -> Source:
        """Who had a part in it: no backend result at all is the rule engine alone."""
        if not self.backend_results:
            return "RULE_ENGINE"
        return "COMBINED" if any(not rule.is_backend for rule, _ in self.triggered) else "BACKEND"


def compile_ruleset(
    ruleset_id: str | None, version: int | None, rules: Sequence[Rule], *, connect: bool = True
) -> CompiledRuleset:
    """Make the enabled rules ready to run. On Core (`connect` False) backend rules are left out."""
    enabled = tuple(rule for rule in rules if rule.enabled and (connect or not rule.is_backend))
    return CompiledRuleset(ruleset_id, version, enabled)


EMPTY_RULESET: Final = compile_ruleset(None, None, ())
"""What is evaluated where no ruleset is active: nothing, which allows."""


def evaluate(
    ruleset: CompiledRuleset, facts: Facts, backends: Backends | None = None, *, explain: bool = True
) -> Outcome:
    """Run the rules; see the module for order and effect. Without `explain` no explanation is made."""
    outcome, values = Outcome(), ruleset.values(facts)
    failed = outcome.failed_rules.append  # conditions cannot fail by construction; one that does is reported
    if ruleset.asks_backends:
        _run(ruleset, values, facts, backends or NoBackends(), outcome)
    elif explain:
        outcome.triggered, outcome.decision = ruleset.find_explaining(values, texts_of(values), failed)
    else:
        outcome.triggered, outcome.decision = ruleset.find(values, (), failed)
    return outcome


def _run(ruleset: CompiledRuleset, values: Values, facts: Facts, backends: Backends, outcome: Outcome) -> None:
    for rule, explanation in ruleset.run(values, texts_of(values), outcome.failed_rules.append):
        if rule.is_backend:
            ends = _ask(outcome, rule, facts, backends)
        else:
            outcome.triggered.append((rule, explanation))
            ends = _decide(outcome, _follows(rule))
        if ends:
            break


def _decide(outcome: Outcome, verdict: str | None) -> bool:
    if verdict == "BLOCK":
        outcome.decision = "BLOCK"
        outcome.pending.clear()
        return True
    if verdict == "PROVISIONAL":
        outcome.decision = "PROVISIONAL"
    elif verdict == "REVIEW" and outcome.decision == "ALLOW":
        outcome.decision = "REVIEW"
    return False


_ON_ERROR: Final[Mapping[str, Decision]] = {"allow": "ALLOW", "review": "REVIEW", "block": "BLOCK"}


def _ask(outcome: Outcome, rule: Rule, facts: Facts, backends: Backends) -> bool:
    assessment = backends.assess(rule, facts.context)
    outcome.backend_results += assessment.results
    verdict = _ON_ERROR[rule.on_error] if assessment.failed else assessment.verdict
    if verdict in {"REVIEW", "BLOCK"}:
        outcome.triggered.append((rule.with_action(verdict), None))
    if verdict == "PROVISIONAL":
        (outcome.pending if rule.live else outcome.shadow_pending).append(rule.id)
    if not rule.live:
        return False
    return _decide(outcome, verdict)
