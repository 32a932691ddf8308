"""Webhooks in DynamoDB.

Access patterns (`pk`, `sk`):
    a webhook, an account's webhooks in order  `WEBHOOK#<account>`,   `<id>`
    who wants which events                     `WEBHOOKS#<account>`,  `#`    (`risk.records`; decisions read it)

The last row is written with every change, under the version that was read, so that it and the webhooks never differ.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from risk import records
from risk.webhooks.errors import Overtaken, WebhookNotFound
from risk.webhooks.models import Webhook
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

_MEMBERS = tuple(each.name for each in fields(Webhook))


class WebhookRepository:
    """Webhooks of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def find(self, account_id: str, webhook_id: str) -> Webhook | None:
        item = self._table.get(f"WEBHOOK#{account_id}", webhook_id)
        return _from_item(item) if item else None

    def page(self, account_id: str, after: str | None, limit: int) -> tuple[list[Webhook], str | None]:
        """Webhooks behind a place, in the order of their making, and the place of the last one if more follow."""
        low = None if after is None else f"{after}!"
        rows = self._table.query(f"WEBHOOK#{account_id}", low=low, limit=limit + 1)
        found = [_from_item(row) for row in rows[:limit]]
        return found, found[-1].id if len(rows) > limit else None

    def index(self, account_id: str) -> Item:
        """Who wants which events, as the row is; empty where there never was a webhook."""
        return self._table.get(*records.webhooks_key(account_id)) or {}

    def put(self, transaction: Transaction, webhook: Webhook, *, is_new: bool) -> None:
        pk = f"WEBHOOK#{webhook.account_id}"
        members: dict[str, Any] = {name: getattr(webhook, name) for name in _MEMBERS}
        transaction.put(
            self._table, {"pk": pk, "sk": webhook.id, **members},
            condition="attribute_not_exists(pk)" if is_new else "attribute_exists(pk)",
            refusal=lambda _: Overtaken() if is_new else WebhookNotFound(),
        )  # fmt: skip

    def remove(self, transaction: Transaction, account_id: str, webhook_id: str) -> None:
        transaction.delete(
            self._table, f"WEBHOOK#{account_id}", webhook_id,
            condition="attribute_exists(pk)", refusal=lambda _: WebhookNotFound(),
        )  # fmt: skip

    def put_index(self, transaction: Transaction, account_id: str, before: Item, wanted: dict[str, list[str]]) -> None:
        """Say who wants which events, in the place of what was read.

        Raises (at commit):
            Overtaken: it is not there any more.
        """
        pk, sk = records.webhooks_key(account_id)
        transaction.put(
            self._table, {"pk": pk, "sk": sk, "version": before.get("version", 0) + 1, "wanted": wanted},
            condition="version = :version" if before else "attribute_not_exists(pk)",
            values={":version": before["version"]} if before else None,
            refusal=lambda _: Overtaken(),
        )  # fmt: skip


def _from_item(item: Item) -> Webhook:
    members = {name: item[name] for name in _MEMBERS}
    return Webhook(**{**members, "events": tuple(members["events"])})
