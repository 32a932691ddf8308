"""What a dotted name in a search, an order or a condition means: properties, embedded members, keys and links.

`charge.transaction.state` goes through two links, `billingAddress.city` into an embedded value, `metaData.color` to a
key. Links are followed through declarations; whether the caller may read what lies behind one is asked on the way, or
a search would tell what a read refuses. Secret properties cannot be named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from payments.engine import catalogue
from payments.engine.declarations import Resource, fields_within, inner_type
from payments.engine.fields import Field, Link, Many, MapOf, Type
from payments.engine.models import Entity

MOST_LINKS: Final = 4

Loaded = Mapping[tuple[str, int], Entity]
"""Linked objects by kind and id."""


class UnknownPath(ValueError):
    """The name means nothing here; the message says why, without the name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One member: `target` is set where the way goes on through a link."""

    name: str
    target: Resource | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """The way to values. `type` is that of the last property; `many` says that there can be more than one value."""

    steps: tuple[Step, ...]
    type: Type
    many: bool

    @property
    def field(self) -> str | None:
        """The property's name where it is one of the resource's own."""
        return self.steps[0].name if len(self.steps) == 1 else None

    @property
    def hops(self) -> list[tuple[Step, ...]]:
        """The ways to each link that has to be followed, the nearest first."""
        return [self.steps[: n + 1] for n, step in enumerate(self.steps) if step.target is not None]

    def values(self, values: Mapping[str, Any], loaded: Loaded) -> list[Any]:
        """The values that are there, nulls left out."""
        found = list(_follow(values, self.steps, loaded))
        return [each["id"] if isinstance(each, dict) and "id" in each and self._is_link else each for each in found]

    @property
    def _is_link(self) -> bool:
        return isinstance(inner_type(self.type), Link)


def resolve(resource: Resource, name: str, can_read: Callable[[Resource], bool]) -> Path:
    """Raises:
    UnknownPath: there is no such property, or none that may be asked for.
    """
    fields: Mapping[str, Field] = resource.by_name
    steps: list[Step] = []
    many = False
    segments = name.split(".")
    for n, segment in enumerate(segments):
        field = fields.get(segment)
        if field is None or field.secret:
            raise UnknownPath("there is no property of this name")
        rest = segments[n + 1 :]
        many = many or isinstance(field.type, Many)
        inner = inner_type(field.type)
        if isinstance(inner, Link) and rest not in ([], ["id"]):
            target = _target(inner, can_read)
            steps.append(Step(segment, target))
            fields = target.by_name
            continue
        steps.append(Step(segment))
        if isinstance(inner, MapOf) and rest:
            return _checked([*steps, Step(".".join(rest))], inner.of, many)
        if not rest or isinstance(inner, Link):
            return _checked(steps, field.type, many)
        fields = {each.name: each for each in fields_within(field.type)}
    raise UnknownPath("there is no property of this name")


def _target(link: Link, can_read: Callable[[Resource], bool]) -> Resource:
    target = catalogue.find(link.target)
    if target is None or target.parent is not None or not can_read(target):
        raise UnknownPath("this link cannot be followed")
    return target


def _checked(steps: list[Step], of: Type, many: bool) -> Path:
    if sum(step.target is not None for step in steps) >= MOST_LINKS:
        raise UnknownPath(f"at most {MOST_LINKS} levels can be named")
    return Path(tuple(steps), of, many)


def _follow(values: Mapping[str, Any], steps: tuple[Step, ...], loaded: Loaded) -> Iterator[Any]:
    value = values.get(steps[0].name)
    if value is None:
        return
    for each in value if isinstance(value, list) else [value]:
        if len(steps) == 1:
            yield each
        elif steps[0].target is not None:
            linked = loaded.get((steps[0].target.kind, each["id"]))
            if linked is not None:
                yield from _follow(linked.values, steps[1:], loaded)
        elif isinstance(each, dict):
            yield from _follow(each, steps[1:], loaded)
