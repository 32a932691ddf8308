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
    """All objects of a resource that has `data`, by id in ascending order."""
    rows = documents.decode((_FOLDER / f"{resource.data}.json").read_text("utf-8"))
    return {row["id"]: Entity(resource, "G", row["id"], 0, row) for row in sorted(rows, key=lambda row: int(row["id"]))}
