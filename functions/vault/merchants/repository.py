"""Merchants in DynamoDB: keys, items, conditions.

Access patterns (`pk`, `sk`):
    a merchant by id                              `MERCHANT#<account>#<id>`,    `#`
    an account's merchants in order, counted      see `tollgate.store.listing`, name `merchants`, facet: country
    an account's merchants by name                `MERCHANTS#<account>#NAME`,   `<folded name>#<sequence>`
    which one is primary                          `MERCHANTS#<account>#PRIMARY`, `#`

The order by name has no counts; it is read whole (slim rows, at most 10,000: the limit of an account) and cut here.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from tollgate.store.items import Item
from tollgate.store.listing import Listing, Page, Selection, Slot
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction
from vault.merchants.errors import MerchantNotFound
from vault.merchants.models import Merchant, view
from vault.tokenisation import primary_merchant_key

_NAME_KEY = 200
_MEMBERS = tuple(field.name for field in fields(Merchant))
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


class MerchantChanged(Exception):
    """Another writer changed the merchant since it was read; read again."""


class PrimaryTaken(Exception):
    """Another merchant became primary first."""


class MerchantRepository:
    """Merchants of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._listing = Listing(table, "merchants")

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def allocate(self, account_id: str) -> Slot:
        return self._listing.allocate(account_id)[0]

    # ------------------------------------------------------------------ reading

    def find(self, account_id: str, merchant_id: str) -> Merchant | None:
        item = self._table.get(_pk(account_id, merchant_id), "#")
        return _from_item(item) if item else None

    def find_primary(self, account_id: str) -> Merchant | None:
        row = self._table.get(*primary_merchant_key(account_id))
        return self.find(account_id, row["id"]) if row else None

    def sealed_key(self, merchant: Merchant) -> bytes | None:
        """The sealed encryption key of a merchant that still is there."""
        item = self._table.get(_pk(merchant.account_id, merchant.id), "#")
        return item["encryption_key"] if item else None

    def sealed_keys_after(self, account_id: str, sequence: int, limit: int) -> tuple[int | None, dict[str, bytes]]:
        """The sealed encryption keys of up to `limit` merchants behind this place of the list, by merchant, and the
        last place looked at."""
        rows = self._listing.rows_after(account_id, sequence, limit)
        found = self._table.batch_get([(_pk(account_id, json.loads(row["view"])["id"]), "#") for row in rows])
        return (int(rows[-1]["sk"]) if rows else None), {item["id"]: item["encryption_key"] for item in found}

    def last_sequence(self, account_id: str) -> int:
        """The last place in the account's list that was given out; -1 when none was."""
        return self._listing.last_sequence(account_id)

    def replace_sealed_key(self, account_id: str, merchant_id: str, old: bytes, renewed: bytes) -> bool:
        """Put a newly sealed form of the same key in the place of the old; False when it is not there any more."""
        try:
            self._table.update(
                _pk(account_id, merchant_id), "#", "SET encryption_key = :new",
                values={":new": renewed, ":old": old}, condition="encryption_key = :old",
            )  # fmt: skip
        except ConditionFailed:
            return False
        return True

    def has_primary(self, account_id: str) -> bool:
        return self._table.get(*primary_merchant_key(account_id)) is not None

    def count(self, account_id: str) -> int:
        return self._listing.page(account_id, Selection(limit=1, page=1)).total

    def page(self, account_id: str, selection: Selection) -> Page:
        return self._listing.page(account_id, selection, ("view",))

    def page_by_name(self, account_id: str, selection: Selection) -> Page:
        rows = self._table.query(f"MERCHANTS#{account_id}#NAME", descending=selection.descending)
        kept = [row for row in rows if _matches(row, selection)]
        start = (selection.page - 1) * selection.limit
        wanted = [str(row["id"]) for row in kept[start : start + selection.limit]]
        found: dict[str, Item] = {}
        for first in range(0, len(wanted), 100):
            keys = [(_pk(account_id, each), "#") for each in wanted[first : first + 100]]
            found |= {str(item["id"]): item for item in self._table.batch_get(keys)}
        return Page([_row(_from_item(found[each])) for each in wanted if each in found], len(kept))

    # ------------------------------------------------------------------ writing

    def insert(self, transaction: Transaction, slot: Slot, merchant: Merchant, sealed_key: bytes) -> None:
        """A new merchant; as the primary one it is refused with PrimaryTaken where there is another."""
        account_id = merchant.account_id
        transaction.put(
            self._table,
            {**_to_item(merchant), "encryption_key": sealed_key},
            condition="attribute_not_exists(pk)",
        )
        if merchant.type == "primary":
            pk, sk = primary_merchant_key(account_id)
            transaction.put(
                self._table,
                {"pk": pk, "sk": sk, "id": merchant.id},
                condition="attribute_not_exists(pk)",
                refusal=lambda _: PrimaryTaken(),
            )
        transaction.put(self._table, _name_row(merchant))
        self._listing.add(transaction, account_id, [(slot, merchant.country_code, _row(merchant))])

    def replace(self, transaction: Transaction, before: Merchant, after: Merchant) -> None:
        """Change a merchant that still is as `before`, in the item, the list and the order by name."""
        changed = {name: getattr(after, name) for name in _MEMBERS if getattr(after, name) != getattr(before, name)}
        sets = {name: value for name, value in changed.items() if value is not None}
        removes = [name for name, value in changed.items() if value is None]
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
        if removes:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removes)
        transaction.update(
            self._table, _pk(before.account_id, before.id), "#", expression,
            condition="#version = :before",
            names={f"#{name}": name for name in {*changed, "version"}},
            values={**{f":{name}": value for name, value in sets.items()}, ":before": before.version},
            refusal=_refused,
        )  # fmt: skip
        if _name_row(before)["sk"] != _name_row(after)["sk"]:
            transaction.delete(self._table, *_name_key(before))
        transaction.put(self._table, _name_row(after))
        self._listing.move(
            transaction, before.account_id, before.sequence, _row(after), before.country_code, after.country_code
        )

    def remove(self, transaction: Transaction, merchant: Merchant) -> None:
        """Delete a merchant that still is as read; its encryption key goes with it."""
        transaction.delete(
            self._table, _pk(merchant.account_id, merchant.id), "#",
            condition="version = :version", values={":version": merchant.version}, refusal=_refused,
        )  # fmt: skip
        transaction.delete(self._table, *_name_key(merchant))
        self._listing.remove(transaction, merchant.account_id, merchant.sequence, merchant.country_code)


def public_forms(page: Page) -> list[str]:
    """The merchants of a page, as JSON texts."""
    return [str(row["view"]) for row in page.rows]


def _refused(item: Item) -> Exception:
    return MerchantChanged() if item else MerchantNotFound()


def _pk(account_id: str, merchant_id: str) -> str:
    return f"MERCHANT#{account_id}#{merchant_id}"


def _name_key(merchant: Merchant) -> tuple[str, str]:
    folded = merchant.legal_name.casefold()[:_NAME_KEY]
    return f"MERCHANTS#{merchant.account_id}#NAME", f"{folded}#{merchant.sequence:012d}"


def _name_row(merchant: Merchant) -> dict[str, Any]:
    pk, sk = _name_key(merchant)
    return {
        "pk": pk,
        "sk": sk,
        "id": merchant.id,
        "facet": merchant.country_code,
        "created_at": merchant.created_at,
    }


def _row(merchant: Merchant) -> dict[str, Any]:
    text = json.dumps(view(merchant), separators=(",", ":"), ensure_ascii=False)
    return {"view": text, "created_at": merchant.created_at}


def _matches(row: Item, selection: Selection) -> bool:
    created = str(row["created_at"])
    return (
        (selection.facets is None or row["facet"] in selection.facets)
        and (selection.created_from is None or created >= selection.created_from.strftime(_STAMP))
        and (selection.created_to is None or created <= selection.created_to.strftime(_STAMP))
    )


def _to_item(merchant: Merchant) -> Item:
    item = {name: getattr(merchant, name) for name in _MEMBERS}
    return {**item, "pk": _pk(merchant.account_id, merchant.id), "sk": "#"}


def _from_item(item: Item) -> Merchant:
    values = {name: item.get(name) for name in _MEMBERS}
    return Merchant(**{**values, "schemes": tuple(item.get("schemes", ()))})  # type: ignore[arg-type]
