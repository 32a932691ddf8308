"""Objects that are the same for all and change with a release: read from files beside the declarations, once.

A file holds a list of objects in answered form, sorted by id. They have no version and no scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from payments.engine import documents
from payments.engine.declarations import Resource
from payments.engine.models import Entity

_FOLDER = Path(__file__).parent.parent / "resources" / "data"


@cache
def objects_of(resource: Resource) -> Mapping[int, Entity]:
    """All objects of a resource that has `data`, by id in ascending order, or by place where they have none."""
    rows = documents.decode((_FOLDER / f"{resource.data}.json").read_text("utf-8"))
    numbered = {_number(row, n): row for n, row in enumerate(rows, 1)}
    return {number: Entity(resource, "G", number, 0, numbered[number]) for number in sorted(numbered)}


def _number(row: Mapping[str, object], place: int) -> int:
    """An object's id; its place in the file where codes name objects instead."""
    own = row.get("id")
    return own if isinstance(own, int) else place
