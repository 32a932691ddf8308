"""Cases of dunning: begun for an invoice, led through the levels of a flow by the clock, ended by what becomes of the
invoice.

A space without a flow of its own gets the usual one with its first case. The clock looks at a case at least daily, so
that a paid invoice ends it within a day; a suspended case is looked at too and goes on when its time is over. What no
level came to anything with has failed and is handed to debt collection where the space has a collector.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from payments.debt_collection.public import DebtCollection
from payments.dunning.repository import DunningRepository
from payments.engine.errors import ObjectNotFound, StateInvalid, VersionConflict
from payments.engine.fields import stamp
from payments.engine.models import Context, Entity, Values
from payments.engine.repository import Objects
from payments.resources.dunning import DUNNING_CASE, DUNNING_FLOW, DUNNING_FLOW_LEVEL
from payments.resources.transactions import TRANSACTION_INVOICE
from payments.units import UnitOfWork, repeated
from payments.work import Work
from tollgate import clock
from tollgate.errors import Invalid

QUEUE: Final = "dunning"
_KIND: Final = "case"
_MOST_PER_SHARD: Final = 50
_UNPAID: Final = ("OPEN", "OVERDUE")
_ENDS: Final = {
    "PAID": ("SUCCEEDED", "succeededOn"),
    "DERECOGNIZED": ("DERECOGNIZED", "derecognizedOn"),
    "CANCELED": ("CANCELED", "canceledOn"),
    "NOT_APPLICABLE": ("CANCELED", "canceledOn"),
}
"""What an invoice's state makes of its case, and the moment that is noted."""

_FLOW_TYPE: Final = 1485800000001
_LEVELS: Final = (
    ("First reminder", "Payment reminder", "Our invoice has not been paid yet."),
    ("Second reminder", "Second payment reminder", "Our invoice is still not paid, in spite of our reminder."),
    ("Last reminder", "Last payment reminder", "We ask you for the last time to pay our invoice."),
)
"""The levels of the usual flow: name, title, text."""

LEVEL_DAYS: Final = 10
_ACTIVE: Final = "ACTIVE"


class Dunning:
    """Cases of spaces, for those who ask and for the clock."""

    def __init__(self, objects: Objects, repository: DunningRepository, collection: DebtCollection) -> None:
        self._objects = objects
        self._repository = repository
        self._collection = collection

    def start(self, context: Context, invoice_id: int) -> Entity:
        """Begin to remind of an invoice.

        Raises:
            ObjectNotFound, StateInvalid: there is no such invoice, or nothing to be paid of it.
            ValueTaken: it has a case.
        """
        return repeated(lambda: self._start(context, invoice_id))

    def suspend(self, context: Context, number: int, until: datetime | None) -> None:
        """Leave a case in peace, until a moment or until the invoice is settled.

        Raises:
            ObjectNotFound, StateInvalid: there is none, or it does not run.
            Invalid: the moment has passed.
        """
        if until is not None and until <= clock.now():
            raise Invalid.at("plannedEndDate", "must be in the future")

        def attempt() -> None:
            case = self._objects.read(DUNNING_CASE, f"S{context.place.space_id}", number)
            if case.state != "RUNNING":
                raise StateInvalid
            unit = UnitOfWork(self._objects, context.tenant, case.scope)
            ends = int(until.timestamp()) if until else None
            self._come_back(unit, case, {}, {"suspended_until": ends}, ends, "SUSPENDED")
            unit.commit()

        repeated(attempt)

    # ------------------------------------------------------------------ for the clock

    def due(self) -> Iterator[Callable[[], int]]:
        """What is due now, each as what carries it on and answers 1 if that changed something."""
        for row in self._repository.due(QUEUE, _MOST_PER_SHARD):
            yield partial(self._carry_on, row)

    def count_due(self) -> int:
        return sum(1 for _ in self._repository.due(QUEUE, _MOST_PER_SHARD))

    def _carry_on(self, row: Work) -> int:
        try:
            case = self._objects.read(DUNNING_CASE, row.scope, row.object_id)
            if case.attributes.get("due") != row.due:
                raise StateInvalid
            with contextlib.suppress(VersionConflict):
                unit = UnitOfWork(self._objects, row.tenant, row.scope)
                self._next(unit, case)
                unit.commit()
                return 1
        except (ObjectNotFound, StateInvalid):
            self._repository.forget(row)
        return 0

    def _next(self, unit: UnitOfWork, case: Entity) -> None:
        """What has become of a case by now."""
        invoice = self._objects.read(TRANSACTION_INVOICE, case.scope, case.link("initialInvoice") or 0)
        now = clock.epoch()
        if invoice.state in _ENDS:
            state, moment = _ENDS[invoice.state]
            self._end(unit, case, state, moment)
        elif case.state == "SUSPENDED":
            ends = case.attributes.get("suspended_until")
            if ends is None or ends > now:
                self._come_back(unit, case, {}, {}, ends, "SUSPENDED")
            else:
                self._enter(unit, case, case.attributes["level"], "RUNNING")
        elif case.attributes["level_ends"] > now:
            self._come_back(unit, case, {}, {}, case.attributes["level_ends"], "RUNNING")
        else:
            self._enter(unit, case, case.attributes["level"] + 1, "RUNNING")

    def _enter(self, unit: UnitOfWork, case: Entity, level: int, state: str) -> None:
        """Begin a level; behind the last one the case has failed."""
        levels = self._levels(case)
        if level >= len(levels):
            self._end(unit, case, "FAILED", "failedOn")
            invoice = self._objects.read(TRANSACTION_INVOICE, case.scope, case.link("initialInvoice") or 0)
            self._collection.hand_over(unit, case, invoice)
            return
        ends = _level_ends(levels[level])
        self._come_back(unit, case, {}, {"level": level, "level_ends": ends, "suspended_until": None}, ends, state)

    def _come_back(
        self, unit: UnitOfWork, case: Entity, values: Values, attributes: dict[str, Any], ends: int | None, state: str
    ) -> None:
        tomorrow = clock.epoch() + 86_400
        due = min(ends, tomorrow) if ends is not None else tomorrow
        if due != case.attributes["due"]:
            unit.no_longer(QUEUE, _KIND, case.attributes["due"], case.id)
            unit.later(QUEUE, _KIND, due, case.id)
        unit.replace(case, {**values, "state": state}, {**attributes, "due": due})

    def _end(self, unit: UnitOfWork, case: Entity, state: str, moment: str) -> None:
        unit.no_longer(QUEUE, _KIND, case.attributes["due"], case.id)
        unit.replace(case, {"state": state, moment: stamp(clock.now())}, {"due": None})

    # ------------------------------------------------------------------ beginning

    def _start(self, context: Context, invoice_id: int) -> Entity:
        unit = UnitOfWork(self._objects, context.tenant, f"S{context.place.space_id}")
        invoice = self._objects.read(TRANSACTION_INVOICE, unit.scope, invoice_id)
        if invoice.state not in _UNPAID:
            raise StateInvalid("The invoice is not open")
        flow = self._repository.first_flow(unit.scope)
        days = LEVEL_DAYS
        if flow is None:
            flow = self._add_flow(unit)
        else:
            levels = self._repository.levels(unit.scope, flow.id)
            if not levels:
                raise StateInvalid("The dunning flow has no levels")
            days = _days(levels[0])
        ends = clock.epoch() + days * 86_400
        due = min(ends, clock.epoch() + 86_400)
        case = unit.insert(
            DUNNING_CASE,
            {
                "flow": {"id": flow.id}, "initialInvoice": {"id": invoice.id}, "state": "RUNNING",
                "linkedTransaction": invoice.values.get("linkedTransaction"),
            },
            {"level": 0, "level_ends": ends, "due": due},
        )  # fmt: skip
        unit.later(QUEUE, _KIND, due, case.id)
        unit.commit()
        return case

    def _add_flow(self, unit: UnitOfWork) -> Entity:
        flow = unit.insert(
            DUNNING_FLOW, {"name": "Reminders", "state": _ACTIVE, "priority": 0, "type": {"id": _FLOW_TYPE}}
        )
        for priority, (name, title, text) in enumerate(_LEVELS):
            values = {
                "name": name, "title": {"en-US": title}, "documentText": {"en-US": text}, "flow": {"id": flow.id},
                "period": f"P{LEVEL_DAYS}D", "priority": priority, "state": _ACTIVE,
            }  # fmt: skip
            unit.insert(DUNNING_FLOW_LEVEL, values)
        return flow

    def _levels(self, case: Entity) -> list[Entity]:
        return self._repository.levels(case.scope, case.link("flow") or 0)


def _level_ends(level: Entity) -> int:
    return int((clock.now() + timedelta(days=_days(level))).astimezone(UTC).timestamp())


def _days(level: Entity) -> int:
    """The days of a period `P<n>D`."""
    return int(str(level.values["period"]).strip("PD"))
