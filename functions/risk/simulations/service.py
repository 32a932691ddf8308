"""Sends a ruleset through a period: reads decisions in their order, replays each, adds up the differences.

It only reads: no count, no entry, no webhook and no backend ever hears of it. Memory is bounded by the number of
decisions of one run; a run ends at its limit or when its time is up, and says where to go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from time import monotonic_ns as _now
from typing import Final

from risk import records
from risk.blacklist.public import BlacklistService
from risk.evaluation import CompiledRuleset, compile_ruleset
from risk.rulesets.public import Ruleset, RulesetNotFound, RulesetService
from risk.simulations.models import Past, SimulationView, Wanted
from risk.simulations.repository import PastRepository
from risk.simulations.rules import Comparison, Former, Known, Lookup, Recount, is_decided_by, operand_view
from tollgate import clock
from tollgate.auth.instances import Instance

SECONDS: Final = 20
"""A run begins no further decision after so long: the answer has to be out within the gateway's 30 seconds."""

LONGEST_RUN_UP: Final = timedelta(days=1)
"""So far back of the first decision, at most, counts begin that have to be counted anew."""

RUN_UP_SECONDS: Final = 4
"""A run-up that takes longer to read is given up for an eighth of it, and so on."""

MOST_ENTRIES: Final = 20_000
SHORTEST_RUN_UP: Final = timedelta(minutes=1)
_LOOK_AT_THE_TIME_EVERY: Final = 64
_NANOSECONDS: Final = 1_000_000_000


class SimulationService:
    """Use cases of the time machine."""

    def __init__(self, past: PastRepository, rulesets: RulesetService, blacklist: BlacklistService) -> None:
        self._past = past
        self._rulesets = rulesets
        self._blacklist = blacklist

    def simulate(self, instance: Instance, ruleset: Ruleset, wanted: Wanted) -> tuple[SimulationView, str | None]:
        """What the ruleset would have made of the period, and the place to go on behind if that was not all."""
        known, lookup = self._known(instance), self._lookup(ruleset)
        begin = records.begun_at(wanted.after) if wanted.after else wanted.first
        deadline = _now() + SECONDS * _NANOSECONDS
        run_up = self._run_up(ruleset, compile_for(instance, ruleset), begin)
        while True:
            run = _Run(compile_for(instance, ruleset), ruleset, known, lookup, deadline)
            decisions = self._past.between(instance.account_id, begin - run_up, wanted.last)
            if run.go(decisions, wanted):
                return run.view(begin - run_up), run.place
            run_up = run_up / 8 if run_up > SHORTEST_RUN_UP else timedelta()

    def _known(self, instance: Instance) -> Known:
        @cache
        def known(ruleset_id: str) -> Former | None:
            try:
                found = self._rulesets.require(instance.account_id, ruleset_id)
            except RulesetNotFound:
                return None
            looked_up = frozenset(path for rule in found.rules if rule.enabled for path in rule.fields)
            return Former(found.context, looked_up)

        return known

    def _lookup(self, ruleset: Ruleset) -> Lookup:
        paths = tuple(dict.fromkeys(path for rule in ruleset.rules if rule.enabled for path in rule.fields))
        return Lookup(paths, self._blacklist.entries(ruleset.account_id, MOST_ENTRIES) if paths else ())

    def _run_up(self, ruleset: Ruleset, compiled: CompiledRuleset, begin: datetime) -> timedelta:
        """How far back counts begin that the decisions of the period may not have with them."""
        wanted = {operand.signature: operand.window_seconds for operand in compiled.operands}
        active = self._rulesets.active(ruleset.account_id, ruleset.context) if wanted else None
        if active and active.activated_at and datetime.fromisoformat(active.activated_at) <= begin:
            for operand in compile_ruleset(None, None, active.rules).operands:
                wanted.pop(operand.signature, None)
        return min(timedelta(seconds=max(wanted.values(), default=0)), LONGEST_RUN_UP)


def compile_for(instance: Instance, ruleset: Ruleset) -> CompiledRuleset:
    return compile_ruleset(ruleset.id, ruleset.version, ruleset.rules, connect=instance.is_connect)


class _Run:
    """One simulation."""

    def __init__(
        self, compiled: CompiledRuleset, ruleset: Ruleset, known: Known, lookup: Lookup, deadline: int
    ) -> None:
        self.place: str | None = None
        self._ruleset = ruleset
        self._known = known
        self._lookup = lookup
        self._recount = Recount(compiled.operands)
        self._comparison = Comparison(compiled)
        self._others = 0
        self._deadline = deadline
        self._run_up_deadline = _now() + RUN_UP_SECONDS * _NANOSECONDS

    def go(self, decisions: Iterator[Past], wanted: Wanted) -> bool:
        """Go through them; False where the run-up alone took too long."""
        last: str | None = None
        for number, past in enumerate(decisions):
            is_compared = past.at >= wanted.first and (wanted.after is None or past.id > wanted.after)
            if is_compared and last is not None and (self._is_full(wanted.limit) or _is_past(self._deadline, number)):
                self.place = last
                return True
            if not is_compared and _is_past(self._run_up_deadline, number):
                return False
            self._take(past, is_compared)
            last = past.id if is_compared else last
        return True

    def _is_full(self, limit: int) -> bool:
        return self._comparison.decisions + self._others >= limit

    def _take(self, past: Past, is_compared: bool) -> None:
        counters = self._recount.counters(past)
        if not is_compared:
            return
        ruleset_id = past.members["ruleset_id"]
        former = self._known(ruleset_id) if ruleset_id else None
        if is_decided_by(self._ruleset.context, past, former):
            self._comparison.add(past, counters, self._lookup.listed(past, former))
        else:
            self._others += 1

    def view(self, counted_from: datetime) -> SimulationView:
        comparison, anew = self._comparison, self._recount.used
        return {
            "ruleset_id": self._ruleset.id,
            "ruleset_version": self._ruleset.version,
            "decisions": comparison.decisions,
            "others": self._others,
            "outcomes": comparison.outcomes(),
            "newly_blocked": comparison.newly("BLOCK"),
            "newly_reviewed": comparison.newly("REVIEW"),
            "newly_allowed": comparison.newly("ALLOW"),
            "rules": comparison.rules(),
            "reconstructed": [operand_view(anew[signature]) for signature in sorted(anew)],
            "counted_from": clock.iso(counted_from) if anew else None,
            "complete": self.place is None,
            "after": None,
        }


def _is_past(deadline: int, number: int) -> bool:
    return number % _LOOK_AT_THE_TIME_EVERY == 0 and _now() > deadline
