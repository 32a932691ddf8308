"""What is configured: rules of flows and levels, and the plan that a transaction gets of them.

A plan is made when a flow is applied and stays with the transaction, so that nobody's change reaches a payment that is
on its way.
"""

from __future__ import annotations

from itertools import islice

from payments import announcements
from payments.charge_flows.models import LONGEST_PERIOD_SECONDS, MOST_FLOWS, MOST_LEVELS, TYPES, Planned, seconds_of
from payments.engine.models import Entity
from payments.engine.repository import Objects, index_value
from payments.engine.service import Change, Hooks
from payments.resources.charge_flows import CHARGE_FLOW, CHARGE_FLOW_LEVEL_CONFIGURATION
from tollgate.errors import Invalid

_EVERY = (0, 10**16 - 1)


class FlowHooks(Hooks):
    """What holds for flows and for the configurations of their levels."""

    def creating(self, change: Change) -> None:
        change.values.setdefault("state", "ACTIVE")
        change.values.setdefault("priority", 0)
        _announce(change)

    def updating(self, change: Change) -> None:
        if change.before is not None and change.before.state == "DELETED":
            raise Invalid.at("state", "must not be changed any more")
        if change.values.get("state", "") is None:
            raise Invalid.at("state", "must not be cleared")
        _announce(change)

    def deleting(self, change: Change) -> None:
        _announce(change)


class LevelHooks(FlowHooks):
    """What holds for the configurations of levels besides."""

    def creating(self, change: Change) -> None:
        super().creating(change)
        if change.values["type"] not in TYPES:
            raise Invalid.at("type", "must be the number of a type of level")
        _check_period(change)
        flow = str(change.values["flow"]["id"])
        found = change.objects.ids(CHARGE_FLOW_LEVEL_CONFIGURATION, change.scope, ("flow", flow), *_EVERY, False)
        if len(list(islice(found, MOST_LEVELS))) == MOST_LEVELS:
            raise Invalid.at("flow", f"has the {MOST_LEVELS} levels that it may have")

    def updating(self, change: Change) -> None:
        super().updating(change)
        if "period" in change.values:
            _check_period(change)


def plan(objects: Objects, scope: str) -> tuple[int, list[Planned]] | None:
    """The flow of the space that comes first and has active levels, with these in their order."""
    active = objects.ids(CHARGE_FLOW, scope, ("state", index_value("ACTIVE")), *_EVERY, False, MOST_FLOWS)
    flows = objects.find_many((CHARGE_FLOW, scope, number) for number in active)
    for flow in sorted(flows.values(), key=_place):
        levels = _levels(objects, flow)
        if levels:
            return flow.id, levels
    return None


def _levels(objects: Objects, flow: Entity) -> list[Planned]:
    resource, scope = CHARGE_FLOW_LEVEL_CONFIGURATION, flow.scope
    numbers = list(objects.ids(resource, scope, ("flow", str(flow.id)), *_EVERY, False))
    found = objects.find_many((resource, scope, number) for number in numbers)
    active = sorted((each for each in found.values() if each.state == "ACTIVE"), key=_place)
    return [Planned(each.id, int(each.values["type"]), seconds_of(each.values["period"])) for each in active]


def _place(entity: Entity) -> tuple[int, int]:
    return entity.values.get("priority") or 0, entity.id


def _check_period(change: Change) -> None:
    if change.values["period"] is None or not 60 <= seconds_of(change.values["period"]) <= LONGEST_PERIOD_SECONDS:
        raise Invalid.at("period", "must be from a minute to a year")


def _announce(change: Change) -> None:
    shown = Entity(change.resource, change.scope, change.id, 1, {})
    before = change.before.state if change.before else None
    state = str(change.values.get("state") or before)
    announcements.announce(
        change.transaction, change.objects, change.context.tenant, shown, state, transition=state != before
    )
