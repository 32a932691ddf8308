"""What lies beside terminals: which device is where, what is under way, what was performed, how far it was added up.

Access patterns (`pk`, `sk`; S = `S<space>#paymentTerminal`):
    the terminal of a device                     `TERMINAL-DEVICE#<serial number>`,  `#`
    the payment under way at a terminal          `S#busy`,                           `<id, 16 digits>`
    payments begun there, oldest first           `S#performed=<id>`,                 `<number, 16 digits>`
    how far they were added up, how often        `S#balanced`,                       `<id, 16 digits>`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from payments.engine.errors import VersionConflict
from payments.engine.models import Entity
from payments.engine.repository import Objects, key, partition
from payments.resources.terminals import PAYMENT_TERMINAL
from payments.terminals.errors import DeviceTaken, TerminalBusy
from tollgate import clock, ids
from tollgate.store.transaction import Transaction

MOST_PER_BALANCE: Final = 500


@dataclass(frozen=True, slots=True)
class Busy:
    """A payment under way: of which transaction, since when (seconds since 1970)."""

    transaction_id: int
    since: int


@dataclass(frozen=True, slots=True)
class Balance:
    """How far a terminal's payments were added up: the last one's number, when, and how many summaries there are."""

    until: int = 0
    count: int = 0
    ended_on: str | None = None


class TerminalRecords:
    """Records of terminals in the family's table."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._table = objects.table

    # ------------------------------------------------------------------ devices

    def take_device(self, transaction: Transaction, terminal: Entity, serial_number: str) -> None:
        """Raises (at commit):
        DeviceTaken: it is linked to a terminal.
        """
        transaction.put(
            self._table,
            {"pk": f"TERMINAL-DEVICE#{serial_number}", "sk": "#", "scope": terminal.scope, "id": terminal.id},
            condition="attribute_not_exists(pk)", refusal=lambda _: DeviceTaken(),
        )  # fmt: skip

    def free_device(self, transaction: Transaction, serial_number: str) -> None:
        transaction.delete(self._table, f"TERMINAL-DEVICE#{serial_number}", "#")

    # ------------------------------------------------------------------ what is under way

    def busy(self, terminal: Entity) -> Busy | None:
        row = self._table.get(*_busy(terminal))
        return Busy(int(row["paying"]), int(row["since"])) if row else None

    def begin(self, transaction: Transaction, terminal: Entity, transaction_id: int, instead_of: Busy | None) -> Busy:
        """A payment is under way from now on, and noted as one to be added up.

        Raises (at commit):
            TerminalBusy: another one is, or was begun since `instead_of` was read.
        """
        made = Busy(transaction_id, clock.epoch())
        pk, sk = _busy(terminal)
        transaction.put(
            self._table, {"pk": pk, "sk": sk, "paying": made.transaction_id, "since": made.since},
            condition="attribute_not_exists(pk)" if instead_of is None else "paying = :former AND since = :since",
            values={":former": instead_of.transaction_id, ":since": instead_of.since} if instead_of else None,
            refusal=lambda _: TerminalBusy(),
        )  # fmt: skip
        transaction.put(
            self._table,
            {"pk": _performed(terminal), "sk": key(ids.new_number(clock.now())), "paying": transaction_id},
        )
        return made

    def hold_idle(self, transaction: Transaction, terminal: Entity) -> None:
        """Raises (at commit):
        TerminalBusy: a payment is under way.
        """
        transaction.check(
            self._table, *_busy(terminal), "attribute_not_exists(pk)", refusal=lambda _: TerminalBusy()
        )  # fmt: skip

    def end(self, terminal: Entity, busy: Busy) -> None:
        """Nothing is under way any more, unless another payment has been begun."""
        transaction = self._objects.begin()
        transaction.delete(
            self._table, *_busy(terminal), condition="paying = :mine AND since = :since",
            values={":mine": busy.transaction_id, ":since": busy.since}, refusal=lambda _: TerminalBusy(),
        )  # fmt: skip
        try:
            transaction.commit()
        except TerminalBusy:
            return

    # ------------------------------------------------------------------ adding up

    def balance(self, terminal: Entity) -> Balance:
        row = self._table.get(*_balanced(terminal))
        return Balance(int(row["reached"]), int(row["summaries"]), row.get("ended_on")) if row else Balance()

    def performed_since(self, terminal: Entity, until: int) -> list[tuple[int, int]]:
        """(number, transaction) of payments begun after a number, oldest first."""
        rows = self._table.query(_performed(terminal), low=key(until + 1), limit=MOST_PER_BALANCE)
        return [(int(row["sk"]), int(row["paying"])) for row in rows]

    def move_balance(self, transaction: Transaction, terminal: Entity, before: Balance, after: Balance) -> None:
        """Raises (at commit):
        VersionConflict: somebody else added up meanwhile.
        """
        pk, sk = _balanced(terminal)
        transaction.put(
            self._table,
            {"pk": pk, "sk": sk, "reached": after.until, "summaries": after.count, "ended_on": after.ended_on},
            condition="summaries = :count" if before.count else "attribute_not_exists(pk)",
            values={":count": before.count} if before.count else None,
            refusal=lambda _: VersionConflict(),
        )  # fmt: skip


def _busy(terminal: Entity) -> tuple[str, str]:
    return f"{partition(PAYMENT_TERMINAL, terminal.scope)}#busy", key(terminal.id)


def _performed(terminal: Entity) -> str:
    return f"{partition(PAYMENT_TERMINAL, terminal.scope)}#performed={terminal.id}"


def _balanced(terminal: Entity) -> tuple[str, str]:
    return f"{partition(PAYMENT_TERMINAL, terminal.scope)}#balanced", key(terminal.id)
