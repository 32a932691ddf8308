"""Loads the objects behind links, for searches and for expansion: one batch per level, none twice.

Nothing is said about objects that are not there or may not be read: their links stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from payments.engine.models import Entity, Place
from payments.engine.paths import Loaded, Step
from payments.engine.repository import Objects, Wanted


class Links:
    """What has been loaded of what is linked to, in one request."""

    def __init__(self, objects: Objects, place: Place) -> None:
        self._objects = objects
        self._place = place
        self.loaded: dict[tuple[str, int], Entity] = {}
        self._missing: set[tuple[str, int]] = set()

    def load(self, wanted: Iterable[Wanted]) -> None:
        """Load these in one go, unless they are."""
        asked = {(each[0].kind, each[2]): each for each in wanted}
        new = {each: asked[each] for each in asked if each not in self.loaded and each not in self._missing}
        if new:
            found = self._objects.find_many(new.values())
            self.loaded.update(found)
            self._missing.update(set(new) - set(found))

    def follow(self, entities: list[Entity], hops: Iterable[tuple[Step, ...]]) -> None:
        """Load what the ways lead to, the nearest level first."""
        by_depth: dict[int, set[tuple[Step, ...]]] = {}
        for hop in hops:
            by_depth.setdefault(sum(step.target is not None for step in hop), set()).add(hop)
        for depth in sorted(by_depth):
            self.load(self._ends(entities, by_depth[depth]))

    def wanted(self, target: Any, object_id: int) -> Wanted:
        return target, self._place.scope_of(target), object_id

    def _ends(self, entities: list[Entity], hops: set[tuple[Step, ...]]) -> Iterator[Wanted]:
        for hop in hops:
            for entity in entities:
                for object_id in _ids(entity.values, hop, self.loaded):
                    yield self.wanted(hop[-1].target, object_id)


def _ids(values: Mapping[str, Any], hop: tuple[Step, ...], loaded: Loaded) -> Iterator[int]:
    value = values.get(hop[0].name)
    if value is None:
        return
    for each in value if isinstance(value, list) else [value]:
        if len(hop) == 1:
            yield each["id"]
        elif hop[0].target is not None:
            linked = loaded.get((hop[0].target.kind, each["id"]))
            if linked is not None:
                yield from _ids(linked.values, hop[1:], loaded)
        elif isinstance(each, dict):
            yield from _ids(each, hop[1:], loaded)
