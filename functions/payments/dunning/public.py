"""The operations of dunning, for the door that serves them, and its duty, for the clock."""

from __future__ import annotations

from typing import Final

from payments.debt_collection.public import DebtCollection
from payments.dunning.repository import DunningRepository
from payments.dunning.service import Dunning
from payments.engine import parameters
from payments.engine.fields import moment_of
from payments.engine.repository import Objects
from payments.engine.routes import Engine, object_id, route
from payments.resources.dunning import DUNNING_CASE, DUNNING_FLOW, DUNNING_FLOW_LEVEL
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter
from tollgate.http.route import Route

__all__ = ["Dunning", "dunning_of", "routes"]

_TAG: Final = "DunningCases"


def _moment(text: str) -> object:
    found = moment_of(text)
    if found is None:
        raise ValueError("must be a date-time of ISO 8601")
    return found


_UNTIL: Final = (
    Parameter(
        "plannedEndDate", _moment, {"type": "string", "format": "date-time"},
        "When to go on; without it, the case is left until the invoice is settled",
    ),
)  # fmt: skip


def dunning_of(objects: Objects) -> Dunning:
    """The use cases over a function's table."""
    return Dunning(objects, DunningRepository(objects), DebtCollection.of(objects))


def routes(engine: Engine) -> tuple[Route, ...]:
    """All operations, on the engine of the function that serves them."""
    dunning = dunning_of(engine.objects)

    def start_dunning_case(request: Request) -> Answer:
        dunning.start(engine.context(request), object_id(request, "invoiceId"))
        return Answer(204)

    def suspend_dunning_case(request: Request) -> Answer:
        context = engine.context(request)
        engine.objects.read(DUNNING_CASE, context.place.scope_of(DUNNING_CASE), object_id(request))
        until = parameters.read(request.raw_query, _UNTIL)["plannedEndDate"]
        dunning.suspend(context, object_id(request), until)
        return Answer(204)

    reading = [
        made
        for each in (DUNNING_FLOW_LEVEL, DUNNING_FLOW, DUNNING_CASE)
        for made in engine.routes_of(engine.service(each))
    ]
    return (
        route(
            "POST", "/payment/dunning-cases/invoice/{invoiceId}", start_dunning_case, "Begin to remind of an invoice",
            permission="dunning.create", tag=_TAG, status=204,
        ),
        route(
            "POST", "/payment/dunning-cases/{id}/suspend", suspend_dunning_case, "Suspend a dunning case",
            permission="dunning.manage", tag=_TAG, status=204, query=_UNTIL,
        ),
        *reading,
    )  # fmt: skip
