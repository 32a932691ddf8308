"""Bodies of operations that no declaration has, read in the order of the family's checks: types, version, rules."""

from __future__ import annotations

from typing import Any

from payments.engine.errors import VersionConflict
from payments.engine.faults import Faults
from payments.engine.fields import Shape, moment_of
from payments.engine.models import Entity
from tollgate import clock
from tollgate.errors import Invalid


def read(shape: Shape, body: Any, entity: Entity | None = None) -> dict[str, Any]:
    """The members of a body, None for those given as null; without a body none. A `version` has to be the entity's.

    Raises:
        BadBody, VersionConflict, Invalid: in this order.
    """
    faults = Faults()
    given = shape.read({} if body is None else body, "", faults)
    faults.raise_types()
    if entity is not None and given.get("version") not in (None, entity.version):
        raise VersionConflict
    faults.raise_rules()
    return given


def require_future(given: dict[str, Any], name: str, path: str = "") -> None:
    """A moment that something is planned for has not passed.

    Raises:
        Invalid: it has.
    """
    planned = moment_of(given[name]) if given.get(name) else None
    if planned is not None and planned <= clock.now():
        raise Invalid.at(f"{path}{name}", "must be in the future")
