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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol

from risk.conditions import Operand
from risk.matching import Explain, Fetch, Find, Program, Run, Slots, Values, explain_of
from risk.rules import Rule

Decision = Literal["ALLOW", "REVIEW", "BLOCK", "PROVISIONAL"]
Source = Literal["RULE_ENGINE", "BACKEND", "COMBINED"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision is made of."""

    context: Mapping[str, Any]
    counters: Mapping[str, int] = field(default_factory=dict)
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


class Triggered(NamedTuple):
    """A rule that fired. `explanation` has the shape of its condition, with what it saw."""

    rule: Rule
    explanation: dict[str, Any] | None

    def view(self) -> dict[str, Any]:
        """As `triggered_rules` of a decision shows it."""
        rule = self.rule
        return {
            "rule_id": rule.id,
            "name": rule.name,
            "type": rule.type,
            "action": rule.action,
            "live": rule.live,
            "matched": self.explanation,
        }


class Step(NamedTuple):
    """A rule that is ready to run. `silent` is how it fired, without an explanation."""

    rule: Rule
    silent: Triggered
    explain: Explain
    asks: bool
    blocks: bool
    reviews: bool

    @property
    def verdict(self) -> str | None:
        return "BLOCK" if self.blocks else "REVIEW" if self.reviews else None


@dataclass(frozen=True, slots=True)
class CompiledRuleset:
    """A ruleset ready to run, and what has to be known to run it. `find` runs it at once where no backend is asked in
    between, `run` step by step."""

    id: str | None
    version: int | None
    find: Find | None
    run: Run | None
    steps: tuple[Step, ...]
    fetch: Fetch
    operands: tuple[Operand, ...]
    listed_fields: tuple[str, ...]
    asks_backends: bool

    def values(self, facts: Facts) -> list[Any]:
        """The slots of one decision."""
        values = self.fetch(facts.context, facts.counters)
        values.append(facts.listed)
        return values


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
        return "COMBINED" if any(not each.rule.is_backend for each in self.triggered) else "BACKEND"


def compile_ruleset(
    ruleset_id: str | None, version: int | None, rules: Sequence[Rule], *, connect: bool = True
) -> CompiledRuleset:
    """Make the enabled rules ready to run. On Core (`connect` False) backend rules are left out."""
    slots = Slots()
    enabled = [rule for rule in rules if rule.enabled and (connect or not rule.is_backend)]
    steps = tuple(_step(rule, slots) for rule in enabled)
    program = Program(slots)
    tests = [frozenset(rule.fields) if rule.fields else rule.condition for rule in enabled]
    asks = any(rule.is_backend for rule in enabled)
    find = None if asks else program.find(tests, {n for n, step in enumerate(steps) if step.blocks})
    run = program.run(tests) if asks else None
    listed = dict.fromkeys(path for rule in enabled for path in rule.fields)
    return CompiledRuleset(
        ruleset_id, version, find, run, steps, program.fetch(), tuple(slots.operands.values()), tuple(listed), asks,
    )  # fmt: skip


def _step(rule: Rule, slots: Slots) -> Step:
    counts = rule.live and not rule.is_backend
    return Step(
        rule, Triggered(rule, None), _explain(rule, slots), rule.is_backend, counts and rule.action == "BLOCK",
        counts and rule.action == "REVIEW",
    )  # fmt: skip


def _explain(rule: Rule, slots: Slots) -> Explain:
    if rule.type == "blacklist":
        fields = rule.fields
        return lambda v: {"blacklisted": [path for path in fields if path in v[-1]]}
    if rule.condition is None:
        return lambda _: {}
    return explain_of(rule.condition, slots)


EMPTY_RULESET: Final = compile_ruleset(None, None, ())
"""What is evaluated where no ruleset is active: nothing, which allows."""


def evaluate(
    ruleset: CompiledRuleset, facts: Facts, backends: Backends | None = None, *, explain: bool = True
) -> Outcome:
    """Run the rules; see the module for order and effect. Without `explain` no explanation is made."""
    outcome = Outcome()
    values, steps = ruleset.values(facts), ruleset.steps

    def failed(number: int) -> None:  # conditions cannot fail by construction; one that does is reported
        outcome.failed_rules.append(steps[number].rule.id)

    if ruleset.find is not None:
        _conclude(outcome, [steps[number] for number in ruleset.find(values, failed)], values, explain)
    elif ruleset.run is not None:
        for number in ruleset.run(values, failed):
            step = steps[number]
            if step.asks:
                ends = _ask(outcome, step.rule, facts, backends or NoBackends())
            else:
                outcome.triggered.append(Triggered(step.rule, step.explain(values)) if explain else step.silent)
                ends = _decide(outcome, step.verdict)
            if ends:
                break
    return outcome


def _conclude(outcome: Outcome, fired: Sequence[Step], values: Values, explain: bool) -> None:
    """What follows from rules that fired, of which only the last may block."""
    if not fired:
        return
    if explain:
        outcome.triggered = [Triggered(step.rule, step.explain(values)) for step in fired]
    else:
        outcome.triggered = [step.silent for step in fired]
    if fired[-1].blocks:
        outcome.decision = "BLOCK"
    elif any(step.reviews for step in fired):
        outcome.decision = "REVIEW"


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
        outcome.triggered.append(Triggered(rule.with_action(verdict), None))
    if verdict == "PROVISIONAL":
        (outcome.pending if rule.live else outcome.shadow_pending).append(rule.id)
    if not rule.live:
        return False
    return _decide(outcome, verdict)
