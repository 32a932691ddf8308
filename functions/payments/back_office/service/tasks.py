"""Manual tasks: opened by whoever needs a decision, decided by a person through one of the task's actions.

A task is opened in the write that makes it necessary. Deciding it is a write of its own. What a decision means for the
object that the task is about is done by `Deciders`, before the task is marked, and can be done again without harm: a
task that was decided is one whose decision was carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from payments.back_office.errors import ObjectNotFound, StateInvalid
from payments.back_office.repository import TaskRepository
from payments.engine import catalogue
from payments.engine.errors import VersionConflict
from payments.engine.fields import moment_of, stamp
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.engine.statics import objects_of
from payments.resources.manual_tasks import MANUAL_TASK
from payments.units import UnitOfWork, repeated
from payments.work import Work
from tollgate import clock

QUEUE: Final = "manual-tasks"
_KIND: Final = "expiry"
_MOST_PER_SHARD: Final = 50
_DAYS: Final = 14

REFUND_APPROVAL: Final = 1487165678001
DELIVERY_DECISION: Final = 1487165678002
UNKNOWN_OUTCOME: Final = 1487165678003
"""Types of tasks, as reference data numbers them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An action: its number, what it is called, whether it means yes."""

    id: int
    label: str
    style: str
    positive: bool


CHOICES: Final[Mapping[int, tuple[Choice, Choice]]] = {
    REFUND_APPROVAL: (
        Choice(1487165679001, "Refund succeeded", "PRIMARY", positive=True),
        Choice(1487165679002, "Refund failed", "DANGER", positive=False),
    ),
    DELIVERY_DECISION: (
        Choice(1487165679003, "Deliver", "PRIMARY", positive=True),
        Choice(1487165679004, "Do not deliver", "DANGER", positive=False),
    ),
    UNKNOWN_OUTCOME: (
        Choice(1487165679005, "It succeeded", "PRIMARY", positive=True),
        Choice(1487165679006, "It failed", "DANGER", positive=False),
    ),
}

Decider = Callable[[Context, int, bool], None]
"""Carries out a decision: on whose behalf, about which object, yes or no. Twice is once."""


class ManualTasks:
    """Tasks of spaces."""

    def __init__(
        self, objects: Objects, repository: TaskRepository, deciders: Mapping[int, Decider] | None = None
    ) -> None:
        self._objects = objects
        self._repository = repository
        self._deciders = deciders or {}

    def open(self, unit: UnitOfWork, kind: int, about: int) -> Entity:
        """A task for somebody of the space, in the write that makes it necessary."""
        expires = clock.now() + timedelta(days=_DAYS)
        due = int(expires.timestamp())
        actions = [
            {"id": each.id, "label": {"en-US": each.label}, "style": each.style, "taskType": kind}
            for each in CHOICES[kind]
        ]
        values = {
            "actions": actions, "contextEntityId": about, "expiresOn": stamp(expires), "state": "OPEN", "type": kind,
        }  # fmt: skip
        task = unit.insert(MANUAL_TASK, values, {"due": due})
        unit.later(QUEUE, _KIND, due, task.id)
        return task

    def act(self, context: Context, number: int, action: int) -> None:
        """Decide a task.

        Raises:
            ObjectNotFound: there is no such task, or it has no such action.
            StateInvalid: it is decided, or its time is over.
        """

        def attempt() -> None:
            task = self._objects.read(MANUAL_TASK, f"S{context.place.space_id}", number)
            kind = int(task.values["type"])
            choice = next((each for each in CHOICES.get(kind, ()) if each.id == action), None)
            if choice is None:
                raise ObjectNotFound
            if task.state != "OPEN" or _is_over(task):
                raise StateInvalid
            decider = self._deciders.get(kind)
            if decider is not None:
                decider(context, int(task.values["contextEntityId"]), choice.positive)
            self._end(context.tenant, task, "DONE")

        repeated(attempt)

    def notification(self, task: Entity) -> str:
        """What somebody is told who has to decide a task."""
        kind = objects_of_type(int(task.values["type"]))
        ends = f" It is open until {task.values['expiresOn']}." if task.state == "OPEN" else ""
        return f"{kind['name']['en-US']} ({task.values['contextEntityId']}): {kind['description']['en-US']}{ends}"

    # ------------------------------------------------------------------ for the clock

    def due(self) -> Iterator[Callable[[], int]]:
        """Tasks whose time is over, each as what ends it and answers 1 if that changed something."""
        for row in self._repository.due(QUEUE, _MOST_PER_SHARD):
            yield partial(self._expire, row)

    def count_due(self) -> int:
        return sum(1 for _ in self._repository.due(QUEUE, _MOST_PER_SHARD))

    def _expire(self, row: Work) -> int:
        task = self._objects.find(MANUAL_TASK, row.scope, row.object_id)
        if task is None or task.state != "OPEN":
            self._repository.forget(row)
            return 0
        try:
            self._end(row.tenant, task, "EXPIRED")
        except VersionConflict:
            return 0
        return 1

    def _end(self, tenant: str, task: Entity, state: str) -> None:
        unit = UnitOfWork(self._objects, tenant, task.scope)
        unit.no_longer(QUEUE, _KIND, task.attributes["due"], task.id)
        unit.replace(task, {}, states=(state,))
        unit.commit()


def objects_of_type(number: int) -> Mapping[str, Mapping[str, str]]:
    """The reference data of a task's type."""
    types = catalogue.find("ManualTaskType")
    if types is None:
        raise LookupError("ManualTaskType is not declared")
    return objects_of(types)[number].values


def _is_over(task: Entity) -> bool:
    expires = moment_of(task.values["expiresOn"])
    return expires is not None and expires <= clock.now()
