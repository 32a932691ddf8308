"""Endpoints: what is known of their health, which of them hold something back, whose log has something old."""

from __future__ import annotations

from control.notifications.models import Endpoint
from control.notifications.repository import keys
from tollgate import ids
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction

MOST_HELD = 200


class NotHeld(Exception):
    """Somebody parked another notification since the account was read."""


class EndpointRepository:
    """Endpoints of all accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, account_id: str) -> Endpoint:
        """What is known; of an account that never had an event, nothing."""
        return keys.endpoint_from(account_id, self._table.get(*keys.endpoint(account_id)))

    def note_health(self, before: Endpoint, after: Endpoint) -> None:
        """Store a changed health, unless another worker was first: theirs is as good."""
        health = {
            "failing_since": after.failing_since,
            "last_failed_at": after.last_failed_at,
            "disabled_at": after.disabled_at,
        }
        sets = [name for name, value in health.items() if value is not None]
        removes = [name for name, value in health.items() if value is None]
        expression = " ".join(
            part
            for part in (
                "SET " + ", ".join(f"{name} = :{name}" for name in sets) if sets else "",
                "REMOVE " + ", ".join(removes) if removes else "",
            )
            if part
        )
        seen = before.failing_since
        values = {f":{name}": health[name] for name in sets} | ({":seen": seen} if seen is not None else {})
        try:
            self._table.update(
                *keys.endpoint(after.account_id), expression, values=values,
                condition="attribute_not_exists(failing_since)" if seen is None else "failing_since = :seen",
            )  # fmt: skip
        except ConditionFailed:
            return

    # ------------------------------------------------------------------ holding back

    def hold(self, transaction: Transaction, account_id: str) -> None:
        """Note that the account holds something back, in the transaction that parks it."""
        transaction.put(self._table, {"pk": keys.HELD, "sk": account_id, "mark": ids.new_uuid()})

    def held(self) -> list[tuple[str, str]]:
        """Accounts that hold something back, with the mark of the latest."""
        return [(row["sk"], row["mark"]) for row in self._table.query(keys.HELD, limit=MOST_HELD)]

    def release(self, account_id: str, mark: str) -> None:
        """Nothing is held back any more, unless something was parked since the mark was read."""
        transaction = Transaction(self._table.client)
        transaction.delete(
            self._table, keys.HELD, account_id,
            condition="mark = :mark", values={":mark": mark}, refusal=lambda _: NotHeld(),
        )  # fmt: skip
        try:
            transaction.commit()
        except NotHeld:
            return

    # ------------------------------------------------------------------ keeping

    def with_old_ones(self, before: str, most: int) -> list[tuple[str, str]]:
        """(moment, account) of logs whose oldest entry was queued before this moment, as far as was known."""
        rows = self._table.query(keys.RETAIN, high=before, limit=most)
        return [tuple(str(row["sk"]).split("#")) for row in rows]  # type: ignore[misc]

    def look_again(self, account_id: str, former: str, oldest: str) -> None:
        """Note when the account's oldest entry was queued, in the place of what was noted before."""
        if oldest == former:
            return
        transaction = Transaction(self._table.client)
        transaction.delete(self._table, keys.RETAIN, f"{former}#{account_id}")
        transaction.put(self._table, {"pk": keys.RETAIN, "sk": f"{oldest}#{account_id}"})
        transaction.commit()
