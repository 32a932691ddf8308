"""Asks backends about one decision: the port of `risk.evaluation` as it is in earnest.

Calls have the integration's time-out and together twelve seconds. Members of a group are called side by side where the
strategy lets them; members that are not live are called beside and never count. What goes out holds no card number
(`risk.integrations.rules.requests`), and what comes back is freed of anything that looks like one before it is kept.
Tables and keys are used on the caller's thread alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from risk.credentials import Masker
from risk.evaluation import Assessment
from risk.integrations.clients.link import TIMEOUT, UNAVAILABLE, UNREACHABLE, UNUSABLE
from risk.integrations.models import ASSESS, Call, Reply
from risk.integrations.rules import strategies
from risk.integrations.rules.requests import assess_body, missing_fields, passthrough_for
from risk.integrations.service.connections import Connection, Connections, Directory
from risk.rules import Member, Rule

TOTAL_MS: Final = 12_000
"""For all calls of a decision together."""

MOST_AT_ONCE: Final = 20
LARGEST_RAW_BYTES: Final = 16_384
TRANSIENT: Final = frozenset({TIMEOUT, UNREACHABLE, UNAVAILABLE, "transport_error", "backend_error"})
"""Errors after which the same call may succeed."""

Answering = Callable[[], dict[str, Any]]


class Assessor:
    """The backends of one decision. With `defers`, rules that are `async` are answered PROVISIONAL and not asked."""

    def __init__(
        self,
        directory: Directory,
        masker: Masker,
        account_id: str,
        decision_id: str,
        passthrough: Mapping[str, Any] | None = None,
        *,
        defers: bool = True,
    ) -> None:
        self._started = time.monotonic_ns()
        self._connections = Connections(directory, account_id, self._left_ms)
        self._masker = masker
        self._decision_id = decision_id
        self._passthrough = passthrough
        self._defers = defers

    def assess(self, rule: Rule, context: Mapping[str, Any]) -> Assessment:
        if rule.is_async and self._defers:
            return Assessment("PROVISIONAL")
        live = strategies.chosen(rule, self._decision_id)
        members = [each for each in strategies.members_of(rule) if each in live or not each.live]
        prepared = {each.backend: self._prepared(rule, each, context) for each in members}
        answered = _ask(rule, members, prepared)
        results = [self._clean(answered[each.backend]) for each in members if each.backend in answered]
        return strategies.assessed(rule, results)

    def _left_ms(self) -> int:
        return TOTAL_MS - (time.monotonic_ns() - self._started) // 1_000_000

    def _prepared(self, rule: Rule, member: Member, context: Mapping[str, Any]) -> Answering:
        """Everything but the call itself; what forbids it is the answer."""
        connection = self._connections.to(member.backend, ASSESS)
        if isinstance(connection, str):
            error = connection
            return lambda: _result(rule, member, Reply(error))
        missing = missing_fields(connection.backend.required_fields if connection.backend else (), context)
        if missing:
            return lambda: _result(rule, member, Reply("insufficient_context"), missing)
        given = self._masker.value(passthrough_for(member.backend, self._passthrough))
        body = assess_body(self._decision_id, context, given)
        reference = f"{self._decision_id}/{rule.id}/{member.backend}"
        return lambda: _result(rule, member, self._call(connection, reference, body))

    def _call(self, connection: Connection, reference: str, body: Mapping[str, Any]) -> Reply:
        time_out = min(connection.integration.timeout_ms, self._left_ms())
        if time_out <= 0:
            return Reply(TIMEOUT, is_transient=True)
        return connection.link.invoke(Call(ASSESS, connection.backend_id, reference, body, time_out))

    def _clean(self, result: dict[str, Any]) -> dict[str, Any]:
        """No card number, and no more than may be kept of what a backend says."""
        raw = self._masker.value(result["raw_response"])
        if raw is not None and len(json.dumps(raw, ensure_ascii=False).encode()) > LARGEST_RAW_BYTES:
            raw = {name: raw[name] for name in ("type", "value") if name in raw}
        return {**result, "raw_response": raw}


class Recorded:
    """The backends as a decision's record has them, for evaluating it again: asks nobody and never defers."""

    def __init__(self, results: Sequence[dict[str, Any]]) -> None:
        self._results = results

    def assess(self, rule: Rule, context: Mapping[str, Any]) -> Assessment:  # noqa: ARG002 -- the port's signature
        return strategies.assessed(rule, [each for each in self._results if each["rule_id"] == rule.id])


def has_passing_trouble(assessment: Assessment) -> bool:
    """Whether a rule failed for reasons alone that time may mend."""
    errors = {each["error"] for each in assessment.results if each["error"] is not None}
    return assessment.failed and bool(errors & TRANSIENT)


def _ask(rule: Rule, members: Sequence[Member], prepared: Mapping[str, Answering]) -> dict[str, dict[str, Any]]:
    """Call the members, by the strategy; backend → result, of those that were called."""
    beside = [each for each in members if not each.live or _side_by_side(rule)]
    in_turn = [each for each in members if each not in beside]
    if not beside or len(members) == 1:
        return _in_turn(rule, members, prepared)
    with ThreadPoolExecutor(min(len(beside), MOST_AT_ONCE)) as pool:
        waiting: dict[str, Future[dict[str, Any]]] = {
            each.backend: pool.submit(prepared[each.backend]) for each in beside
        }
        answered = _in_turn(rule, in_turn, prepared)
        return answered | {backend: each.result() for backend, each in waiting.items()}


def _side_by_side(rule: Rule) -> bool:
    return rule.type == "backend_group" and rule.strategy == "parallel"


def _in_turn(rule: Rule, members: Sequence[Member], prepared: Mapping[str, Answering]) -> dict[str, dict[str, Any]]:
    answered: dict[str, dict[str, Any]] = {}
    for each in members:
        answered[each.backend] = prepared[each.backend]()
        if each.live and strategies.is_enough(rule, strategies.verdict_of(answered[each.backend])):
            break
    return answered


def _result(rule: Rule, member: Member, reply: Reply, missing: Sequence[str] = ()) -> dict[str, Any]:
    """An entry of `backend_results`. An answer without a verdict is no answer."""
    error, raw = reply.error, reply.raw
    if error is None and ((raw or {}).get("type") != "enum" or (raw or {}).get("value") not in strategies.VERDICTS):
        error, raw = UNUSABLE, None
    return {
        "backend": member.backend,
        "rule_id": rule.id,
        "live": rule.live and member.live,
        "error": error,
        "latency_ms": reply.latency_ms,
        "link_execution_id": reply.execution_id,
        "link_timing": reply.timing,
        "missing_fields": list(missing),
        "raw_response": raw,
    }
