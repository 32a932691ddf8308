"""Reads a JSON body the one way that no two readers can disagree on (RFC 8259, I-JSON RFC 7493).

Refused beyond bad syntax: member names given twice, `NaN` and `Infinity`, lone surrogates, a byte order mark, nesting
deeper than 32, numbers too long to be meant. Fractions come as `Decimal`, never as `float`. Messages quote nothing of
the body. It knows no models and loads no validation library.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Final, NoReturn

from tollgate.errors import Malformed

MAX_DEPTH: Final = 32
MAX_INTEGER_DIGITS: Final = 30
MAX_NUMBER_CHARACTERS: Final = 64
MAX_DECIMAL_MAGNITUDE: Final = 40

_NOT_JSON: Final = "The body is not valid JSON"
_OUT_OF_RANGE: Final = "The body holds a number that is out of range"
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(body: bytes | str, max_depth: int = MAX_DEPTH) -> object:
    """The value of a JSON text of any type: dict, list, str, int, `Decimal`, bool or None.

    Raises:
        Malformed: at `$`; the message says which rule, in words of ours.
    """
    text = _decoded(body)
    try:
        value: object = _DECODER.decode(text)
    except RecursionError:
        raise Malformed(_too_deep(max_depth)) from None
    except ValueError:
        raise Malformed(_NOT_JSON) from None
    _check_depth(text, value, max_depth)
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


def _decoded(body: bytes | str) -> str:
    try:
        # Encoding text finds the lone surrogates that a transport may have let through.
        text = body.decode("utf-8") if isinstance(body, bytes) else body.encode("utf-8").decode("utf-8")
    except UnicodeError:
        raise Malformed("The body is not valid UTF-8") from None
    if not text or text.isspace():
        raise Malformed("The body is empty")
    return text


def _check_depth(text: str, value: object, most: int) -> None:
    """Nesting cannot exceed the number of brackets, which is quick to count and settles nearly every body."""
    if text.count("[") + text.count("{") <= most:
        return
    level: list[object] = [value]
    for _ in range(most):
        level = [child for each in level if isinstance(each, (dict, list)) for child in _children(each)]
        if not level:
            return
    raise Malformed(_too_deep(most))


def _too_deep(most: int) -> str:
    return f"The body is nested more than {most} levels deep"


def _children(value: dict[str, object] | list[object]) -> list[object]:
    children = value.values() if isinstance(value, dict) else value
    return [child for child in children if isinstance(child, (dict, list))]


def _check_surrogates(value: object) -> None:
    """An escape may make half of a pair, which nothing after us can encode."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("The body holds half of a surrogate pair") from None


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(members)
    if len(made) != len(members):
        raise Malformed("The body gives the same member name twice in an object")
    return made


def _integer(literal: str) -> int:
    if len(literal.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise Malformed(f"The body holds a number of more than {MAX_INTEGER_DIGITS} digits")
    return int(literal)


def _decimal(literal: str) -> Decimal:
    if len(literal) > MAX_NUMBER_CHARACTERS:
        raise Malformed(f"The body holds a number of more than {MAX_NUMBER_CHARACTERS} characters")
    # A short literal such as 1e999999999 would cost gigabytes the moment somebody makes an integer of it.
    try:
        number = Decimal(literal)
    except InvalidOperation:
        raise Malformed(_OUT_OF_RANGE) from None
    if abs(number.adjusted()) > MAX_DECIMAL_MAGNITUDE:
        raise Malformed(_OUT_OF_RANGE)
    return number


def _no_constant(_: str) -> NoReturn:
    raise Malformed("The body holds NaN or Infinity, which JSON does not know")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_decimal, parse_constant=_no_constant
)
