"""Python values to DynamoDB attribute values and back, without `Decimal` and without float.

Integers become numbers, everything else keeps its own type. A number that is not an integer cannot be written: money is
integers and there is nothing else to count here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Item = dict[str, Any]
Attributes = dict[str, Any]


def to_attribute(value: Any) -> dict[str, Any]:
    """One Python value as an attribute value. Raises TypeError for a type that has no safe form."""
    if isinstance(value, str):
        return {"S": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, (list, tuple)):
        return {"L": [to_attribute(each) for each in value]}
    if isinstance(value, dict):
        return {"M": {key: to_attribute(each) for key, each in value.items()}}
    if isinstance(value, (set, frozenset)) and value and all(isinstance(each, str) for each in value):
        return {"SS": sorted(value)}
    raise TypeError(f"no attribute type for {type(value).__name__}")


def from_attribute(attribute: Mapping[str, Any]) -> Any:
    """One attribute value as a Python value."""
    ((kind, value),) = attribute.items()
    if kind in ("S", "BOOL", "B"):
        return value
    if kind == "N":
        return int(value)
    if kind == "NULL":
        return None
    if kind == "L":
        return [from_attribute(each) for each in value]
    if kind == "M":
        return {key: from_attribute(each) for key, each in value.items()}
    if kind == "SS":
        return set(value)
    raise TypeError(f"attribute type {kind} is never written")


def dump(item: Mapping[str, Any]) -> Attributes:
    """A whole item for DynamoDB; members that are None are left out, which is how an absent value is stored."""
    return {name: to_attribute(value) for name, value in item.items() if value is not None}


def load(attributes: Mapping[str, Any]) -> Item:
    """A whole item from DynamoDB."""
    return {name: from_attribute(value) for name, value in attributes.items()}
