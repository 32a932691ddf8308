"""What the clock does: ends periods and suspensions, takes charges further, lets products retire.

Each row of work is judged by its object as it is now; a row too many changes nothing. What failed does not keep the
rest, and comes again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from payments.engine.errors import ObjectNotFound, StateInvalid
from payments.engine.repository import Objects
from payments.resources.subscriptions import CHARGE as CHARGE_RESOURCE
from payments.resources.subscriptions import SUSPENSION as SUSPENSION_RESOURCE
from payments.subscriptions.models import (
    CHARGE,
    PERIOD,
    RETIREMENT,
    RUNNING,
    SUSPENSION,
    VERSION_RETIREMENT,
    Actor,
)
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.service.charging import Charging
from payments.subscriptions.service.lifecycle import Lifecycle
from payments.subscriptions.service.periods import Periods
from payments.subscriptions.service.retiring import DONE, LOOK_AGAIN_SECONDS, Retiring
from payments.units import repeated
from payments.work import Work
from tollgate import clock

MOST_PER_SHARD: Final = 50
_FIRST_WAIT_SECONDS: Final = 60
_LONGEST_WAIT_SECONDS: Final = 3600


class Schedule:
    """Does what is due."""

    def __init__(
        self, objects: Objects, periods: Periods, charging: Charging, lifecycle: Lifecycle, retiring: Retiring
    ) -> None:
        self._objects = objects
        self._records = SubscriptionRecords(objects)
        self._periods = periods
        self._charging = charging
        self._lifecycle = lifecycle
        self._retiring = retiring

    def due(self) -> Iterator[Callable[[], int]]:
        """What is due now, each as what does it and answers 1 if that changed something."""
        for row in self._records.due(MOST_PER_SHARD):
            yield partial(self.carry_out, row)

    def count_due(self) -> int:
        return self._records.count_due(MOST_PER_SHARD)

    def carry_out(self, row: Work) -> int:
        """One piece of work."""
        actor = Actor(row.tenant, row.scope)
        with contextlib.suppress(ObjectNotFound, StateInvalid):
            return int(_STEPS[row.kind](self, actor, row))
        self._records.forget(row)
        return 0

    def _period(self, actor: Actor, row: Work) -> bool:
        for charge in repeated(lambda: self._turn(actor, row)):
            self._charging.advance(actor, charge)
        return True

    def _turn(self, actor: Actor, row: Work) -> list[int]:
        running = self._periods.load(actor, row.object_id)
        if running.subscription.state not in RUNNING or running.subscription.attributes.get("due") != row.due:
            raise StateInvalid
        return self._lifecycle.turn_due(actor, running)

    def _charge(self, actor: Actor, row: Work) -> bool:
        before = self._objects.read(CHARGE_RESOURCE, actor.scope, row.object_id)
        after = self._charging.advance(actor, row.object_id)
        has_moved = after.version != before.version and int(after.attributes["due"]) != row.due
        if self._charging.is_finished(after) or has_moved:
            self._records.forget(row)
        else:
            self._records.put_off(row, clock.epoch() + _wait(after.attributes["due"]))
        return after.version != before.version

    def _suspension(self, actor: Actor, row: Work) -> bool:
        suspension = self._objects.read(SUSPENSION_RESOURCE, actor.scope, row.object_id)
        if suspension.state != "RUNNING":
            raise StateInvalid
        subscription = suspension.link("subscription") or 0
        if suspension.values.get("endAction") == "TERMINATE":
            self._lifecycle.terminate(actor, subscription, respect=False)
        else:
            self._lifecycle.reactivate(actor, subscription)
        return True

    def _retirement(self, actor: Actor, row: Work) -> bool:
        progress = self._retiring.go_on(actor, row.kind, row.object_id)
        if progress == DONE:
            self._records.forget(row)
        else:
            self._records.put_off(row, clock.epoch() + LOOK_AGAIN_SECONDS[progress])
        return True


def _wait(since: int) -> int:
    """How long until a charge is looked at again: longer the longer it waits already."""
    return min(max(_FIRST_WAIT_SECONDS, (clock.epoch() - int(since)) // 2), _LONGEST_WAIT_SECONDS)


_STEPS: Final = {
    PERIOD: Schedule._period,
    CHARGE: Schedule._charge,
    SUSPENSION: Schedule._suspension,
    RETIREMENT: Schedule._retirement,
    VERSION_RETIREMENT: Schedule._retirement,
}
