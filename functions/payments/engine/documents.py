"""JSON of the family: integers and decimals exact in both directions, never through a binary fraction.

The standard encoder knows no `Decimal`; texts without one take its fast way, others are written here.
"""

from __future__ import annotations

import json
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

_PLAIN: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_DECODER: Final = json.JSONDecoder(parse_float=Decimal)


def encode(value: Any) -> str:
    """A JSON value as compact text; members in the order they have.

    Raises:
        TypeError: a value that is no JSON.
    """
    try:
        return _PLAIN.encode(value)
    except TypeError:
        return _exact(value)


def decode(text: str) -> Any:
    """The value of a text that we wrote; fractions as `Decimal`."""
    return _DECODER.decode(text)


def _exact(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{encode_basestring(name)}:{_exact(each)}" for name, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([_exact(each) for each in value]) + "]"
    if isinstance(value, Decimal):
        return plain(value)
    return _PLAIN.encode(value)


def plain(number: Decimal) -> str:
    """A decimal in plain notation with all its digits: `100`, `10.00`, `-0.005`."""
    if not number.is_finite():
        raise TypeError("not a number of JSON")
    return format(number, "f")
