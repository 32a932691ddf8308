"""Sessions of the sandbox's issuer in the sandbox table.

Access patterns (`pk`, `sk`):
    a session by its id                       `3DS-ACS#<acsTransID>`,   `#`
    what the clock goes on with, by when      `3DS-ACS-DUE`,            `<due>#<acsTransID>`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

from threeds.acs_simulator.errors import SessionMoved
from threeds.acs_simulator.models import MOST_WRONG_CODES, Session, Verdict
from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction

RETENTION_SECONDS = 30 * 24 * 3600
_DUE = "3DS-ACS-DUE"
_MEMBERS = tuple(field.name for field in fields(Session))


class SessionRepository:
    """Sessions and their order in time."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, session_id: str) -> Session | None:
        item = self._table.get(_pk(session_id), "#")
        return _from_item(item) if item else None

    def due(self) -> Iterator[tuple[str, str]]:
        """Session ids that are due now, each with its key in the order."""
        for row in self._table.query(_DUE, high=f"{clock.epoch():012d}$", project=("sk",)):
            yield str(row["sk"]).partition("#")[2], str(row["sk"])

    def insert(self, session: Session) -> None:
        transaction = Transaction(self._table.client)
        transaction.put(self._table, _to_item(session), condition="attribute_not_exists(pk)")
        transaction.put(self._table, _due_row(session.due, session.id))
        transaction.commit()

    def count_wrong_code(self, session: Session) -> int:
        """Note a wrong code; answers how many there were.

        Raises:
            SessionMoved: the session takes no code any more.
        """
        try:
            item = self._table.update(
                _pk(session.id), "#", "SET wrong_codes = wrong_codes + :one",
                names={"#state": "state"},
                values={":one": 1, ":open": "open", ":most": MOST_WRONG_CODES},
                condition="#state = :open AND wrong_codes < :most",
            )  # fmt: skip
        except ConditionFailed:
            raise SessionMoved from None
        return int(item["wrong_codes"])

    def decide(self, session: Session, verdict: Verdict) -> None:
        """Give an open session its verdict, which is due to be reported at once.

        Raises:
            SessionMoved: it has one.
        """
        now = clock.epoch()
        transaction = Transaction(self._table.client)
        transaction.update(
            self._table, _pk(session.id), "#", "SET #state = :decided, verdict = :verdict, due = :now",
            names={"#state": "state"},
            values={":decided": "decided", ":open": "open", ":verdict": asdict(verdict), ":now": now},
            condition="#state = :open", refusal=lambda _: SessionMoved(),
        )  # fmt: skip
        if session.due != now:
            transaction.delete(self._table, _DUE, _due_key(session.due, session.id))
        transaction.put(self._table, _due_row(now, session.id))
        transaction.commit()

    def finish(self, session: Session) -> None:
        """Note that the verdict is known to the other side."""
        transaction = Transaction(self._table.client)
        transaction.update(
            self._table, _pk(session.id), "#", "SET #state = :reported",
            names={"#state": "state"}, values={":reported": "reported"},
            condition="attribute_exists(pk)", refusal=lambda _: SessionMoved(),
        )  # fmt: skip
        transaction.delete(self._table, _DUE, _due_key(session.due, session.id))
        transaction.commit()

    def forget_due(self, key: str) -> None:
        self._table.delete(_DUE, key)


def _pk(session_id: str) -> str:
    return f"3DS-ACS#{session_id}"


def _due_key(due: int, session_id: str) -> str:
    return f"{due:012d}#{session_id}"


def _due_row(due: int, session_id: str) -> dict[str, Any]:
    return {"pk": _DUE, "sk": _due_key(due, session_id), "expires": due + RETENTION_SECONDS}


def _to_item(session: Session) -> Item:
    item = {name: getattr(session, name) for name in _MEMBERS}
    return {**item, "pk": _pk(session.id), "sk": "#", "expires": clock.epoch() + RETENTION_SECONDS}


def _from_item(item: Item) -> Session:
    values = {name: item[name] for name in _MEMBERS if name in item}
    verdict = Verdict(**item["verdict"]) if "verdict" in item else None
    return Session(**{**values, "verdict": verdict})
