"""Blacklist entries in DynamoDB (rows that decisions read too: `risk.records`).

Access patterns (`pk`, `sk`):
    an entry by id, which is by field and value   `ENTRY#<account>#<id>`,    `#`
    an account's entries in order                 `BLACKLIST#<account>`,     `<inserted_at>#<id>`

What has ended is nowhere to be seen, whether or not the table has swept it yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from risk import records
from risk.blacklist.errors import EntryNotFound, Overtaken
from risk.blacklist.models import Entry
from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

_MEMBERS = tuple(each.name for each in fields(Entry))


class BlacklistRepository:
    """Entries of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def stored(self, account_id: str, entry_id: str) -> Entry | None:
        """The entry as it lies there, ended or not."""
        item = self._table.get(*records.entry_key(account_id, entry_id))
        return _from_item(item) if item else None

    def page(self, account_id: str, after: str | None, limit: int) -> tuple[list[Entry], str | None]:
        """Entries behind a place, in the order of their insertion, and the place of the last one if more follow."""
        low = None if after is None else f"{after}!"
        found: list[Entry] = []
        for row in self._table.scan_partition(f"BLACKLIST#{account_id}", low=low):
            entry = _from_item(row)
            if not is_over(entry):
                found.append(entry)
            if len(found) > limit:
                return found[:limit], _place(found[limit - 1])
        return found, None

    def write(self, transaction: Transaction, entry: Entry, former: Entry | None) -> None:
        """Put an entry in the place of what was read there.

        Raises (at commit):
            Overtaken: it is not there any more.
        """
        pk, sk = records.entry_key(entry.account_id, entry.id)
        transaction.put(
            self._table, {"pk": pk, "sk": sk, **_members(entry)},
            condition="revision = :revision" if former else "attribute_not_exists(pk)",
            values={":revision": former.revision} if former else None,
            refusal=lambda _: Overtaken(),
        )  # fmt: skip
        if former is not None and _place(former) != _place(entry):
            transaction.delete(self._table, f"BLACKLIST#{entry.account_id}", _place(former))
        row = {"pk": f"BLACKLIST#{entry.account_id}", "sk": _place(entry)}
        transaction.put(self._table, {**row, **_members(entry)})

    def remove(self, transaction: Transaction, entry: Entry) -> None:
        transaction.delete(
            self._table, *records.entry_key(entry.account_id, entry.id),
            condition="revision = :revision", values={":revision": entry.revision},
            refusal=lambda item: Overtaken() if item else EntryNotFound(),
        )  # fmt: skip
        transaction.delete(self._table, f"BLACKLIST#{entry.account_id}", _place(entry))


def is_over(entry: Entry) -> bool:
    return entry.expires is not None and entry.expires <= clock.epoch()


def _place(entry: Entry) -> str:
    return f"{entry.inserted_at}#{entry.id}"


def _members(entry: Entry) -> Mapping[str, Any]:
    return {name: getattr(entry, name) for name in _MEMBERS}


def _from_item(item: Item) -> Entry:
    return Entry(**{name: item[name] for name in _MEMBERS if name in item})
