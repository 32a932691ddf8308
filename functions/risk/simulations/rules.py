"""Replays a decision: the facts that it was made on, made whole for another ruleset, and what came of them then. Pure.

What the past kept is taken as it was: inputs, the counts that its ruleset asked for, the fields found on the blacklist,
what its backends said. So its own ruleset gives its own outcome again, always. A count that nobody asked for then is
counted anew over the decisions that went before; a field that nobody looked up is held against the entries that stand
there now and stood there then. No backend is asked.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from risk.conditions import MOST_COUNTED, Operand
from risk.evaluation import Assessment, CompiledRuleset, Facts, Outcome, evaluate
from risk.fields import Field, field_at, value_at
from risk.rules import Rule
from risk.simulations.models import MOST_SAMPLES, DifferenceView, OutcomeView, Past, RuleView

_MICROSECONDS: Final = 1_000_000


class _Counted(NamedTuple):
    at: int
    counts: bool
    currency: str
    amount: int
    value: Any


class Rolling:
    """One rolling count for one key, in constant time per decision. It counts as `risk.velocity` does: a window
    `(t - w, t]`, the latest 1,000 decisions, this one included unless the operand asks for outcomes."""

    def __init__(self, operand: Operand) -> None:
        self._operand = operand
        self._window = operand.window_seconds * _MICROSECONDS
        self._log: deque[_Counted] = deque()
        self._count = 0
        self._sums: Counter[str] = Counter()
        self._values: Counter[Any] = Counter()

    def value(self, at: int, currency: str, amount: int, value: Any) -> int:
        """Of a decision that comes now."""
        after = at - self._window
        while self._log and self._log[0].at <= after:
            self._drop()
        included = not self._operand.outcomes
        if self._operand.aggregate == "count":
            return self._count + included
        if self._operand.aggregate == "sum":
            return self._sums[currency] + (amount if included else 0)
        is_new = included and value is not None and value not in self._values
        return len(self._values) + is_new

    def add(self, at: int, outcome: str, currency: str, amount: int, value: Any) -> None:
        """A decision that was made."""
        counts = not self._operand.outcomes or outcome in self._operand.outcomes
        self._log.append(_Counted(at, counts, currency, amount, value))
        self._note(self._log[-1], 1)
        if len(self._log) > MOST_COUNTED:
            self._drop()

    def _drop(self) -> None:
        self._note(self._log.popleft(), -1)

    def _note(self, entry: _Counted, by: int) -> None:
        if not entry.counts:
            return
        self._count += by
        if self._operand.aggregate == "sum":
            self._sums[entry.currency] += by * entry.amount
        elif self._operand.aggregate == "distinct" and entry.value is not None:
            self._values[entry.value] += by
            if not self._values[entry.value]:
                del self._values[entry.value]


class Recount:
    """Counts what the past did not keep. It has to see every decision of the account, in the order they were made."""

    def __init__(self, operands: Iterable[Operand]) -> None:
        self._operands = [
            (each.signature, each, field_at(each.key), field_at(each.of) if each.of else None) for each in operands
        ]
        self._logs: dict[tuple[str, Any], Rolling] = {}
        self.used: dict[str, Operand] = {}

    def counters(self, past: Past) -> dict[str, int]:
        """The counters of a decision with all these operands, and the decision noted."""
        found: dict[str, int] = dict(past.members["counters"])
        inputs, at = past.members["inputs"], _microseconds(past.at)
        currency, amount = inputs["transaction"]["currency"], inputs["transaction"]["amount"]
        for signature, operand, key, of in self._operands:
            of_key = value_at(inputs, key)
            if of_key is None:
                continue
            rolling = self._logs.get((signature, of_key))
            if rolling is None:
                rolling = self._logs[signature, of_key] = Rolling(operand)
            value = _value(inputs, of)
            if signature not in found:
                found[signature] = rolling.value(at, currency, amount, value)
                self.used[signature] = operand
            rolling.add(at, past.decision, currency, amount, value)
        return found


def _value(inputs: Mapping[str, Any], of: Field | None) -> Any:
    value = None if of is None else value_at(inputs, of)
    return tuple(value) if isinstance(value, list) else value


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * _MICROSECONDS + moment.microsecond


@dataclass(frozen=True, slots=True)
class Former:
    """What has to be known of the ruleset that a decision was made by."""

    context: str
    looked_up: frozenset[str]


class Entry(Protocol):
    """A blacklist entry."""

    @property
    def field_path(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def inserted_at(self) -> str: ...
    @property
    def expires_at(self) -> str | None: ...


class Lookup:
    """Finds on the blacklist what the past did not look up."""

    def __init__(self, paths: Sequence[str], entries: Iterable[Entry]) -> None:
        self._fields = [field_at(path) for path in paths]
        self._entries = {
            (each.field_path, each.value): (_moment(each.inserted_at), _moment(each.expires_at)) for each in entries
        }

    def listed(self, past: Past, former: Former | None) -> frozenset[str]:
        found = set(past.members["listed"])
        if self._fields:
            looked_up = former.looked_up if former else frozenset()
            found |= {each.path for each in self._fields if each.path not in looked_up and self._stood(each, past)}
        return frozenset(found)

    def _stood(self, looked_for: Field, past: Past) -> bool:
        value = value_at(past.members["inputs"], looked_for)
        times = None if value is None else self._entries.get((looked_for.path, str(value)))
        if times is None:
            return False
        begun, ended = times
        return (begun is None or begun <= past.at) and (ended is None or past.at < ended)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


class AsItWas:
    """The backends of a decision that was made: what they said then. One that was not asked then says nothing."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def assess(self, rule: Rule, context: Mapping[str, Any]) -> Assessment:  # noqa: ARG002 -- the port's signature
        for each in self._members["triggered_rules"]:
            if each["rule_id"] == rule.id and each["type"] in {"backend", "backend_group"}:
                return Assessment(each["action"])
        is_open = self._members.get("settled_at") is None
        return Assessment("PROVISIONAL" if is_open and rule.id in self._members["pending"] else None)


def is_decided_by(context: str, past: Past, former: Former | None) -> bool:
    """Whether a decision would be a ruleset's of this context: its own, or one that fell back to `default` then."""
    if past.members["inputs"]["context"] == context:
        return True
    return context == "default" and (former is None or former.context == "default")


@dataclass(slots=True)
class _Difference:
    decisions: int = 0
    amounts: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def add(self, past: Past) -> None:
        transaction = past.members["inputs"]["transaction"]
        self.decisions += 1
        self.amounts[transaction["currency"]] += transaction["amount"]
        if len(self.samples) < MOST_SAMPLES:
            self.samples.append(past.id)

    def view(self) -> DifferenceView:
        amounts = [{"currency": currency, "amount": amount} for currency, amount in sorted(self.amounts.items())]
        return {"decisions": self.decisions, "amounts": amounts, "samples": self.samples}  # type: ignore[typeddict-item]


class Comparison:
    """What a ruleset makes of decisions, held against what was made of them."""

    def __init__(self, ruleset: CompiledRuleset) -> None:
        self._ruleset = ruleset
        self.decisions = 0
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._fired: Counter[str] = Counter()
        self._by_outcome = {"BLOCK": _Difference(), "REVIEW": _Difference(), "ALLOW": _Difference()}

    def add(self, past: Past, counters: Mapping[str, int], listed: frozenset[str]) -> Outcome:
        outcome = replay(self._ruleset, past, counters, listed)
        self.decisions += 1
        self._outcomes[past.decision, outcome.decision] += 1
        for rule, _ in outcome.triggered:
            self._fired[rule.id] += 1
        if outcome.decision != past.decision and outcome.decision in self._by_outcome:
            self._by_outcome[outcome.decision].add(past)
        return outcome

    def outcomes(self) -> list[OutcomeView]:
        return [{"before": one, "after": other, "decisions": n} for (one, other), n in sorted(self._outcomes.items())]

    def newly(self, outcome: str) -> DifferenceView:
        return self._by_outcome[outcome].view()

    def rules(self) -> list[RuleView]:
        rules = self._ruleset.rules
        return [{"rule_id": r.id, "name": r.name, "live": r.live, "fired": self._fired[r.id]} for r in rules]


def replay(ruleset: CompiledRuleset, past: Past, counters: Mapping[str, int], listed: frozenset[str]) -> Outcome:
    """What the ruleset makes of a decision of the past. The same ruleset makes the same of it again."""
    backends = AsItWas(past.members) if ruleset.asks_backends else None
    return evaluate(ruleset, Facts(past.members["inputs"], counters, listed), backends, explain=False)


Known = Callable[[str], Former | None]
"""The ruleset of an id, or None if there is none."""


def operand_view(operand: Operand) -> dict[str, Any]:
    """An operand as conditions write it."""
    shown: dict[str, Any] = {
        "key": operand.key, "window_seconds": operand.window_seconds, "aggregate": operand.aggregate,
    }  # fmt: skip
    if operand.of is not None and operand.aggregate == "distinct":
        shown["of"] = operand.of
    if operand.outcomes:
        shown["outcomes"] = list(operand.outcomes)
    return shown
