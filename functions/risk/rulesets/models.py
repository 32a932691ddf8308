"""Shapes of the ruleset resource ("Rulesets" in the reference)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypedDict

from risk.conditions import ALL_OPERATORS
from risk.rules import ACTIONS, MOST_RULES, ON_ERROR, POPULATE_ON, STRATEGIES, TYPES, Rule

Status = Literal["DRAFT", "ACTIVE", "INACTIVE"]

_TEXT = {"type": ["string", "null"]}
_RULE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "id": {"type": ["string", "null"], "description": "Unique within the ruleset; made where it is not given"},
        "name": _TEXT,
        "description": _TEXT,
        "type": {"type": "string", "enum": list(TYPES)},
        "action": {"type": "string", "enum": list(ACTIONS), "description": "Of types condition and blacklist"},
        "enabled": {"type": "boolean", "default": True},
        "live": {"type": "boolean", "default": True, "description": "false: reported, and changes nothing"},
        "condition": {
            "type": "object",
            "description": (
                "{all: […]}, {any: […]}, {not: …}, {field, op, value}, or {velocity: {key, window_seconds, aggregate, "
                f"of, outcomes}}, op, value}}; operators: {', '.join(sorted(ALL_OPERATORS))}"
            ),
        },
        "fields": {"type": "array", "items": {"type": "string"}, "description": "Of type blacklist"},
        "populate_on": {"type": "array", "items": {"type": "string", "enum": list(POPULATE_ON)}},
        "ttl_seconds": {"type": ["integer", "null"], "minimum": 1},
        "backend": {"type": "string"},
        "members": {"type": "array", "items": {"type": "object"}},
        "strategy": {"type": "string", "enum": list(STRATEGIES)},
        "on_error": {"type": "string", "enum": list(ON_ERROR)},
        "async": {"type": "boolean"},
    },
}
_BODY: Final[dict[str, Any]] = {
    "description": _TEXT,
    "rules": {"type": "array", "maxItems": MOST_RULES, "items": _RULE},
}
CREATE_RULESET: Final[dict[str, Any]] = {
    "title": "CreateRuleset",
    "type": "object",
    "required": ["context"],
    "properties": {"context": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}, **_BODY},
}
UPDATE_RULESET: Final[dict[str, Any]] = {"title": "UpdateRuleset", "type": "object", "properties": _BODY}


class RulesetView(TypedDict):
    """A ruleset. `version` counts within the context; rules are evaluated in their order."""

    id: str
    context: str
    description: str | None
    created_by: str
    rules: list[dict[str, Any]]
    status: Status
    version: int
    created_at: str
    activated_at: str | None


class RulesetLinks(TypedDict):
    next: str | None


class RulesetPage(TypedDict):
    data: list[RulesetView]
    links: RulesetLinks


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A stored ruleset. `revision` guards every change."""

    id: str
    account_id: str
    context: str
    created_by: str
    created_at: str
    version: int
    revision: int = 1
    status: Status = "DRAFT"
    description: str | None = None
    activated_at: str | None = None
    rules: tuple[Rule, ...] = field(default_factory=tuple)


def view(ruleset: Ruleset) -> RulesetView:
    """The public form, member by member."""
    return {
        "id": ruleset.id,
        "context": ruleset.context,
        "description": ruleset.description,
        "created_by": ruleset.created_by,
        "rules": [rule.view() for rule in ruleset.rules],
        "status": ruleset.status,
        "version": ruleset.version,
        "created_at": ruleset.created_at,
        "activated_at": ruleset.activated_at,
    }
