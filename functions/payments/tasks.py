"""Manual tasks: what a person has to decide, opened and closed in the writes that make them necessary and needless.

Whoever opens one keeps its number beside the object that it is about, and closes it with the decision, however that was
made. Numbers of types are those of reference data; those of actions are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from payments.engine.fields import stamp
from payments.engine.models import Entity
from payments.resources.manual_tasks import MANUAL_TASK
from payments.units import UnitOfWork
from tollgate import clock

QUEUE: Final = "manual-tasks"
KIND: Final = "expiry"
_DAYS: Final = 14

REFUND_APPROVAL: Final = 1487165678001
DELIVERY_DECISION: Final = 1487165678002
UNKNOWN_OUTCOME: Final = 1487165678003


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


def open_task(unit: UnitOfWork, kind: int, about: int) -> Entity:
    """A task for somebody of the space; its time is over after two weeks."""
    expires = clock.now() + timedelta(days=_DAYS)
    due = int(expires.timestamp())
    actions = [
        {"id": each.id, "label": {"en-US": each.label}, "style": each.style, "taskType": kind} for each in CHOICES[kind]
    ]
    values = {"actions": actions, "contextEntityId": about, "expiresOn": stamp(expires), "state": "OPEN", "type": kind}
    task = unit.insert(MANUAL_TASK, values, {"due": due})
    unit.later(QUEUE, KIND, due, task.id)
    return task


def close_task(unit: UnitOfWork, number: int | None, state: str = "DONE") -> bool:
    """End a task that is open; none, or one that has ended, stays as it is. Answers whether there was one to end."""
    task = unit.objects.find(MANUAL_TASK, unit.scope, number) if number else None
    if task is None or task.state != "OPEN":
        return False
    unit.no_longer(QUEUE, KIND, task.attributes["due"], task.id)
    unit.replace(task, {}, states=(state,))
    return True
