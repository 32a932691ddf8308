"""The parameter `expand`, and objects as they are answered: collapsed links, hidden properties, whole linked objects.

Names are separated by commas or given in repeated parameters; `a.b` expands `a` and within it `b`, to four levels. What
an object links to is loaded level by level, a hundred objects a round trip, whatever their kinds. A link to what is not
there (any more) or may not be read stays `{"id": n}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from payments.engine import catalogue
from payments.engine.declarations import Resource, fields_within, inner_type
from payments.engine.errors import BadParameters
from payments.engine.fields import Field, Link
from payments.engine.linked import Links
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects

MOST_DEPTH: Final = 4
MOST_NAMES: Final = 100

Tree = Mapping[str, "Tree"]
NOTHING: Final[Tree] = {}


def parse(texts: Sequence[str], resource: Resource) -> Tree:
    """What to expand, as a tree of names. Empty parameters ask for nothing.

    Raises:
        BadParameters: at `expand`, counting the names from 1.
    """
    tree: dict[str, Any] = {}
    names = [name for text in texts if text for name in text.split(",")]
    if len(names) > MOST_NAMES:
        raise BadParameters.at("expand", f"takes at most {MOST_NAMES} names")
    for n, name in enumerate(names, 1):
        try:
            _add(tree, name.strip(" ").split("."), resource.by_name)
        except ValueError as error:
            raise BadParameters.at("expand", f"name {n}: {error}") from None
    return tree


def _add(tree: dict[str, Any], segments: list[str], fields: Mapping[str, Field]) -> None:
    if len(segments) > MOST_DEPTH:
        raise ValueError(f"has more than {MOST_DEPTH} levels")
    for n, segment in enumerate(segments):
        field = fields.get(segment)
        inside = fields_within(field.type) if field else ()
        goes_on = n + 1 < len(segments)
        if field is None or not (field.can_expand or (inside and goes_on)):
            raise ValueError(f"segment {n + 1} is no property that can be expanded")
        tree = tree.setdefault(segment, {})
        inner = inner_type(field.type)
        if isinstance(inner, Link):
            target = catalogue.find(inner.target)
            if target is None or target.parent is not None:
                raise ValueError(f"segment {n + 1} is no property that can be expanded")
            fields = target.by_name
        else:
            fields = {each.name: each for each in inside}


@dataclass(frozen=True, slots=True)
class _Gap:
    """A link in an answer that waits for its object: `holder[slot]` is to become it."""

    holder: Any
    slot: Any
    target: Resource
    object_id: int
    tree: Tree


class Expander:
    """Makes answers of objects, for one request."""

    def __init__(self, objects: Objects, context: Context) -> None:
        self._context = context
        self._links = Links(objects, context.place)

    def answers(self, entities: Sequence[Entity], tree: Tree) -> list[dict[str, Any]]:
        """The objects as answered, expanded; in at most one batch of reads per level and hundred objects."""
        gaps: list[_Gap] = []
        made = [self._visible(entity, tree, gaps) for entity in entities]
        while gaps:
            self._links.load(self._links.wanted(gap.target, gap.object_id) for gap in gaps)
            deeper: list[_Gap] = []
            for gap in gaps:
                linked = self._links.loaded.get((gap.target.kind, gap.object_id))
                if linked is not None:
                    gap.holder[gap.slot] = self._visible(linked, gap.tree, deeper)
            gaps = deeper
        return made

    def answer(self, entity: Entity, tree: Tree = NOTHING) -> dict[str, Any]:
        """One object as answered."""
        return self.answers([entity], tree)[0]

    def _visible(self, entity: Entity, tree: Tree, gaps: list[_Gap]) -> dict[str, Any]:
        resource = entity.resource
        left_out = (resource.hidden - tree.keys()) | resource.secret
        made = {name: value for name, value in entity.values.items() if name not in left_out}
        if tree:
            self._open(made, tree, resource.by_name, gaps)
        return made

    def _open(self, made: dict[str, Any], tree: Tree, fields: Mapping[str, Field], gaps: list[_Gap]) -> None:
        """Note the links of an answer that are to be filled; copies what it changes."""
        for name, subtree in tree.items():
            value = made.get(name)
            if value is None:
                continue
            field = fields[name]
            inner = inner_type(field.type)
            if isinstance(inner, Link):
                target = catalogue.find(inner.target)
                if target is not None and self._context.can(target.permission_to("read")):
                    made[name] = list(value) if isinstance(value, list) else value
                    gaps += _gaps(made, name, target, subtree)
            elif subtree:
                inside = {each.name: each for each in fields_within(field.type)}
                made[name] = [dict(each) for each in value] if isinstance(value, list) else dict(value)
                for each in made[name] if isinstance(value, list) else [made[name]]:
                    self._open(each, subtree, inside, gaps)


def _gaps(made: dict[str, Any], name: str, target: Resource, tree: Tree) -> Iterator[_Gap]:
    value = made[name]
    if isinstance(value, list):
        yield from (_Gap(value, n, target, each["id"], tree) for n, each in enumerate(value))
    else:
        yield _Gap(made, name, target, value["id"], tree)


Reader = Callable[[Resource], bool]


def reader_of(context: Context) -> Reader:
    """Whether the caller may read objects of a resource."""
    return lambda resource: context.can(resource.permission_to("read"))
