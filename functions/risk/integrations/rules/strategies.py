"""What the answers of a rule's backends come to, and which member of a group is asked. Pure.

Members that are not live never count. Without any answer of a live member the rule has failed, and its `on_error`
says what that means; one answer is enough for a verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from risk.evaluation import Assessment, Decision
from risk.rules import Member, Rule

_STRICTNESS: Final = ("ALLOW", "REVIEW", "BLOCK")
VERDICTS: Final = frozenset(_STRICTNESS)


def members_of(rule: Rule) -> tuple[Member, ...]:
    """The members of a group; a backend rule is a group of one."""
    return rule.members or (Member(rule.backend or ""),)


def chosen(rule: Rule, decision_id: str) -> tuple[Member, ...]:
    """The live members that a decision may ask: all, but of a split the one that the decision's id falls to.

    The id is hashed with the rule's, so that a decision always falls to the same member, two splits are independent,
    and shares follow the weights.
    """
    live = tuple(member for member in members_of(rule) if member.live)
    if rule.type != "backend_group" or rule.strategy != "split" or not live:
        return live
    digest = hashlib.sha256(f"{rule.id}\n{decision_id}".encode()).digest()
    place = int.from_bytes(digest[:8]) * sum(member.weight for member in live) >> 64
    for member in live:
        place -= member.weight
        if place < 0:
            return (member,)
    raise AssertionError("the place is below the sum of the weights")


def is_enough(rule: Rule, verdict: str | None) -> bool:
    """Whether a live answer spares the members behind it."""
    return verdict is not None and not (rule.type == "backend_group" and rule.strategy == "parallel")


def assessed(rule: Rule, results: Sequence[dict[str, Any]]) -> Assessment:
    """What the results of a rule come to, in the order of its members."""
    live = {member.backend for member in members_of(rule) if member.live}
    answers = [verdict_of(each) for each in results if each["backend"] in live]
    verdicts = [verdict for verdict in answers if verdict is not None]
    if not verdicts:
        return Assessment(None, failed=bool(live), results=tuple(results))
    merged = _merged(rule.merge, verdicts) if rule.strategy == "parallel" else verdicts[0]
    return Assessment(merged, results=tuple(results))


def verdict_of(result: dict[str, Any]) -> Decision | None:
    """What a backend said, from its entry in `backend_results`."""
    raw = result.get("raw_response") or {}
    value = raw.get("value")
    return value if result.get("error") is None and value in VERDICTS else None


def _merged(merge: str, verdicts: list[Decision]) -> Decision:
    strictest = max(verdicts, key=_STRICTNESS.index)
    if merge == "any_allow":
        return "ALLOW" if "ALLOW" in verdicts else strictest
    if merge == "majority":  # of equally many, the stricter
        return max(set(verdicts), key=lambda each: (verdicts.count(each), _STRICTNESS.index(each)))
    return strictest
