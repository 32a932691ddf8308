"""What can go wrong with objects of the engine, beyond a body (`faults`) and a query (`grammar`).

`StateInvalid` (422) is what an operation says to an object in the wrong state.
"""

from __future__ import annotations

from tollgate.dialects.payments import BadParameters, OffsetTooLarge, StateInvalid
from tollgate.errors import Conflict, Fault, Invalid, NotFound, TooLarge

__all__ = [
    "AlreadyThere", "BadParameters", "ExternalIdReused", "ObjectNotFound", "OffsetTooLarge", "QueryTooBroad",
    "StateInvalid", "TooManyOperations", "ValueTaken", "VersionConflict",
]  # fmt: skip


class ObjectNotFound(NotFound):
    """No object of this kind and scope has the id; one of another space is not told apart."""

    default_message = "The object was not found"


class VersionConflict(Conflict):
    """The version sent is not the object's present one, or none was sent (409)."""

    default_message = "The version is not the present one: read the object again and repeat the change"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, code="version_conflict")


class ExternalIdReused(Conflict):
    """The unique value was used before with other content (409)."""

    default_message = "The external id was used before with other content"

    def __init__(self) -> None:
        super().__init__(code="external_id_reused")


class ValueTaken(Invalid):
    """Another object of the scope has this value of a unique property (422)."""

    def __init__(self, field: str) -> None:
        super().__init__([Fault(field, "is taken by another object")], code="value_taken")


class QueryTooBroad(BadParameters):
    """The search would examine more objects than it may (400)."""

    def __init__(self, message: str) -> None:
        super().__init__([Fault("query", message)], code="query_too_broad")


class TooManyOperations(TooLarge):
    """A bulk request holds more operations than one may (413)."""

    def __init__(self, most: int) -> None:
        super().__init__(f"A bulk request takes at most {most} operations", code="too_many_operations")


class AlreadyThere(Exception):
    """An object with this external id and the same content exists; `id` is its."""

    def __init__(self, object_id: int) -> None:
        super().__init__("already there")
        self.id = object_id
