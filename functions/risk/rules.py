"""Rules of a ruleset: read from JSON with the path of every fault, shown again as they were given, packed for storage.

Types and members are those of the reference ("Rulesets", "Backends"); the actions are BLOCK and REVIEW. Backend rules
need the Connect edition. A rule holds no card number: texts that look like one are refused. Pure.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from risk.conditions import MOST_FAULTS, Condition, Reader
from risk.fields import NoField, field_at
from tollgate import ids, luhn
from tollgate.errors import Fault

MOST_RULES: Final = 1000
MOST_MEMBERS: Final = 20
MOST_FIELDS_PER_RULE: Final = 20
MOST_LISTED_FIELDS: Final = 50
"""Fields that all blacklist rules of a ruleset look at together: they are read in one batch."""

LONGEST_NAME: Final = 255
LONGEST_DESCRIPTION: Final = 2000
LONGEST_TTL_SECONDS: Final = 10 * 366 * 24 * 3600
LARGEST_PACKED_BYTES: Final = 300_000

TYPES: Final = ("condition", "blacklist", "backend", "backend_group")
ACTIONS: Final = ("BLOCK", "REVIEW")
ON_ERROR: Final = ("allow", "review", "block")
STRATEGIES: Final = ("fallback", "parallel", "split")
MERGES: Final = ("strictest", "majority", "any_allow")
POPULATE_ON: Final = ("fraud_report", "chargeback", "failed")

RuleType = Literal["condition", "blacklist", "backend", "backend_group"]

_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_BACKEND: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}(?:/[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Member:
    """A backend of a group. `weight` counts for the strategy `split` alone."""

    backend: str
    live: bool = True
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Which members mean something depends on `type`; the others have their defaults."""

    id: str
    name: str
    type: RuleType
    action: str | None = None
    description: str | None = None
    enabled: bool = True
    live: bool = True
    condition: Condition | None = None
    condition_json: Any = None
    fields: tuple[str, ...] = ()
    populate_on: tuple[str, ...] = ()
    ttl_seconds: int | None = None
    backend: str | None = None
    members: tuple[Member, ...] = ()
    strategy: str = "fallback"
    merge: str = "strictest"
    on_error: str = "allow"
    is_async: bool = False

    @property
    def is_backend(self) -> bool:
        return self.type in {"backend", "backend_group"}

    def with_action(self, action: str) -> Rule:
        """The rule as it fired: a backend rule's action is what the backends said."""
        return replace(self, action=action)

    def view(self) -> dict[str, Any]:
        """The rule as JSON, in which it can be given again."""
        shown: dict[str, Any] = {
            "id": self.id, "name": self.name, "description": self.description, "type": self.type,
            "enabled": self.enabled, "live": self.live,
        }  # fmt: skip
        if not self.is_backend:
            shown["action"] = self.action
        if self.type == "blacklist":
            shown |= {
                "fields": list(self.fields), "populate_on": list(self.populate_on), "ttl_seconds": self.ttl_seconds,
            }  # fmt: skip
        if self.condition_json is not None:
            shown["condition"] = self.condition_json
        if self.type == "backend":
            shown["backend"] = self.backend
        if self.type == "backend_group":
            shown["members"] = [
                {"backend": each.backend, "live": each.live, "weight": each.weight} for each in self.members
            ]
            shown |= {"strategy": self.strategy, "merge": self.merge}
        if self.is_backend:
            shown |= {"on_error": self.on_error, "async": self.is_async}
        return shown


_OF_ALL: Final = frozenset({"id", "name", "description", "type", "enabled", "live"})
_OF_TYPE: Final[Mapping[str, frozenset[str]]] = {
    "condition": frozenset({"action", "condition"}),
    "blacklist": frozenset({"action", "fields", "populate_on", "ttl_seconds"}),
    "backend": frozenset({"backend", "on_error", "async", "condition"}),
    "backend_group": frozenset({"members", "strategy", "merge", "on_error", "async", "condition"}),
}


class RulesReader:
    """Reads a list of rules; what is wrong collects in `faults`, at most fifty."""

    def __init__(self, *, connect: bool) -> None:
        self.faults: list[Fault] = []
        self._connect = connect

    def read(self, value: object, path: str = "$.rules") -> tuple[Rule, ...]:
        if not isinstance(value, list):
            self._fault(path, "must be a list")
            return ()
        if len(value) > MOST_RULES:
            self._fault(path, f"must have at most {MOST_RULES} entries")
            return ()
        rules = [self._rule(each, f"{path}[{index}]") for index, each in enumerate(value)]
        found = tuple(rule for rule in rules if rule is not None)
        self._check_together(rules, path)
        return found

    def _check_together(self, rules: Sequence[Rule | None], path: str) -> None:
        seen: set[str] = set()
        listed: set[str] = set()
        for index, rule in enumerate(rules):
            if rule is None:
                continue
            if rule.id in seen:
                self._fault(f"{path}[{index}].id", "must be unique within the ruleset")
            seen.add(rule.id)
            listed |= set(rule.fields)
        if len(listed) > MOST_LISTED_FIELDS:
            self._fault(path, f"must look for at most {MOST_LISTED_FIELDS} different fields on the blacklist")

    def _rule(self, value: object, path: str) -> Rule | None:
        if not isinstance(value, dict):
            self._fault(path, "must be an object")
            return None
        before = len(self.faults)
        kind = self._one_of(value, "type", path, TYPES)
        if kind in {"backend", "backend_group"} and not self._connect:
            self._fault(f"{path}.type", "needs the Connect edition")
            return None
        members = self._shared(value, path)
        if kind is not None:
            members |= self._of_type(kind, value, path)
        return Rule(type=kind, **members) if len(self.faults) == before else None  # type: ignore[arg-type]

    def _shared(self, value: Mapping[str, Any], path: str) -> dict[str, Any]:
        rule_id = value.get("id")
        if rule_id is None:
            rule_id = ids.new_uuid()
        elif not isinstance(rule_id, str) or not _ID.fullmatch(rule_id) or _has_pan(rule_id):
            self._fault(f"{path}.id", "must be 1 to 64 letters, digits, dots, colons, hyphens or underscores")
            rule_id = ""
        return {
            "id": rule_id,
            "name": self._text(value, "name", path, LONGEST_NAME) or rule_id,
            "description": self._text(value, "description", path, LONGEST_DESCRIPTION),
            "enabled": self._flag(value, "enabled", path, default=True),
            "live": self._flag(value, "live", path, default=True),
        }

    def _of_type(self, kind: str, value: Mapping[str, Any], path: str) -> dict[str, Any]:
        known = _OF_ALL | _OF_TYPE[kind]
        for name in value:
            if name not in known and value[name] is not None and any(name in each for each in _OF_TYPE.values()):
                self._fault(f"{path}.{name}", f"does not go with the type {kind}")
        if kind == "condition":
            return {"action": self._one_of(value, "action", path, ACTIONS), **self._condition(value, path)}
        if kind == "blacklist":
            return {"action": self._one_of(value, "action", path, ACTIONS), **self._blacklist(value, path)}
        made = self._condition(value, path) if value.get("condition") is not None else {}
        return made | self._backend(kind, value, path)

    def _condition(self, value: Mapping[str, Any], path: str) -> dict[str, Any]:
        if value.get("condition") is None:
            self._fault(f"{path}.condition", "is required")
            return {}
        read = Reader(self.faults).read(value["condition"], f"{path}.condition")
        return {"condition": read, "condition_json": value["condition"]}

    def _blacklist(self, value: Mapping[str, Any], path: str) -> dict[str, Any]:
        fields = value.get("fields")
        found: list[str] = []
        if not isinstance(fields, list) or not 1 <= len(fields) <= MOST_FIELDS_PER_RULE:
            self._fault(f"{path}.fields", f"must be a list of 1 to {MOST_FIELDS_PER_RULE} paths")
            fields = []
        for index, each in enumerate(fields):
            try:
                field = field_at(each)
                found.append(field.path)
                if field.kind == "texts":
                    self._fault(f"{path}.fields[{index}]", "must be a field with one value")
            except NoField as wrong:
                self._fault(f"{path}.fields[{index}]", str(wrong))
        ttl = value.get("ttl_seconds")
        if ttl is not None and not (_is_number(ttl) and 1 <= ttl <= LONGEST_TTL_SECONDS):
            self._fault(f"{path}.ttl_seconds", f"must be a whole number from 1 to {LONGEST_TTL_SECONDS}")
        return {
            "fields": tuple(dict.fromkeys(found)),
            "populate_on": self._populate_on(value.get("populate_on"), f"{path}.populate_on"),
            "ttl_seconds": ttl,
        }

    def _populate_on(self, value: object, path: str) -> tuple[str, ...]:
        if value is None:
            return ("fraud_report",)
        if not isinstance(value, list) or not all(isinstance(each, str) and each in POPULATE_ON for each in value):
            self._fault(path, f"must be a list of {', '.join(POPULATE_ON)}")
            return ()
        return tuple(each for each in POPULATE_ON if each in value)

    def _backend(self, kind: str, value: Mapping[str, Any], path: str) -> dict[str, Any]:
        made: dict[str, Any] = {
            "on_error": self._one_of(value, "on_error", path, ON_ERROR, "allow"),
            "is_async": self._flag(value, "async", path, default=False),
        }
        if kind == "backend":
            return made | {"backend": self._backend_name(value.get("backend"), f"{path}.backend")}
        made["strategy"] = self._one_of(value, "strategy", path, STRATEGIES, "fallback")
        made["merge"] = self._one_of(value, "merge", path, MERGES, "strictest")
        members = value.get("members")
        if not isinstance(members, list) or not 1 <= len(members) <= MOST_MEMBERS:
            self._fault(f"{path}.members", f"must be a list of 1 to {MOST_MEMBERS} members")
            return made
        read = [self._member(each, f"{path}.members[{index}]") for index, each in enumerate(members)]
        if len({member.backend for member in read}) < len(read):
            self._fault(f"{path}.members", "must name each backend once")
        return made | {"members": tuple(read)}

    def _member(self, value: object, path: str) -> Member:
        if not isinstance(value, dict):
            self._fault(path, "must be an object")
            return Member(path)
        weight = value.get("weight", 1)
        if not _is_number(weight) or not 1 <= weight <= 1_000_000:
            self._fault(f"{path}.weight", "must be a whole number from 1 to 1000000")
            weight = 1
        backend = self._backend_name(value.get("backend"), f"{path}.backend")
        return Member(backend or path, self._flag(value, "live", path, default=True), weight)

    # ------------------------------------------------------------------ members

    def _backend_name(self, value: object, path: str) -> str | None:
        """`<slug of an integration>/<id of a backend>`, or the slug alone where there is one backend."""
        if isinstance(value, str) and _BACKEND.fullmatch(value) and not _has_pan(value):
            return value
        self._fault(path, "is required" if value is None else "must be the slug of an integration, or slug/backend")
        return None

    def _one_of(
        self, value: Mapping[str, Any], name: str, path: str, allowed: Sequence[str], default: str | None = None
    ) -> str | None:
        given = value.get(name)
        if given is None and default is not None:
            return default
        if isinstance(given, str) and given in allowed:
            return given
        self._fault(f"{path}.{name}", "is required" if given is None else f"must be one of {', '.join(allowed)}")
        return None

    def _flag(self, value: Mapping[str, Any], name: str, path: str, *, default: bool) -> bool:
        given = value.get(name)
        if given is None:
            return default
        if not isinstance(given, bool):
            self._fault(f"{path}.{name}", "must be true or false")
        return bool(given)

    def _text(self, value: Mapping[str, Any], name: str, path: str, longest: int) -> str | None:
        given = value.get(name)
        problem = None if given is None else text_problem(given, longest)
        if problem is not None:
            self._fault(f"{path}.{name}", problem)
            return None
        return given

    def _fault(self, path: str, message: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(path, message))


def text_problem(value: object, longest: int) -> str | None:
    """What is wrong with a text of the ruleset's author."""
    if not isinstance(value, str):
        return "must be a string"
    if not value or value.isspace():
        return "must not be empty"
    if len(value) > longest:
        return f"must have at most {longest} characters"
    if _CONTROL.search(value):
        return "must not contain control characters"
    return "must not hold a card number" if _has_pan(value) else None


def _has_pan(text: str) -> bool:
    return next(luhn.spans(text), None) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# ------------------------------------------------------------------ storage


def pack(rules: Sequence[Rule]) -> bytes:
    """The rules as they are stored: compressed JSON, since a thousand rules are a third of a megabyte of text."""
    return zlib.compress(json.dumps([rule.view() for rule in rules], separators=(",", ":")).encode(), 6)


def unpack(packed: bytes) -> tuple[Rule, ...]:
    """The rules as they were packed; what was stored had been read before, so that it has no faults."""
    return RulesReader(connect=True).read(json.loads(zlib.decompress(packed)))
