"""Interceptors in DynamoDB, what was discovered in their requests, and which requests went on.

Access patterns (`pk`, `sk`):
    a version                           `INTERCEPTOR#<account>#<id>`,          `#`
    an account's versions in order      `INTERCEPTORS#<account>`,              `<inserted_at>#<id>`
    the active version of a reference   `INTERCEPTOR-REF#<account>#<ref>`,     `#`   (`active`: the version itself)
    keys seen in requests               `INTERCEPTOR-KEYS#<account>#<id>`,     `#`
    a request that went on              `INTERCEPTION#<account>#<id>`,         `<time>#<id>`

That one version at most is active is the shape of the third row, which is changed under the revision that was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any, Final

from risk.interceptors.errors import InterceptorNotFound, NotDraft, NotInactive, Overtaken
from risk.interceptors.models import DiscoveredKey, Interceptor, Status
from tollgate import clock, ids
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction

MOST_KEYS: Final = 200
KEPT_SECONDS: Final = 400 * 24 * 3600
_PACKED: Final = ("destination", "field_mapping", "responses")
_MEMBERS = tuple(each.name for each in fields(Interceptor) if each.name not in {*_PACKED, "status"})
_STAMP: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


class InterceptorRepository:
    """Interceptors of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    # ------------------------------------------------------------------ reading

    def find(self, account_id: str, interceptor_id: str) -> Interceptor | None:
        item = self._table.get(*_key(account_id, interceptor_id))
        return _from_item(item) if item else None

    def reference(self, account_id: str, ref: str) -> Item:
        """The row of a reference: `version` of the last one made, `revision`, `active`; empty when there is none."""
        return self._table.get(*_ref_key(account_id, ref)) or {}

    def active(self, account_id: str, ref: str) -> Interceptor | None:
        """The version that is in force."""
        return active_of(self.reference(account_id, ref))

    def page(self, account_id: str, after: str | None, limit: int) -> tuple[list[Interceptor], str | None]:
        """Versions behind a place, in the order of their creation, and the place of the last one if more follow."""
        low = None if after is None else f"{after}!"
        rows = self._table.query(f"INTERCEPTORS#{account_id}", low=low, limit=limit + 1)
        places = [str(row["sk"]) for row in rows[:limit]]
        keys = [_key(account_id, place.rpartition("#")[2]) for place in places]
        found = {item["pk"]: _from_item(item) for item in self._table.batch_get(keys)}
        return [found[pk] for pk, _ in keys if pk in found], places[-1] if len(rows) > limit else None

    def discovered(self, account_id: str, interceptor_ids: list[str]) -> dict[str, list[DiscoveredKey]]:
        """Keys that were seen, by interceptor."""
        keys = [_keys_key(account_id, each) for each in interceptor_ids]
        found = {item["pk"]: item["seen"] for item in self._table.batch_get(keys)}
        return {
            each: sorted((_unpack_key(text) for text in found.get(pk, ())), key=lambda key: key["key"])
            for each, (pk, _) in zip(interceptor_ids, keys, strict=True)
        }

    # ------------------------------------------------------------------ writing

    def insert(self, transaction: Transaction, interceptor: Interceptor, reference: Item) -> None:
        """A new version, whose number is the next of its reference.

        Raises (at commit):
            Overtaken: another version was made or activated meanwhile.
        """
        transaction.put(self._table, _to_item(interceptor), condition="attribute_not_exists(pk)")
        place = f"{interceptor.inserted_at}#{interceptor.id}"
        transaction.put(self._table, {"pk": f"INTERCEPTORS#{interceptor.account_id}", "sk": place})
        active = active_of(reference)
        if interceptor.status == "ACTIVE":
            self._retire(transaction, active)
            active = interceptor
        self._point(transaction, interceptor, reference, active, interceptor.version)

    def replace(self, transaction: Transaction, before: Interceptor, after: Interceptor) -> None:
        """Change a draft that still is as `before`."""
        transaction.put(
            self._table, _to_item(after),
            condition="life = :draft AND revision = :revision",
            values={":draft": "DRAFT", ":revision": before.revision},
            refusal=_changed,
        )  # fmt: skip

    def activate(self, transaction: Transaction, after: Interceptor, reference: Item, expected: Status) -> None:
        """Put a version in force, and the former one out of it.

        Raises (at commit):
            NotDraft, NotInactive: it is not in the expected status any more.
            Overtaken: another version was made or activated meanwhile.
        """
        refused = NotDraft if expected == "DRAFT" else NotInactive
        transaction.put(
            self._table, _to_item(after), condition="life = :expected AND revision = :revision",
            values={":expected": expected, ":revision": after.revision - 1},
            refusal=lambda item: Overtaken() if item.get("life") == expected
            else refused() if item else InterceptorNotFound(),
        )  # fmt: skip
        self._retire(transaction, active_of(reference))
        self._point(transaction, after, reference, after, reference["version"])

    def delete(self, transaction: Transaction, interceptor: Interceptor, reference: Item) -> None:
        """Remove a version; of an active one nothing is in force any more."""
        account_id = interceptor.account_id
        transaction.delete(
            self._table, *_key(account_id, interceptor.id), condition="revision = :revision",
            values={":revision": interceptor.revision},
            refusal=lambda item: Overtaken() if item else InterceptorNotFound(),
        )  # fmt: skip
        place = f"{interceptor.inserted_at}#{interceptor.id}"
        transaction.delete(self._table, f"INTERCEPTORS#{account_id}", place)
        transaction.delete(self._table, *_keys_key(account_id, interceptor.id))
        active = active_of(reference)
        if active is not None and active.id == interceptor.id:
            self._point(transaction, interceptor, reference, None, reference["version"])

    def _retire(self, transaction: Transaction, active: Interceptor | None) -> None:
        if active is not None:
            transaction.update(
                self._table, *_key(active.account_id, active.id), "SET life = :after, revision = revision + :one",
                condition="life = :before", values={":after": "INACTIVE", ":before": "ACTIVE", ":one": 1},
                refusal=lambda _: Overtaken(),
            )  # fmt: skip

    def _point(
        self, transaction: Transaction, of: Interceptor, reference: Item, active: Interceptor | None, version: int
    ) -> None:
        pk, sk = _ref_key(of.account_id, of.ref)
        row = {"pk": pk, "sk": sk, "version": version, "revision": reference.get("revision", 0) + 1}
        transaction.put(
            self._table, {**row, "active": None if active is None else json.dumps(asdict(active))},
            condition="revision = :revision" if reference else "attribute_not_exists(pk)",
            values={":revision": reference["revision"]} if reference else None,
            refusal=lambda _: Overtaken(),
        )  # fmt: skip

    # ------------------------------------------------------------------ what passes through

    def add_keys(self, interceptor: Interceptor, keys: Iterable[DiscoveredKey]) -> None:
        """Add keys that were seen, as long as there are not too many."""
        seen = frozenset(f"{key['type']} {key['key']}" for key in keys)
        key = _keys_key(interceptor.account_id, interceptor.id)
        known = self._table.get(*key)
        fresh = seen - known["seen"] if known else seen
        if not fresh or (known and len(known["seen"]) >= MOST_KEYS):
            return
        try:
            self._table.update(
                *key, "ADD seen :seen", values={":seen": fresh, ":most": MOST_KEYS},
                condition="attribute_not_exists(seen) OR size(seen) < :most",
            )  # fmt: skip
        except ConditionFailed:
            return

    def note_sent(self, interceptor: Interceptor, interception_id: str) -> tuple[str, str]:
        """Write down that a request is about to go on; answers where."""
        pk = f"INTERCEPTION#{interceptor.account_id}#{interception_id}"
        sk = f"{clock.now().strftime(_STAMP)}#{ids.new_uuid()}"
        expires = clock.epoch() + KEPT_SECONDS
        self._table.put(
            {"pk": pk, "sk": sk, "stage": "sent", "interceptor_id": interceptor.id, "expires": expires},
        )
        return pk, sk

    def note_outcome(self, key: tuple[str, str], stage: str, status: int | None) -> None:
        """What became of it: `answered` with a status, `unknown`, or `not sent`."""
        values: dict[str, Any] = {":stage": stage}
        if status is not None:
            values[":status"] = status
        self._table.update(*key, f"SET stage = :stage{', answer_status = :status' if status else ''}", values=values)


def active_of(reference: Item) -> Interceptor | None:
    packed = reference.get("active")
    return Interceptor(**json.loads(packed)) if packed else None


def _changed(item: Item) -> Exception:
    if not item:
        return InterceptorNotFound()
    return Overtaken() if item.get("life") == "DRAFT" else NotDraft()


def _key(account_id: str, interceptor_id: str) -> tuple[str, str]:
    return f"INTERCEPTOR#{account_id}#{interceptor_id}", "#"


def _ref_key(account_id: str, ref: str) -> tuple[str, str]:
    return f"INTERCEPTOR-REF#{account_id}#{ref}", "#"


def _keys_key(account_id: str, interceptor_id: str) -> tuple[str, str]:
    return f"INTERCEPTOR-KEYS#{account_id}#{interceptor_id}", "#"


def _unpack_key(text: str) -> DiscoveredKey:
    kind, _, key = text.partition(" ")
    return {"key": key, "type": kind}


def _to_item(interceptor: Interceptor) -> Item:
    pk, sk = _key(interceptor.account_id, interceptor.id)
    members: dict[str, Any] = {name: getattr(interceptor, name) for name in _MEMBERS}
    packed = json.dumps({name: getattr(interceptor, name) for name in _PACKED}, ensure_ascii=False)
    return {"pk": pk, "sk": sk, **members, "life": interceptor.status, "packed": packed}


def _from_item(item: Item) -> Interceptor:
    members = {name: item[name] for name in _MEMBERS if name in item}
    return Interceptor(**members, **json.loads(item["packed"]), status=item["life"])
