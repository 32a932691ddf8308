"""Manual tasks: decided by a person through one of a task's actions, or ended by the clock.

What a decision means for the object that the task is about is a matter of `Deciders`: each makes the decision and
closes the task in one write, as the own operation of the object does. A task of a type without one is closed, and that
is all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

from payments.back_office.errors import ObjectNotFound, StateInvalid
from payments.back_office.repository import TaskRepository
from payments.engine import catalogue
from payments.engine.errors import VersionConflict
from payments.engine.fields import moment_of
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.engine.statics import objects_of
from payments.resources.manual_tasks import MANUAL_TASK
from payments.tasks import CHOICES, QUEUE, close_task
from payments.units import UnitOfWork, repeated
from payments.work import Work
from tollgate import clock

_MOST_PER_SHARD: Final = 50

Decider = Callable[[Context, int, bool], None]
"""Makes a decision and closes the task: on whose behalf, about which object, yes or no.

Raises:
    StateInvalid: it was made in another way.
"""


class ManualTasks:
    """Tasks of spaces."""

    def __init__(
        self, objects: Objects, repository: TaskRepository, deciders: Mapping[int, Decider] | None = None
    ) -> None:
        self._objects = objects
        self._repository = repository
        self._deciders = deciders or {}

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
            if decider is None:
                self._end(context.tenant, task, "DONE")
            else:
                decider(context, int(task.values["contextEntityId"]), choice.positive)

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
        if not close_task(unit, task.id, state):  # somebody else has, this very moment
            raise VersionConflict
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
