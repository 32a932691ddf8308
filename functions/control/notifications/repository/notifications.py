"""Notifications: made, changed, found. Every change is conditional on the version that was read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from control.notifications.errors import Changed, Overtaken
from control.notifications.models import (
    RETENTION_DAYS,
    Attempt,
    AttemptView,
    Endpoint,
    Notification,
    stamp,
)
from control.notifications.repository import keys
from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.listing import Listing, Selection, Slot
from tollgate.store.table import BATCH_GET_LIMIT, ConditionFailed, Table
from tollgate.store.transaction import Transaction

MOST_OF_ONE_SUBJECT = 1000
ATTEMPTS_SHOWN = 100
_DAY_SECONDS = 24 * 3600


class NotificationRepository:
    """Notifications of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._listing = Listing(table, "notifications")

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    # ------------------------------------------------------------------ reading

    def find(self, account_id: str, notification_id: str) -> Notification | None:
        item = self._table.get(*keys.notification(account_id, notification_id))
        return keys.from_item(item) if item else None

    def attempts(self, of: Notification) -> list[AttemptView]:
        """The latest attempts that came to an end, oldest first."""
        pk, _ = keys.notification(of.account_id, of.id)
        rows = self._table.query(pk, prefix="A#", limit=ATTEMPTS_SHOWN, descending=True)
        return [keys.attempt_view(row) for row in reversed(rows)]

    def page(self, account_id: str, selection: Selection) -> tuple[list[Notification], int]:
        """A page of the log and how many match in all."""
        page = self._listing.page(account_id, selection)
        return self._fetch(account_id, page.rows), page.total

    def of_subject(self, account_id: str, subject: str) -> list[Notification]:
        """All of one object, oldest first; they are few."""
        rows = self._table.query(f"SUBJECT#{account_id}#{subject}", limit=MOST_OF_ONE_SUBJECT)
        return self._fetch(account_id, rows)

    def pending_since(self, endpoint: Endpoint) -> str | None:
        """When the account's oldest notification was queued that is not done."""
        facets = frozenset(keys.facet("pending", each) for each in endpoint.event_types)
        oldest = Selection(limit=1, page=1, descending=False, facets=facets)
        rows = self._listing.page(endpoint.account_id, oldest).rows
        return str(rows[0]["created_at"]) if rows else None

    def due(self, now: str, most: int) -> Iterator[tuple[str, str]]:
        """(account, id) of what is due in each shard, oldest first, at most `most` per shard."""
        for shard in range(keys.DUE_SHARDS):
            for row in self._table.query(f"DUE#{shard:02d}", high=f"{now}~", limit=most, project=("sk",)):
                _, account_id, notification_id = str(row["sk"]).split("#")
                yield account_id, notification_id

    def parked(self, account_id: str, most: int) -> list[Notification]:
        """What a disabled endpoint holds back, oldest first."""
        return self._fetch(account_id, self._table.query(f"PARKED#{account_id}", limit=most))

    def tails(self, account_id: str, subjects: Collection[str]) -> dict[str, int]:
        """Of those objects that have open notifications, the number of the newest."""
        wanted = {keys.lane(account_id, subject): subject for subject in subjects}
        found = self._table.batch_get(list(wanted))
        return {wanted[item["pk"], item["sk"]]: item["tail"] for item in found}

    def next_in_lane(self, of: Notification) -> Notification | None:
        """The notification that waits for this one to be done."""
        rows = self._table.query(keys.lane(of.account_id, of.subject)[0], low="0", limit=1)
        return self.find(of.account_id, rows[0]["id"]) if rows else None

    def _fetch(self, account_id: str, rows: Sequence[Item]) -> list[Notification]:
        """The notifications of rows, in the order of the rows; one that went meanwhile is left out."""
        wanted = [keys.notification(account_id, str(row["id"])) for row in rows]
        found: dict[str, Item] = {}
        for first in range(0, len(wanted), BATCH_GET_LIMIT):
            batch = self._table.batch_get(wanted[first : first + BATCH_GET_LIMIT])
            found |= {item["pk"]: item for item in batch}
        return [keys.from_item(found[pk]) for pk, _ in wanted if pk in found]

    # ------------------------------------------------------------------ making

    def insert(
        self, transaction: Transaction, before: Endpoint, made: Sequence[Notification], tails: Mapping[str, int]
    ) -> None:
        """New notifications with the numbers that follow on the endpoint's last, in their place, listed and counted.

        `tails` is what `tails()` said of their objects. Refused with Overtaken when either is no longer so.
        """
        self._give_out(transaction, before, made)
        for each in made:
            transaction.put(self._table, keys.to_item(each), condition="attribute_not_exists(pk)")
            transaction.put(self._table, _row_at(keys.subject(each), each))
            self._place(transaction, each)
        self._extend_lanes(transaction, made, tails)
        entries = [(Slot(n.sequence, n.queued_at), keys.facet_of(n), keys.list_row(n)) for n in made]
        self._listing.add(transaction, before.account_id, entries)

    def _give_out(self, transaction: Transaction, before: Endpoint, made: Sequence[Notification]) -> None:
        is_first = before.last_sequence == 0
        transaction.update(
            self._table, *keys.endpoint(before.account_id),
            "SET last_sequence = :last, last_at = :at ADD event_types :types",
            condition="attribute_not_exists(last_sequence)" if is_first else "last_sequence = :before",
            values={
                ":last": made[-1].sequence,
                ":at": made[-1].queued_at,
                ":types": frozenset(each.event_type for each in made),
                **({} if is_first else {":before": before.last_sequence}),
            },
            refusal=lambda _: Overtaken(),
        )  # fmt: skip
        if is_first:
            transaction.put(self._table, {"pk": keys.RETAIN, "sk": f"{made[0].queued_at}#{before.account_id}"})

    def _extend_lanes(self, transaction: Transaction, made: Sequence[Notification], tails: Mapping[str, int]) -> None:
        for subject, newest in {each.subject: each for each in made if each.in_lane}.items():
            seen = tails.get(subject)
            pk, sk = keys.lane(newest.account_id, subject)
            transaction.put(
                self._table, {"pk": pk, "sk": sk, "tail": newest.sequence},
                condition="attribute_not_exists(pk)" if seen is None else "tail = :seen",
                values=None if seen is None else {":seen": seen},
                refusal=lambda _: Overtaken(),
            )  # fmt: skip

    def _place(self, transaction: Transaction, at: Notification) -> None:
        """The row by which a pending notification is found where it is: due, parked, or waiting."""
        if at.due_at is not None:
            pk, sk = keys.due(at)
            transaction.put(self._table, {"pk": pk, "sk": sk})
        elif at.parked:
            transaction.put(self._table, _row_at(keys.parked(at), at))
        elif at.in_lane:
            transaction.put(self._table, _row_at(keys.waiting(at), at))

    # ------------------------------------------------------------------ changing

    def claim(self, account_id: str, notification_id: str, leased_until: str) -> Notification | None:
        """Take a due notification in hand for an attempt that begins now; None when it is not to be had.

        Whatever happens to the worker, the attempt counts from here on.
        """
        try:
            item = self._table.update(
                *keys.notification(account_id, notification_id),
                "SET leased_until = :until ADD version :one, attempts :one, tries :one",
                values={":until": leased_until, ":one": 1, ":now": stamp(clock.now()), ":wall": stamp(clock.wall())},
                condition="due_at <= :now AND (attribute_not_exists(leased_until) OR leased_until <= :wall)",
            )  # fmt: skip
        except ConditionFailed:
            return None
        return keys.from_item(item)

    def change(
        self,
        transaction: Transaction,
        before: Notification,
        after: Notification,
        attempt: Attempt | None = None,
        *,
        refused: type[Exception] = Changed,
    ) -> None:
        """Change a notification that still is as `before`, its place and its facet with it, and note an attempt."""
        after = replace(after, version=before.version + 1)
        changed = keys.changes(before, after)
        sets = [name for name, value in changed.items() if value is not None]
        removes = [name for name, value in changed.items() if value is None]
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
        if removes:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removes)
        transaction.update(
            self._table, *keys.notification(before.account_id, before.id), expression,
            condition="#version = :seen",
            names={f"#{name}": name for name in {*changed, "version"}},
            values={":seen": before.version, **{f":{name}": changed[name] for name in sets}},
            refusal=lambda _: refused(),
        )  # fmt: skip
        self._move(transaction, before, after)
        if after.status != before.status:
            facets = keys.facet_of(before), keys.facet_of(after)
            self._listing.move(transaction, before.account_id, before.sequence, keys.list_row(after), *facets)
        if attempt is not None:
            transaction.put(self._table, keys.attempt_item(after, attempt, _kept_until()))

    def _move(self, transaction: Transaction, before: Notification, after: Notification) -> None:
        """From one place to another. A row that stays is left alone: one item is written once in a transaction."""
        was, is_now = _place_of(before), _place_of(after)
        if was == is_now:
            return
        if was is not None:
            transaction.delete(self._table, *was)
        if after.status == "pending":
            self._place(transaction, after)

    def close_lane(self, transaction: Transaction, last: Notification) -> None:
        """Nobody waits behind this one; refused with Overtaken when somebody joined."""
        transaction.delete(
            self._table, *keys.lane(last.account_id, last.subject),
            condition="tail = :mine", values={":mine": last.sequence}, refusal=lambda _: Overtaken(),
        )  # fmt: skip

    # ------------------------------------------------------------------ keeping

    def remove(self, transaction: Transaction, of: Notification) -> None:
        """Forget a notification that is done and still as it was read; its attempts expire by themselves."""
        transaction.delete(
            self._table, *keys.notification(of.account_id, of.id),
            condition="version = :seen", values={":seen": of.version}, refusal=lambda _: Changed(),
        )  # fmt: skip
        transaction.delete(self._table, *keys.subject(of))
        self._listing.remove(transaction, of.account_id, of.sequence, keys.facet_of(of))


def _row_at(key: tuple[str, str], of: Notification) -> dict[str, Any]:
    pk, sk = key
    return {"pk": pk, "sk": sk, "id": of.id}


def _place_of(at: Notification) -> tuple[str, str] | None:
    if at.status != "pending":
        return None
    if at.due_at is not None:
        return keys.due(at)
    if at.parked:
        return keys.parked(at)
    return keys.waiting(at) if at.in_lane else None


def _kept_until() -> int:
    return clock.epoch() + (RETENTION_DAYS + 1) * _DAY_SECONDS
