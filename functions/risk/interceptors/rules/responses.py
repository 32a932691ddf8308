"""What is answered where a request does not go on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def answer_for(decision: Mapping[str, Any], responses: Mapping[str, Any], reference: str) -> tuple[int, Any]:
    """Status and body for a decision that is not ALLOW: as configured, else the decision itself.

    Such a payment has no state yet. A decision PROVISIONAL is answered as one to be reviewed: the request
    cannot wait for its outcome.
    """
    configured = responses["block" if decision["decision"] == "BLOCK" else "review"]
    if configured["mode"] == "decision":
        return configured["status"], {**decision, "payment_state": None}
    known = {
        "{{decision_id}}": decision["id"],
        "{{decision}}": decision["decision"],
        "{{transaction_reference}}": reference,
    }
    return configured["status"], _filled(configured["body"], known)


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return known.get(value) or _replaced(value, known)
    if isinstance(value, dict):
        return {name: _filled(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, known) for each in value]
    return value


def _replaced(text: str, known: Mapping[str, str]) -> str:
    """One pass from left to right: what is filled in is not looked at again."""
    made, position = "", 0
    while True:
        found = [(text.find(name, position), name) for name in known]
        at, name = min((each for each in found if each[0] >= 0), default=(-1, ""))
        if at < 0:
            return made + text[position:]
        made += text[position:at] + known[name]
        position = at + len(name)
