"""Rulesets in DynamoDB (rows that others read too: `risk.records`).

Access patterns (`pk`, `sk`):
    a ruleset                         `RULESET#<account>#<id>`,      `#`
    an account's rulesets in order    `RULESETS#<account>`,          `<created_at>#<id>`
    the last version of a context     `RULESET-VERSIONS#<account>`,  `<context>`
    which rulesets are active         `ACTIVE#<account>`,            `#`

A ruleset's status is the attribute `life` (`status` is a word of DynamoDB's own).

That one ruleset at most is active per context is not a rule that a write could break: it is the shape of the last row,
which names one per context and is changed under the version that was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from risk import records
from risk.rules import pack, unpack
from risk.rulesets.errors import NotDraft, NotInactive, Overtaken, RulesetNotFound
from risk.rulesets.models import Ruleset, Status
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Refusal, Transaction

_PACKED_ITEMS_PER_BATCH: Final = 20
_MEMBERS = tuple(each.name for each in fields(Ruleset) if each.name not in {"rules", "status"})


class RulesetRepository:
    """Rulesets of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    # ------------------------------------------------------------------ reading

    def find(self, account_id: str, ruleset_id: str) -> Ruleset | None:
        item = self._table.get(*records.ruleset_key(account_id, ruleset_id))
        return _from_item(item) if item else None

    def active(self, account_id: str) -> Item:
        """Which rulesets are active, as the row is; empty when none ever was."""
        return self._table.get(*records.active_key(account_id)) or {}

    def last_version(self, account_id: str, context: str) -> int:
        item = self._table.get(f"RULESET-VERSIONS#{account_id}", context)
        return int(item["version"]) if item else 0

    def page(self, account_id: str, after: str | None, limit: int) -> tuple[list[Ruleset], str | None]:
        """Rulesets behind a place, in the order of their creation, and the place of the last one if more follow."""
        low = None if after is None else f"{after}!"
        rows = self._table.query(f"RULESETS#{account_id}", low=low, limit=limit + 1)
        places = [str(row["sk"]) for row in rows[:limit]]
        keys = [records.ruleset_key(account_id, place.rpartition("#")[2]) for place in places]
        found: dict[str, Ruleset] = {}
        for first in range(0, len(keys), _PACKED_ITEMS_PER_BATCH):
            items = self._table.batch_get(keys[first : first + _PACKED_ITEMS_PER_BATCH])
            found |= {item["pk"]: _from_item(item) for item in items}
        return [found[pk] for pk, _ in keys if pk in found], places[-1] if len(rows) > limit else None

    # ------------------------------------------------------------------ writing

    def insert(self, transaction: Transaction, ruleset: Ruleset) -> None:
        """A new draft, whose version is the next of its context."""
        transaction.put(
            self._table, {"pk": f"RULESET-VERSIONS#{ruleset.account_id}", "sk": ruleset.context,
                          "version": ruleset.version},
            condition="version = :former" if ruleset.version > 1 else "attribute_not_exists(pk)",
            values={":former": ruleset.version - 1} if ruleset.version > 1 else None,
            refusal=lambda _: Overtaken(),
        )  # fmt: skip
        transaction.put(self._table, _to_item(ruleset), condition="attribute_not_exists(pk)")
        place = f"{ruleset.created_at}#{ruleset.id}"
        transaction.put(self._table, {"pk": f"RULESETS#{ruleset.account_id}", "sk": place})

    def replace(self, transaction: Transaction, before: Ruleset, after: Ruleset) -> None:
        """Change a draft that still is as `before`."""
        transaction.put(
            self._table, _to_item(after),
            condition="life = :draft AND revision = :revision",
            values={":draft": "DRAFT", ":revision": before.revision},
            refusal=lambda item: Overtaken() if item.get("status") == "DRAFT" else NotDraft(),
        )  # fmt: skip

    def activate(
        self,
        transaction: Transaction,
        ruleset: Ruleset,
        active: Item,
        counted: Mapping[str, Any],
        at: str,
        expected: Status,
    ) -> None:
        """Make a ruleset the active one of its context, and the former one inactive.

        Raises (at commit):
            NotDraft, NotInactive: it is not in the expected status any more.
            Overtaken: another ruleset was activated meanwhile.
        """
        refused = NotDraft if expected == "DRAFT" else NotInactive
        self._set_status(
            transaction, ruleset.account_id, ruleset.id, expected, "ACTIVE",
            lambda item: refused() if item else RulesetNotFound(), at,
        )  # fmt: skip
        contexts = dict(active.get("contexts", {}))
        former = contexts.get(ruleset.context)
        if former is not None:
            self._set_status(transaction, ruleset.account_id, former["id"], "ACTIVE", "INACTIVE", lambda _: Overtaken())
        contexts[ruleset.context] = {"id": ruleset.id, "version": ruleset.version, "counted": dict(counted)}
        pk, sk = records.active_key(ruleset.account_id)
        transaction.put(
            self._table, {"pk": pk, "sk": sk, "version": active.get("version", 0) + 1, "contexts": contexts},
            condition="version = :version" if active else "attribute_not_exists(pk)",
            values={":version": active["version"]} if active else None,
            refusal=lambda _: Overtaken(),
        )  # fmt: skip

    def _set_status(  # noqa: PLR0917 -- one conditional update
        self,
        transaction: Transaction,
        account_id: str,
        ruleset_id: str,
        before: Status,
        after: Status,
        refusal: Refusal,
        activated_at: str | None = None,
    ) -> None:
        stamp = ", activated_at = :at" if activated_at else ""
        transaction.update(
            self._table, *records.ruleset_key(account_id, ruleset_id),
            f"SET life = :after, revision = revision + :one{stamp}",
            condition="life = :before",
            values={":after": after, ":before": before, ":one": 1, **({":at": activated_at} if activated_at else {})},
            refusal=refusal,
        )  # fmt: skip


def _to_item(ruleset: Ruleset) -> Item:
    pk, sk = records.ruleset_key(ruleset.account_id, ruleset.id)
    members = {name: getattr(ruleset, name) for name in _MEMBERS}
    return {"pk": pk, "sk": sk, **members, "life": ruleset.status, "rules": pack(ruleset.rules)}


def _from_item(item: Item) -> Ruleset:
    members = {name: item[name] for name in _MEMBERS if name in item}
    return Ruleset(**members, status=item["life"], rules=unpack(item["rules"]))
