"""The tables of analytics: one per declared resource of a space, named like it in lower case, and the reference data.

A column is a property in lower case. A link is the other object's id; moments are UTC; what is not a single value
(addresses, line items, maps, lists) is JSON text. Secret properties are not there. Nothing here reads an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

from payments.engine import catalogue, documents
from payments.engine.declarations import Resource
from payments.engine.fields import Day, DecimalNumber, Field, Flag, Link, Long, Moment, Type
from payments.engine.models import Values

Column = tuple[str, str]
"""(name, type of the engine)."""

_TYPES: Final[tuple[tuple[type[Type], str], ...]] = (
    (Long, "BIGINT"),
    (Link, "BIGINT"),
    (DecimalNumber, "DECIMAL(27,8)"),
    (Flag, "BOOLEAN"),
    (Moment, "TIMESTAMP"),
    (Day, "DATE"),
)
NULL: Final = "\\N"
"""How a cell without a value is written; every other cell is quoted."""


@cache
def tables() -> Mapping[str, Resource]:
    """All tables by name."""
    return {each.name.lower(): each for each in catalogue.every() if _is_table(each)}


def _is_table(resource: Resource) -> bool:
    if resource.data is not None:
        return resource.has("id") and isinstance(resource.by_name["id"].type, Long)
    return resource.scope == "space" and resource.parent is None


def fields_of(resource: Resource, named: frozenset[str] | None) -> tuple[Field, ...]:
    """The properties that are columns; with `named` only those of these names (in lower case)."""
    return tuple(
        each for each in resource.fields if not each.secret and (named is None or each.name.lower() in named)
    )  # fmt: skip


def columns_of(fields: tuple[Field, ...]) -> list[Column]:
    return [(each.name.lower(), _type_of(each.type)) for each in fields]


def _type_of(of: Type) -> str:
    return next((name for kind, name in _TYPES if isinstance(of, kind)), "VARCHAR")


def line(fields: tuple[Field, ...], values: Values) -> str:
    """An object as one line of a table's file."""
    return ",".join(_cells(fields, values)) + "\n"


def _cells(fields: tuple[Field, ...], values: Mapping[str, Any]) -> Iterator[str]:
    for field in fields:
        value = values.get(field.name)
        if value is None:
            yield NULL
        else:
            yield '"' + _text(field.type, value).replace('"', '""').replace("\0", "") + '"'


def _text(of: Type, value: Any) -> str:
    if isinstance(of, Link):
        return str(value["id"])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (dict, list)):
        return documents.encode(value)
    return str(value)
