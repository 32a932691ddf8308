"""Performing a payment at a terminal: waits for the buyer, and goes on waiting where a request ended.

A claim says which transaction is under way at the terminal and since when; it is what a repeated request finds. What a
terminal reads is a card in the vault; the payment itself is the transactions', which make of requests at once one
payment. A gateway lets no request last longer than half a minute, so a request that waited that long ends with 504 and
the next one resumes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from payments import failure_reasons
from payments.card_entry import CardEntry, Reading
from payments.engine.errors import StateInvalid, VersionConflict
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.terminals import PAYMENT_TERMINAL
from payments.resources.transactions import TRANSACTION
from payments.terminals.errors import StillUnderWay, TerminalBusy
from payments.terminals.repository import Busy, TerminalRecords
from payments.terminals.service.life import ACTIVE
from payments.transactions.public import Acting, CardFacts, Intent, Transactions, is_under_way, steps_to_processing
from payments.units import UnitOfWork, repeated
from tollgate import clock

PAUSE_SECONDS: Final = 1
STALE_SECONDS: Final = 300
"""After this a claim whose transaction is not being paid keeps nobody off the terminal."""

_PAID: Final = frozenset({"AUTHORIZED", "COMPLETED", "FULFILL", "DECLINE", "VOIDED"})


class Performing:
    """Performs payments at terminals. `wait_seconds` is how long one request may take, `monotonic` a clock of
    nanoseconds."""

    def __init__(
        self, transactions: Transactions, records: TerminalRecords, card_entry: CardEntry, wait_seconds: int,
        monotonic: Callable[[], int],
    ) -> None:  # fmt: skip
        self._transactions = transactions
        self._objects: Objects = transactions.objects
        self._records = records
        self._card_entry = card_entry
        self._wait_seconds = wait_seconds
        self._monotonic = monotonic

    def perform(self, acting: Acting, terminal: Entity, transaction_id: int) -> Entity:
        """The transaction, once the buyer has paid, failed to, or gone away.

        Raises:
            ObjectNotFound, StateInvalid: there is no such transaction, or it does not wait for a payment; the terminal
                has no device.
            TerminalBusy: another transaction is under way there.
            StillUnderWay: not yet; the same request goes on waiting.
        """
        deadline = self._monotonic() + self._wait_seconds * 10**9
        transaction = self._transactions.read(acting, transaction_id)
        if transaction.link("terminal") == terminal.id and transaction.state in _PAID:
            return transaction
        if terminal.state != ACTIVE:
            raise StateInvalid(message="The terminal has no device")
        if not is_under_way(transaction):
            steps_to_processing(transaction)
        busy = repeated(lambda: self._claim(acting, terminal, transaction_id))
        while True:
            done = self._step(acting, transaction_id, busy)
            if done is not None:
                self._records.end(terminal, busy)
                return done
            if self._monotonic() >= deadline:
                raise StillUnderWay
            clock.pause(PAUSE_SECONDS)

    # ------------------------------------------------------------------ parts

    def _claim(self, acting: Acting, terminal: Entity, transaction_id: int) -> Busy:
        """The terminal is this transaction's; with it the transaction says so."""
        former = self._records.busy(terminal)
        if former is not None and former.transaction_id == transaction_id:
            return former
        if former is not None and not self._is_over(acting, former):
            raise TerminalBusy
        before = self._transactions.read(acting, transaction_id)
        unit = UnitOfWork(self._objects, acting.tenant, acting.scope)
        if before.link("terminal") != terminal.id:
            unit.replace(before, {"terminal": {"id": terminal.id}, "userInterfaceType": "TERMINAL"})
        made = self._records.begin(unit.transaction, terminal, transaction_id, former)
        try:
            unit.commit()
        except TerminalBusy:
            raise VersionConflict from None  # somebody was first: look again who
        return made

    def _is_over(self, acting: Acting, former: Busy) -> bool:
        """Whether a claim was left behind by a request that never ended it."""
        transaction = self._transactions.read(acting, former.transaction_id)
        if transaction.state in _PAID or transaction.state == "FAILED":
            return True
        return not is_under_way(transaction) and former.since < clock.epoch() - STALE_SECONDS

    def _step(self, acting: Acting, transaction_id: int, busy: Busy) -> Entity | None:
        """The transaction if it has come to an end, after whatever there was to do."""
        transaction = self._transactions.read(acting, transaction_id)
        if is_under_way(transaction):
            return None
        if transaction.state in _PAID or transaction.state == "FAILED":
            return transaction
        amount = int(transaction.attributes["authorised"])
        reading = self._card_entry.read_card(acting.tenant, amount, clock.epoch() - busy.since)
        if reading.card is None and not reading.cancelled:
            return None
        return self._pay(acting, transaction, reading)

    def _pay(self, acting: Acting, transaction: Entity, reading: Reading) -> Entity | None:
        charging = self._transactions.charging
        card = CardFacts.of(reading.card) if reading.card is not None else None
        way = charging.way(acting, transaction, None)
        intent = Intent(way, card, charge_type="TERMINAL", presence="PHYSICAL_PRESENT")
        try:
            attempt = charging.begin(acting, transaction.id, intent)
        except StateInvalid:
            return None  # a request at the same moment was first; its outcome is ours
        if card is None:
            after = charging.fail(acting, attempt, failure_reasons.CANCELED).transaction
        else:
            after = charging.carry_out(acting, attempt, intent).transaction
        return None if is_under_way(after) else after


def of_terminal(objects: Objects, acting: Acting, transaction: Entity) -> Entity | None:
    """The terminal at which a transaction was performed."""
    number = transaction.link("terminal")
    return objects.find(PAYMENT_TERMINAL, acting.scope, number) if number else None


def read_all(objects: Objects, acting: Acting, numbers: list[int]) -> dict[int, Entity]:
    """Transactions by number, those that are there."""
    found = objects.find_many((TRANSACTION, acting.scope, number) for number in numbers)
    return {number: entity for (_, number), entity in found.items()}
