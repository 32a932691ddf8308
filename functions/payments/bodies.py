"""Bodies of operations that are no plain creation or change of a resource."""

from __future__ import annotations

from typing import Any

from payments.engine.faults import Faults
from payments.engine.fields import Shape


def read_body(shape: Shape, body: Any) -> dict[str, Any]:
    """The members of a body, None for null.

    Raises:
        BadBody: members of the wrong type, or required ones that are missing.
        Invalid: members that break a rule.
    """
    faults = Faults()
    given = shape.read(body, "", faults)
    faults.raise_types()
    faults.raise_rules()
    return given
