"""What a lifecycle event means: the state of its payment, blacklist entries, what of its data is kept. Pure.

Sources: the reference ("Lifecycle events", "Blacklist"); docs/decisions/0027-risk-webhooks.md for what it leaves open.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from risk.credentials import Masker
from risk.fields import FINGERPRINT, field_at, value_at
from risk.rules import Rule

AHEAD: Final = timedelta(minutes=5)
"""How far in our future an event may have occurred: clocks differ."""

STATES: Final[Mapping[str, str]] = {
    "authorization": "authorized",
    "capture": "captured",
    "void": "voided",
    "failed": "failed",
    "fraud_report": "fraud_reported",
    "chargeback": "chargedback",
}
"""Event type → the state that it leads to. A refund leads nowhere. Of two in one moment the later one here counts."""

_RANKS: Final = {type_: rank for rank, type_ in enumerate(STATES)}


class Condemned(NamedTuple):
    """A value that is to be refused from now on."""

    path: str
    value: str
    ttl_seconds: int | None
    display_hint: str | None


def payment_state(before: str | None, events: Iterable[Mapping[str, Any]]) -> str | None:
    """The state after all these events, in whatever order they came: that of the last to have occurred."""
    moving = [each for each in events if each["type"] in STATES]
    if not moving:
        return before
    last = max(moving, key=lambda each: (datetime.fromisoformat(each["occurred_at"]), _RANKS[each["type"]]))
    return STATES[last["type"]]


def condemned(rules: Sequence[Rule], event_type: str, inputs: Mapping[str, Any]) -> list[Condemned]:
    """What an event puts on the blacklist: every field of every blacklist rule that asks for this type, with the value
    that the decision had. Rules that are disabled or in shadow ask for nothing. The longest life counts."""
    lives: dict[str, int | None] = {}
    for rule in rules:
        if rule.type == "blacklist" and rule.enabled and rule.live and event_type in rule.populate_on:
            for path in rule.fields:
                lives[path] = _longer(lives[path], rule.ttl_seconds) if path in lives else rule.ttl_seconds
    values = {path: value_at(inputs, field_at(path)) for path in lives}
    hint = f"****{inputs['masked_credential'][-4:]}"
    return [
        Condemned(path, str(value), lives[path], hint if path == FINGERPRINT else None)
        for path, value in values.items()
        if value is not None
    ]


def _longer(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def kept(value: Any, masker: Masker) -> Any:
    """JSON as it is stored: nothing that looks like a card number, be it a text, a name or a number."""
    if isinstance(value, str):
        return masker.text(value)
    if isinstance(value, dict):
        return {masker.text(name): kept(each, masker) for name, each in value.items()}
    if isinstance(value, list):
        return [kept(each, masker) for each in value]
    if isinstance(value, Decimal):
        return json.loads(str(value))  # free-form data, no amount of ours
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
        return value if masker.text(text) == text else masker.text(text)
    return value


def sorted_members(value: Any) -> Any:
    """JSON with the members of every object in order, so that the order they came in makes no difference."""
    if isinstance(value, dict):
        return {name: sorted_members(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [sorted_members(each) for each in value]
    return value
