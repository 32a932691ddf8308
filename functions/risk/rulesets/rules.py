"""Reads ruleset bodies and checks a ruleset before it becomes active. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from risk import checks
from risk.evaluation import compile_ruleset
from risk.rules import LARGEST_PACKED_BYTES, LONGEST_DESCRIPTION, Rule, RulesReader, pack, text_problem
from risk.rulesets.models import Ruleset
from risk.velocity import counted
from tollgate.errors import Fault, Invalid

_CONTEXT: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def read_body(body: object, *, connect: bool, context: str | None) -> dict[str, Any]:
    """The members given: `context`, `description`, `rules` as read. `context` is the ruleset's own when it has one.

    Raises:
        Invalid: with the path of every fault.
    """
    if not isinstance(body, dict):
        raise Invalid.at("$", "must be an object")
    reader = RulesReader(connect=connect)
    faults = reader.faults
    made: dict[str, Any] = {}
    _read_context(body, context, made, faults)
    if "description" in body:
        made["description"] = body["description"]
        problem = None if body["description"] is None else text_problem(body["description"], LONGEST_DESCRIPTION)
        if problem:
            faults.append(Fault("$.description", problem))
    if body.get("rules") is not None or "rules" in body:
        made["rules"] = reader.read(body["rules"])
    if faults:
        raise Invalid(faults)
    if len(pack(made.get("rules", ()))) > LARGEST_PACKED_BYTES:
        raise Invalid.at("$.rules", f"must take at most {LARGEST_PACKED_BYTES} bytes when compressed")
    return made


def _read_context(body: Mapping[str, Any], own: str | None, made: dict[str, Any], faults: list[Fault]) -> None:
    given = body.get("context")
    if own is not None:
        if "context" in body and given != own:
            faults.append(Fault("$.context", "cannot be changed"))
    elif not isinstance(given, str) or not _CONTEXT.fullmatch(given):
        text = "is required" if given is None else "must be 1 to 64 letters, digits, dots, hyphens or underscores"
        faults.append(Fault("$.context", text))
    else:
        made["context"] = given


def require_sound(ruleset: Ruleset, *, connect: bool) -> None:
    """Before it becomes active.

    Raises:
        Invalid: a rule cannot fire, or needs another edition.
    """
    faults = checks.faults_of(ruleset.rules)
    if not connect:
        faults += [
            Fault(f"$.rules[{index}].type", "needs the Connect edition")
            for index, rule in enumerate(ruleset.rules)
            if rule.is_backend
        ]
    if faults:
        raise Invalid(faults)


def counted_by(rules: tuple[Rule, ...]) -> dict[str, dict[str, Any]]:
    """What the rules want counted, as it is stored with the active ruleset."""
    wanted = counted(compile_ruleset(None, None, rules).operands)
    return {key: {"window": each.window_seconds, "of": list(each.of)} for key, each in wanted.items()}
