"""The parameter `order` of a search: `field[:ASC|DESC]`, several separated by spaces.

Nothing stands last in ascending order and first in descending; objects that are equal in all fields stand by id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cmp_to_key
from typing import Any, Final

from payments.engine.declarations import Resource, inner_type
from payments.engine.errors import BadParameters
from payments.engine.models import Entity
from payments.engine.paths import Loaded, Path, UnknownPath, resolve

MOST_FIELDS: Final = 8


@dataclass(frozen=True, slots=True)
class Key:
    """One field of an order."""

    name: str
    path: Path
    descending: bool

    def value(self, entity: Entity, loaded: Loaded) -> Any:
        """What objects are compared by; None where there is nothing."""
        found = self.path.values(entity.values, loaded)
        if not found:
            return None
        kind = inner_type(self.path.type).comparison
        if kind == "number":
            return Decimal(found[0])
        return found[0].casefold() if kind == "text" else found[0]


def parse(text: str, resource: Resource, can_read: Callable[[Resource], bool]) -> tuple[Key, ...]:
    """Raises:
    BadParameters: at `order`.
    """
    fields = text.split()
    if len(fields) > MOST_FIELDS:
        raise BadParameters.at("order", f"takes at most {MOST_FIELDS} fields")
    keys = tuple(_key(field, resource, can_read) for field in fields)
    if len({key.name for key in keys}) < len(keys):
        raise BadParameters.at("order", "names a field twice")
    return keys


def _key(text: str, resource: Resource, can_read: Callable[[Resource], bool]) -> Key:
    name, colon, direction = text.partition(":")
    if (colon and direction not in ("ASC", "DESC")) or not name:
        raise BadParameters.at("order", "must be fields separated by spaces, each followed by nothing, :ASC or :DESC")
    try:
        path = resolve(resource, name, can_read)
    except UnknownPath:
        raise BadParameters.at("order", "names a field that there is none to order by") from None
    if path.many or path.type.comparison == "none":
        raise BadParameters.at("order", "names a field that holds no single value")
    return Key(name, path, direction == "DESC")


def ordered(entities: list[Entity], keys: tuple[Key, ...], loaded: Loaded) -> list[Entity]:
    """The objects in this order."""
    rows = [([key.value(entity, loaded) for key in keys], entity) for entity in entities]

    def compare(one: tuple[list[Any], Entity], other: tuple[list[Any], Entity]) -> int:
        for key, left, right in zip(keys, one[0], other[0], strict=True):
            found = _compare(left, right)
            if found:
                return -found if key.descending else found
        return one[1].id - other[1].id

    return [entity for _, entity in sorted(rows, key=cmp_to_key(compare))]


def _compare(left: Any, right: Any) -> int:
    if left is None or right is None:
        return (left is None) - (right is None)
    return 1 if left > right else -1 if left < right else 0
