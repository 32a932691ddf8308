"""A transaction under a flow: applied, from level to level, cancelled.

Each step is one write under the transaction's version, so of the clock, a buyer who pays and a merchant who cancels one
is first. A level that could reach nobody is recorded as failed and passed over. A level with a token charges it once:
the charge notes itself with the level as it begins. A level with a link waits for the buyer until its time is over; a
charge that is under way then comes first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

from payments import failure_reasons
from payments.charge_flows.errors import NoFlow
from payments.charge_flows.models import CHANNELS, MOST_MESSAGES, TOKEN, Planned
from payments.charge_flows.service import configuring, messages
from payments.engine.errors import ObjectNotFound, StateInvalid
from payments.engine.fields import stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.failure_reasons import FailureReason
from payments.resources.charge_flows import CHARGE_FLOW_LEVEL, CHARGE_FLOW_LEVEL_PAYMENT_LINK
from payments.resources.transactions import TRANSACTION
from payments.transactions.public import Acting, NoToken, NoWay, Transactions, is_under_way, levels
from payments.units import UnitOfWork, repeated
from payments.work import ASK_AFTER_SECONDS, Work
from tollgate import clock, ids

MOST_PER_SHARD: Final = 50
LinkOf = Callable[[int], str]
"""Makes the address that a buyer pays at, good until a moment (seconds since 1970)."""


class Flows:
    """Use cases of flows of transactions."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._objects: Objects = transactions.objects

    # ------------------------------------------------------------------ the merchant

    def apply(self, acting: Acting, number: int, link_of: LinkOf) -> Entity:
        """Put a transaction under the space's first flow, and begin.

        Raises:
            StateInvalid: it does not wait for a payment, or is under a flow already.
            NoFlow: there is none that could reach the buyer.
        """
        repeated(lambda: self._begin(acting, number, link_of))
        self.advance(acting, number)
        return self._objects.read(TRANSACTION, acting.scope, number)

    def cancel(self, acting: Acting, number: int) -> Entity:
        """End a flow without a payment.

        Raises:
            StateInvalid: the transaction is under no flow, or a payment is under way.
        """

        def attempt() -> Entity:
            transaction = self._require(acting, number)
            if is_under_way(transaction):
                raise StateInvalid(message="A payment is under way")
            unit = self._unit(acting)
            after = levels.leave(unit, self._objects, transaction, failure_reasons.CANCELED)
            unit.commit()
            return after

        return repeated(attempt)

    def name_recipient(self, acting: Acting, number: int, kind: int, recipient: str) -> None:
        """Say who gets the messages of a type of level, from the next message on.

        Raises:
            StateInvalid: the transaction is over.
        """

        def attempt() -> None:
            before = self._objects.read(TRANSACTION, acting.scope, number)
            if before.state not in ("PENDING", "CONFIRMED", "PROCESSING"):
                raise StateInvalid
            known = before.attributes.get("flow_recipients") or {}
            unit = self._unit(acting)
            unit.replace(before, {}, {"flow_recipients": {**known, str(kind): recipient}})
            unit.commit()

        repeated(attempt)

    def send_again(self, acting: Acting, level_id: int) -> None:
        """Have the message of a level sent again.

        Raises:
            StateInvalid: the level is over, sends nothing, or has sent as often as it may.
        """

        def attempt() -> None:
            level = self._objects.read(CHARGE_FLOW_LEVEL, acting.scope, level_id)
            kind, sent = int(level.attributes["type"]), int(level.attributes.get("sent", 0))
            if level.state != "PENDING" or kind not in CHANNELS or sent >= MOST_MESSAGES:
                raise StateInvalid
            transaction = self._objects.read(TRANSACTION, acting.scope, level.values["linkedTransaction"])
            unit = self._unit(acting)
            unit.replace(level, {}, {"sent": sent + 1})
            messages.announce(unit, transaction, level, kind, level.attributes["link"])
            unit.commit()

        repeated(attempt)

    # ------------------------------------------------------------------ the clock

    def due(self) -> Iterator[Callable[[], int]]:
        """What is due now, each as what does it and answers 1 if that changed something."""
        for row in self._transactions.repository.due(levels.FLOW_QUEUE, MOST_PER_SHARD):
            yield partial(self.settle, row)

    def settle(self, row: Work) -> int:
        """One transaction whose flow is due."""
        acting = Acting(row.tenant, row.scope)
        try:
            if self._require(acting, row.object_id).attributes["flow_due"] != row.due:
                raise StateInvalid
        except (ObjectNotFound, StateInvalid):
            self._transactions.repository.forget(row)
            return 0
        self.advance(acting, row.object_id)
        return 1

    def advance(self, acting: Acting, number: int) -> None:
        """Go from level to level as far as it goes now."""
        with contextlib.suppress(StateInvalid):
            while repeated(lambda: self._step(acting, number)):
                continue

    # ------------------------------------------------------------------ steps

    def _begin(self, acting: Acting, number: int, link_of: LinkOf) -> None:
        before = self._objects.read(TRANSACTION, acting.scope, number)
        found = configuring.plan(self._objects, acting.scope)
        if found is None or not any(_reaches(before, each) for each in found[1]):
            raise NoFlow
        flow_id, planned = found
        ends = clock.epoch() + sum(each.seconds for each in planned)
        plan = {"id": flow_id, "planned": [each.stored() for each in planned], "link": link_of(ends)}
        unit = self._unit(acting)
        levels.enter(unit, before, acting.user_id, plan, ends)
        unit.commit()

    def _step(self, acting: Acting, number: int) -> bool:
        """One step; whether another one may follow at once.

        Raises:
            StateInvalid: the flow is over.
        """
        transaction, now = self._require(acting, number), clock.epoch()
        if is_under_way(transaction):
            if transaction.attributes["flow_due"] <= now:
                self._look_later(acting, transaction)
            return False
        level = self._level(transaction)
        if level is not None and _is_to_charge(level):
            return self._charge_token(acting, transaction, level)
        if transaction.attributes["flow_due"] > now:
            return False
        return self._open_next(self._unit(acting), transaction, level)

    def _open_next(self, unit: UnitOfWork, transaction: Entity, over: Entity | None) -> bool:
        """Open the next level that reaches somebody, or end the flow; whether it is one that charges at once."""
        flow = transaction.attributes["flow"]
        planned = [Planned.read(each) for each in flow["planned"]]
        now = clock.epoch()
        while planned:
            next_one = planned.pop(0)
            if not _reaches(transaction, next_one):
                self._insert(unit, transaction, next_one, "FAILED", now)
                continue
            until = now + next_one.seconds
            level = self._insert(unit, transaction, next_one, "PENDING", until, flow["link"])
            if over is not None:
                unit.replace(over, {}, states=("FAILED",))
            charges = next_one.type == TOKEN
            due = min(until, now + ASK_AFTER_SECONDS) if charges else until
            kept = {
                "flow": {**flow, "planned": [each.stored() for each in planned]}, "flow_level": level.id,
                "flow_due": due, "flow_failure": None,
            }  # fmt: skip
            unit.replace(transaction, {}, kept)
            levels.come_back(unit, transaction, due)
            unit.commit()
            return charges
        levels.leave(unit, self._objects, transaction, _last_failure(transaction))
        unit.commit()
        return False

    def _insert(
        self, unit: UnitOfWork, transaction: Entity, planned: Planned, state: str, until: int, link: str = ""
    ) -> Entity:
        """A level; one with a link comes with it, and with the message that it is to be sent."""
        number, link_id = ids.new_number(clock.now()), None
        if link and planned.type in CHANNELS:
            values: Values = {"chargeFlowLevel": {"id": number}, "paymentLink": link}
            link_id = unit.insert(CHARGE_FLOW_LEVEL_PAYMENT_LINK, values).id
        level = unit.insert(
            CHARGE_FLOW_LEVEL,
            {
                "state": state, "configuration": {"id": planned.configuration}, "linkedTransaction": transaction.id,
                "transaction": {"id": transaction.id}, "timeoutOn": stamp(datetime.fromtimestamp(until, UTC)),
            },
            {
                "type": planned.type, "charges_token": planned.type == TOKEN, "link": link_id, "sent": 1,
                "until": until,
            },
            number=number,
        )  # fmt: skip
        if link_id is not None:
            messages.announce(unit, transaction, level, planned.type, link_id)
        return level

    def _charge_token(self, acting: Acting, transaction: Entity, level: Entity) -> bool:
        charging = self._transactions.charging
        try:
            intent = charging.intent_of_token(acting, transaction)
        except (NoToken, NoWay):
            return self._pass_over(acting, transaction, level)
        charging.pay(acting, transaction.id, intent)
        return True

    def _pass_over(self, acting: Acting, transaction: Entity, level: Entity) -> bool:
        """The level's token is gone: the next level's turn."""
        now = clock.epoch()
        unit = self._unit(acting)
        unit.replace(level, {}, states=("FAILED",))
        unit.replace(transaction, {}, {"flow_level": None, "flow_due": now})
        levels.come_back(unit, transaction, now)
        unit.commit()
        return True

    def _look_later(self, acting: Acting, transaction: Entity) -> None:
        due = clock.epoch() + ASK_AFTER_SECONDS
        unit = self._unit(acting)
        unit.replace(transaction, {}, {"flow_due": due})
        levels.come_back(unit, transaction, due)
        unit.commit()

    # ------------------------------------------------------------------ parts

    def _require(self, acting: Acting, number: int) -> Entity:
        """A transaction that is under a flow."""
        transaction = self._objects.read(TRANSACTION, acting.scope, number)
        if transaction.state != "PROCESSING" or not levels.is_under_flow(transaction):
            raise StateInvalid
        return transaction

    def _level(self, transaction: Entity) -> Entity | None:
        number = transaction.attributes.get("flow_level")
        return self._objects.read(CHARGE_FLOW_LEVEL, transaction.scope, number) if number else None

    def _unit(self, acting: Acting) -> UnitOfWork:
        return UnitOfWork(self._objects, acting.tenant, acting.scope)


def _reaches(transaction: Entity, planned: Planned) -> bool:
    """Whether a level could come to a payment: a token can be charged; a link can be handed on in other ways than by
    our message, or to a recipient who is named later."""
    return planned.type != TOKEN or transaction.link("token") is not None


def _is_to_charge(level: Entity) -> bool:
    """Whether a level's token was not charged yet and its time is not over."""
    return levels.may_charge_token(level) and int(level.attributes["until"]) > clock.epoch()


def _last_failure(transaction: Entity) -> FailureReason:
    """Why a flow ends: what the last charge failed for, or that nobody paid in time."""
    known = transaction.attributes.get("flow_failure")
    return FailureReason(int(known[0]), str(known[1])) if known else failure_reasons.TIMED_OUT
