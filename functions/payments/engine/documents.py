"""JSON of the family: integers and decimals exact in both directions, never through a binary fraction.

The standard encoder knows no `Decimal`. It is handed a text in a decimal's place, which begins with a mark that nobody
outside this process can know, and the quotes around it are taken off afterwards: several times faster than writing in
Python what the encoder writes.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from tollgate import ids

_MARK: Final = f"number:{ids.new_secret()}:"
_OPENING: Final = f'"{_MARK}'
_DECODER: Final = json.JSONDecoder(parse_float=Decimal)


def encode(value: Any) -> str:
    """A JSON value as compact text; members in the order they have.

    Raises:
        TypeError: a value that is no JSON.
    """
    text = _ENCODER.encode(value)
    first, *rest = text.split(_OPENING)
    return first + "".join([part.replace('"', "", 1) for part in rest]) if rest else text


def decode(text: str) -> Any:
    """The value of a text that we wrote; fractions as `Decimal`."""
    return _DECODER.decode(text)


def _marked(value: Any) -> str:
    if not isinstance(value, Decimal):
        raise TypeError("not a value of JSON")
    return _MARK + plain(value)


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_marked)


def plain(number: Decimal) -> str:
    """A decimal in plain notation with all its digits: `100`, `10.00`, `-0.005`."""
    if not number.is_finite():
        raise TypeError("not a number of JSON")
    return format(number, "f")
