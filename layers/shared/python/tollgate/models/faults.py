"""Turns pydantic's errors into `Fault`s: JSONPath-like paths and plain words, never a value that the caller sent.

pydantic puts the input into its messages and into its error objects; nothing of either leaves this module. Texts are
made here from the kind of error and from the limits that our own models declare.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from tollgate import luhn
from tollgate.errors import Fault

MOST_FAULTS: Final = 50
"""A megabyte of wrong list entries must not come back as several megabytes of faults."""

RULE: Final = "tollgate_rule"

_UNSEEN: Final = object()
_NAME: Final = re.compile(r"[A-Za-z0-9_\-]{1,64}")

_WHOLE_NUMBER: Final = "must be a whole number"
_NUMBER: Final = "must be a number"
_OBJECT: Final = "must be an object"
_LIST: Final = "must be a list"
_BOOLEAN: Final = "must be true or false"
_STRING: Final = "must be a string"

_PLAIN: Final[Mapping[str, str]] = {
    "missing": "is required",
    "string_type": _STRING,
    "string_sub_type": _STRING,
    "string_unicode": "must be valid Unicode",
    "string_pattern_mismatch": "has the wrong format",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "is_instance_of": "is of the wrong type",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "none_required": "must be null",
    "extra_forbidden": "is not a known member",
    "invalid_key": "must be a string",
    "recursion_loop": "is nested too deeply",
    "union_tag_not_found": "is required",
    "bytes_type": _STRING,
}

_WITH_LIMIT: Final[Mapping[str, tuple[str, str]]] = {
    "string_too_long": ("max_length", "must have at most {} characters"),
    "too_short": ("min_length", "must have at least {} entries"),
    "too_long": ("max_length", "must have at most {} entries"),
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "multiple_of": ("multiple_of", "must be a multiple of {}"),
    "decimal_max_digits": ("max_digits", "must have at most {} digits"),
    "decimal_max_places": ("decimal_places", "must have at most {} decimal places"),
    "decimal_whole_digits": ("whole_digits", "must have at most {} digits before the decimal point"),
    "literal_error": ("expected", "must be {}"),
    "enum": ("expected", "must be {}"),
    "union_tag_invalid": ("expected_tags", "must be one of {}"),
}


def broken(message: str) -> PydanticCustomError:
    """What a validator of ours raises; `message` is shown as it is and must not hold the value."""
    return PydanticCustomError(RULE, "{message}", {"message": message})


def faults_of(error: ValidationError, value: object = _UNSEEN, root: str = "$") -> list[Fault]:
    """At most fifty faults, each once.

    Args:
        value: what was validated. With it, the names of union branches that pydantic adds to locations are left out.
        root: `$` for a body, `query`, `header` …
    """
    found: dict[Fault, None] = {}
    for each in error.errors(include_url=False, include_input=False):
        limits = each.get("ctx", {})
        path = _path(root, each["loc"], value, absent=each["type"] == "missing")
        if each["type"].startswith("union_tag"):
            path += "." + str(limits.get("discriminator", "")).strip("'")
        found[Fault(path, _message(each["type"], limits))] = None
        if len(found) == MOST_FAULTS:
            break
    return list(found)


def _message(kind: str, limits: Mapping[str, Any]) -> str:
    if kind == RULE:
        return str(limits["message"])
    if kind == "string_too_short":
        least = limits["min_length"]
        return "must not be empty" if least == 1 else f"must have at least {least} characters"
    if kind in _WITH_LIMIT:
        name, text = _WITH_LIMIT[kind]
        return text.format(limits[name])
    return _PLAIN.get(kind, "is not valid")


def _path(root: str, location: Sequence[int | str], value: object, *, absent: bool) -> str:
    """Where the location leads in the value; `absent` when its last part is the member that is not there."""
    path, current = root, value
    for index, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
            current = _inside(current, part)
        elif _is_member(current, part, absent=absent and index == len(location) - 1):
            path += f".{part}" if _may_be_shown(part) else "[*]"
            current = _inside(current, part)
    return path


def _is_member(current: object, name: str, *, absent: bool) -> bool:
    """False for the name of a union branch: not in the object there, and not what is missing from it either."""
    if current is _UNSEEN:
        return True
    return isinstance(current, dict) and (absent or name in current)


def _inside(current: object, part: int | str) -> object:
    if isinstance(current, dict):
        return current.get(part)
    if isinstance(current, list) and isinstance(part, int) and part < len(current):
        return current[part]
    return _UNSEEN if current is _UNSEEN else None


def _may_be_shown(name: str) -> bool:
    """A name in a map is the caller's own text: shown when it looks like a name and hides no card number."""
    return _NAME.fullmatch(name) is not None and next(luhn.spans(name), None) is None
