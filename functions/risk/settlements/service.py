"""Carries out what backends were left to be asked or told.

A decision PROVISIONAL is settled once: the row of work ends in the transaction that writes the outcome and announces
it. A rule whose backends give no answer is asked again, with the same references; when its attempts are over, its
`on_error` says what that means. An answer that comes later than that is heard by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal

from risk.decisions.public import DecisionNotFound, DecisionRecord, DecisionRepository
from risk.evaluation import Assessment, Decision, Facts, Outcome, compile_ruleset, evaluate, view_of
from risk.integrations.public import (
    BackendAccess,
    Work,
    WorkQueue,
    WorkRepository,
    WorkTaken,
    has_passing_trouble,
    key_of,
    pause_before,
)
from risk.rules import Rule
from tollgate import clock

PAUSES_SECONDS: Final = (30, 60, 120)
"""Until the next attempt at backends that were put off, after the first, second and third; the fourth is the last."""

Done = Literal["done", "waiting", "gone", "given up"]


class NoAnswerYet(Exception):
    """A backend gave no answer that counts, and is to be asked again."""


class Settlements:
    """Work at backends."""

    def __init__(self, decisions: DecisionRepository, access: BackendAccess) -> None:
        self._decisions = decisions
        self._access = access

    def carry_out(self, pk: str, sk: str) -> Done:
        """One attempt at the work in this row. A row that is gone was begun or ended by somebody else."""
        found = self._access.work.find(pk, sk)
        if found is None:
            return "gone"
        try:
            work = self._access.work.begin_attempt(found, _pause(found))
        except WorkTaken:
            return "gone"
        return self._access.notifier.carry_out(work) if work.kind == "notify" else self._settle(work)

    def _settle(self, work: Work) -> Done:
        before = self._decisions.find(work.account_id, work.decision_id)
        try:
            after = None if before is None else self._settled(before, is_last=work.attempts > len(PAUSES_SECONDS))
        except NoAnswerYet:
            return "waiting"
        transaction = self._access.work.begin()
        self._access.work.finish(transaction, work)
        if before is not None and after is not None:
            self._decisions.settle(transaction, before, after)
            if before.decision == "PROVISIONAL":
                event_type = f"decision.async.{after.decision.lower()}"
                self._decisions.announce(transaction, after, event_type, self._decisions.wanted(after.account_id))
        try:
            transaction.commit()
        except (WorkTaken, DecisionNotFound):
            return "gone"
        return "done"

    def _settled(self, before: DecisionRecord, *, is_last: bool) -> DecisionRecord:
        """The decision with the answers that were put off; raises NoAnswerYet."""
        outcome = Outcome()
        for rule in self._rules(before):
            assessment = self._assessment(before, rule, is_last=is_last)
            _take_up(outcome, rule, assessment, before)
            if outcome.decision == "BLOCK":
                break
        results = [*before.backend_results, *outcome.backend_results]
        triggered = [*before.triggered_rules, *(view_of(*each) for each in outcome.triggered)]
        has_own = any(each["type"] in {"condition", "blacklist"} for each in triggered)
        return replace(
            before,
            decision=_final(before, outcome) if before.decision == "PROVISIONAL" else before.decision,
            backend_results=results,
            triggered_rules=triggered,
            source="COMBINED" if has_own else "BACKEND" if results else before.source,
            pending=[],
            shadow_pending=[],
            settled_at=clock.iso(clock.now()),
        )

    def _rules(self, record: DecisionRecord) -> Iterator[Rule]:
        """The rules that were put off, in their order; where the decision is made, only those that change nothing."""
        wanted = {*record.shadow_pending, *(record.pending if record.decision == "PROVISIONAL" else ())}
        rules = self._decisions.rules(record.account_id, record.ruleset_id) if record.ruleset_id else ()
        return (rule for rule in rules if rule.id in wanted)

    def _assessment(self, record: DecisionRecord, rule: Rule, *, is_last: bool) -> Assessment:
        backends = self._access.late_assessor(record.account_id, record.id)
        assessment = backends.assess(rule, record.inputs)
        if not is_last and has_passing_trouble(assessment):
            raise NoAnswerYet
        return assessment


class Sweep:
    """Hands on work that waits longer than it should, after a time-out, a crash or a lost message."""

    def __init__(self, work: WorkRepository, queue: WorkQueue) -> None:
        self._work = work
        self._queue = queue

    def hand_on(self, most_per_shard: int) -> int:
        """How much was handed on. Nothing is changed: who takes a row moves it."""
        keys = [key_of(work) for work in self._work.due(most_per_shard)]
        self._queue.send(keys)
        return len(keys)

    def count_due(self) -> int:
        return self._work.count_due()


def _pause(work: Work) -> int:
    if work.kind == "notify":
        return pause_before(work.attempts + 1)
    return PAUSES_SECONDS[min(work.attempts, len(PAUSES_SECONDS) - 1)]


def _take_up(outcome: Outcome, rule: Rule, assessment: Assessment, record: DecisionRecord) -> None:
    """Let evaluation itself say what the assessment of one rule does to the outcome."""
    plain = replace(rule, condition=None, condition_json=None)
    compiled = compile_ruleset(record.ruleset_id, record.ruleset_version, [plain])
    one = evaluate(compiled, Facts(record.inputs), _Known(assessment))
    outcome.triggered += one.triggered
    outcome.backend_results += one.backend_results
    if _SEVERITY[one.decision] > _SEVERITY[outcome.decision]:
        outcome.decision = one.decision


_SEVERITY: Final = {"ALLOW": 0, "PROVISIONAL": 0, "REVIEW": 1, "BLOCK": 2}


class _Known:
    """Backends whose answer is there."""

    def __init__(self, assessment: Assessment) -> None:
        self._assessment = assessment

    def assess(self, rule: Rule, context: object) -> Assessment:  # noqa: ARG002 -- the port's signature
        return self._assessment


def _final(before: DecisionRecord, outcome: Outcome) -> Decision:
    """What the answers make of a decision that live rules may have sent to review already."""
    reviewed = any(each["live"] and each["action"] == "REVIEW" for each in before.triggered_rules)
    return "REVIEW" if outcome.decision == "ALLOW" and reviewed else outcome.decision
