"""What a person has to decide (fact file 2.16, "Documents and manual tasks"). Tasks arise by themselves."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import CREATED_ON, ID, PURGE_DATE, SPACE_ID, Resource
from payments.engine.fields import LOCALIZED, Embedded, Field, Long, Many, Moment, OneOf, Shape

_ACTION: Final = Shape(
    "ManualTaskAction",
    (
        ID,
        Field("label", LOCALIZED),
        Field("style", OneOf.of("DEFAULT PRIMARY DANGER")),
        Field("taskType", Long(1)),
    ),
)

MANUAL_TASK: Final = Resource(
    name="ManualTask",
    path="/manual-tasks",
    tag="ManualTasks",
    fields=(
        ID, CREATED_ON, SPACE_ID, PURGE_DATE,
        Field("actions", Many(Embedded(_ACTION), most=10)),
        Field("contextEntityId", Long(1)),
        Field("expiresOn", Moment()),
        Field("state", OneOf.of("OPEN DONE EXPIRED")),
        Field("type", Long(1)),
    ),
    indexed=("contextEntityId", "type", "state"),
)  # fmt: skip

catalogue.declare(MANUAL_TASK)
