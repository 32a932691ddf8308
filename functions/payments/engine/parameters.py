"""The query parameters of the family: paging, search, order, expansion. An empty one counts as not given.

Lists take `after`, `before`, `limit`, `order` (ASC or DESC alone); searches `query`, `order`, `limit`, `offset`; both
`expand`, which may be repeated. What belongs to the other kind is ignored like anything unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

from payments.engine.errors import BadParameters, OffsetTooLarge
from tollgate.errors import Fault
from tollgate.http.message import MAX_QUERY_PARAMETERS
from tollgate.http.query import Parameter

DEFAULT_LIMIT: Final = 10
MOST_LIMIT: Final = 100
MOST_OFFSET: Final = 10_000
_LARGEST_ID: Final = 2**63 - 1
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _direction(text: str) -> bool:
    if text not in ("ASC", "DESC"):
        raise ValueError("must be ASC or DESC")
    return text == "DESC"


LIMIT: Final = Parameter(
    "limit", _number(1, MOST_LIMIT),
    {"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": DEFAULT_LIMIT},
    "The most objects to return", DEFAULT_LIMIT,
)  # fmt: skip
EXPAND: Final = Parameter(
    "expand", str, {"type": "array", "items": {"type": "string"}},
    "Properties to expand, to four levels (`charge.transaction`)", (), {"style": "form", "explode": False},
)  # fmt: skip
_ID_SCHEMA: Final = {"type": "integer", "format": "int64", "minimum": 1}
LIST: Final = (
    Parameter("after", _number(1, _LARGEST_ID), _ID_SCHEMA, "Return objects behind this one in the order applied"),
    Parameter("before", _number(1, _LARGEST_ID), _ID_SCHEMA, "Return objects in front of this one, the nearest ones"),
    EXPAND,
    LIMIT,
    Parameter("order", _direction, {"type": "string", "enum": ["ASC", "DESC"]}, "By creation, oldest first", False),
)
SEARCH: Final = (
    EXPAND,
    LIMIT,
    Parameter(
        "offset", _number(0, _LARGEST_ID), {"type": "integer", "minimum": 0, "maximum": MOST_OFFSET, "default": 0},
        "How many objects to leave out at the beginning", 0,
    ),
    Parameter("order", str, {"type": "string"}, "Fields separated by spaces, each with :ASC or :DESC", ""),
    Parameter("query", str, {"type": "string"}, "The search, such as `state:FULFILL currency:EUR`", ""),
)  # fmt: skip
READ: Final = (EXPAND,)

REPEATABLE: Final = frozenset({"expand", "fields"})
"""Clients send lists as one parameter with commas, or as the same parameter again and again."""


def read(raw_query: str, parameters: Sequence[Parameter], most_offset: int = MOST_OFFSET) -> dict[str, Any]:
    """The values of all declared parameters; those that may be repeated as lists of texts.

    Raises:
        BadParameters: with a line for every parameter at fault.
        OffsetTooLarge: the offset is past the limit (416).
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {parameter.name: parameter.default for parameter in parameters}
    values |= {name: [] for name in REPEATABLE}
    seen: set[str] = set()
    faults: list[Fault] = []
    for name, text in _pairs(raw_query):
        if name not in known or not text:
            continue
        if name in REPEATABLE:
            values[name].append(text)
            continue
        try:
            if name in seen:
                raise ValueError("must be given once")
            values[name] = known[name].read(text)
        except ValueError as error:
            faults.append(Fault(name, str(error)))
        seen.add(name)
    if faults:
        raise BadParameters(faults)
    if (values.get("offset") or 0) > most_offset:
        raise OffsetTooLarge.at("offset", f"must not be greater than {most_offset}")
    return values


def _pairs(raw_query: str) -> list[tuple[str, str]]:
    """Names and values as sent, form-decoded, strictly: `+` is a space and every escape is one of UTF-8."""
    pieces = [piece for piece in raw_query.split("&") if piece]
    if len(pieces) > MAX_QUERY_PARAMETERS:
        raise BadParameters.at("query", f"There are more than {MAX_QUERY_PARAMETERS} query parameters")
    if _BROKEN_ESCAPE.search(raw_query):
        raise BadParameters.at("query", "The query string holds a percent sign that escapes nothing")
    try:
        pairs = (piece.partition("=") for piece in pieces)
        return [(unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")) for name, _, value in pairs]
    except UnicodeDecodeError:
        raise BadParameters.at("query", "The query string is not valid UTF-8") from None
