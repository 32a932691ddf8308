"""Query parameters as declarations: one reads and checks them, and documents them.

Unknown parameters are ignored; a known one given twice is refused, because two readers could pick different ones. An
empty value is a fault like any other, never "absent".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

from tollgate.errors import Fault, Invalid
from tollgate.http.message import query_pairs

_NUMBER = re.compile(r"[0-9]{1,9}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True)
class Parameter:
    """One query parameter. `read` turns the text into a value or raises ValueError with a message that quotes
    nothing."""

    name: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    description: str
    default: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the OpenAPI parameter object, such as `explode`."""


def read(raw_query: str, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The values of all declared parameters.

    Raises:
        Invalid: with `query.<name>` for every parameter at fault.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {parameter.name: parameter.default for parameter in parameters}
    seen: set[str] = set()
    faults: list[Fault] = []
    for name, text in query_pairs(raw_query):
        if name not in known:
            continue
        try:
            if name in seen:
                raise ValueError("must be given once")
            values[name] = known[name].read(text)
        except ValueError as error:
            faults.append(Fault(f"query.{name}", str(error)))
        seen.add(name)
    if faults:
        raise Invalid(faults)
    return values


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Digits alone, within bounds."""

    def read_number(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read_number


def plain_text(longest: int) -> Callable[[str], str]:
    def read_text(text: str) -> str:
        if not text.strip():
            raise ValueError("must not be empty")
        if len(text) > longest:
            raise ValueError(f"must have at most {longest} characters")
        return text

    return read_text


def comma_list(names: Mapping[str, str], what: str) -> Callable[[str], frozenset[str]]:
    """Comma-separated names, matched without regard to case; `names` maps the folded spelling to the value meant."""

    def read_list(text: str) -> frozenset[str]:
        chosen = [names.get(part.strip().casefold()) for part in text.split(",")]
        if not all(chosen):
            raise ValueError(f"must be a comma-separated list of {what}")
        return frozenset(each for each in chosen if each)

    return read_list


def sort_order(fields: Sequence[str]) -> Callable[[str], tuple[str, bool]]:
    """`field`, `field asc` or `field desc` (`+` arrives as a space); answers (field, descending)."""

    def read_sort(text: str) -> tuple[str, bool]:
        name, _, direction = text.strip().replace("+", " ").partition(" ")
        if name not in fields or direction.strip().lower() not in ("", "asc", "desc"):
            raise ValueError(f"must be {' or '.join(fields)}, followed by +asc or +desc")
        return name, direction.strip().lower() == "desc"

    return read_sort


def first_moment(text: str) -> datetime:
    """A date (its first moment in UTC) or an RFC 3339 date-time."""
    return _moment(text, time.min)


def last_moment(text: str) -> datetime:
    """A date (its last microsecond in UTC) or an RFC 3339 date-time."""
    return _moment(text, time.max)


def _moment(text: str, of_day: time) -> datetime:
    try:
        if _DAY.fullmatch(text):
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
            return datetime.combine(day, of_day, UTC)
        # The `+` of an offset arrives as a space from a client that did not encode it.
        repaired = re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", text)
        if _MOMENT.fullmatch(repaired):
            return datetime.fromisoformat(repaired.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a date (YYYY-MM-DD) or an RFC 3339 date-time")


def ordered(values: Mapping[str, Any], low: str, high: str) -> None:
    """Two moments the right way round.

    Raises:
        Invalid: the first is after the second.
    """
    if values[low] is not None and values[high] is not None and values[low] > values[high]:
        raise Invalid.at(f"query.{low}", f"must not be after {high}")
