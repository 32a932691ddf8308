"""Event filter patterns of event source mappings: does a record match?

The operators of the Lambda developer guide's "filter syntax" for DynamoDB and SQS; an unknown one is an error, never a
silent match.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from local.intrinsics import TemplateError


def matches_any(patterns: Iterable[Mapping[str, Any]], record: Any) -> bool:
    """Whether a record passes: no pattern at all, or one that matches."""
    patterns = list(patterns)
    return not patterns or any(matches(pattern, record) for pattern in patterns)


def matches(pattern: Mapping[str, Any], record: Any) -> bool:
    """Whether every member of the pattern matches the record's."""
    return all(_member(name, wanted, record) for name, wanted in pattern.items())


def _member(name: str, wanted: Any, record: Any) -> bool:
    if name == "$or":
        return any(matches(option, record) for option in wanted)
    is_there = isinstance(record, Mapping) and name in record
    value = record[name] if is_there else None
    if isinstance(wanted, Mapping):
        return matches(wanted, value)
    return any(_rule(rule, value, is_there) for rule in wanted)


def _rule(rule: Any, value: Any, is_there: bool) -> bool:
    if isinstance(rule, Mapping):
        ((operator, argument),) = rule.items()
        if operator == "exists":
            return is_there is bool(argument) and not isinstance(value, Mapping)
        return is_there and any(_operate(operator, argument, one) for one in _values(value))
    return is_there and any(_same(rule, one) for one in _values(value))


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _operate(operator: str, argument: Any, value: Any) -> bool:
    if operator == "numeric":
        return _numeric(argument, value)
    if operator == "anything-but":
        if isinstance(argument, Mapping):
            ((inner, text),) = argument.items()
            return isinstance(value, str) and not _operate(inner, text, value)
        return not any(_same(one, value) for one in _values(argument))
    if not isinstance(value, str):
        return False
    if operator == "prefix":
        return value.startswith(str(argument))
    if operator == "suffix":
        return value.endswith(str(argument))
    if operator == "equals-ignore-case":
        return value.casefold() == str(argument).casefold()
    raise TemplateError(f"the local machine does not know the filter operator {operator}")


def _numeric(argument: list[Any], value: Any) -> bool:
    try:
        number = float(value)  # DynamoDB writes numbers as text
    except (TypeError, ValueError):
        return False
    return all(_compare(argument[i], number, float(argument[i + 1])) for i in range(0, len(argument), 2))


def _compare(operator: str, left: float, right: float) -> bool:
    results = {"=": left == right, "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}
    return results[operator]
