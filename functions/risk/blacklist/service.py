"""What can be done with the blacklist: entries are added (again), listed, read, deleted.

An entry is one per field and value: adding it again renews its life and keeps its id and its place in the list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from risk import records
from risk.blacklist.errors import EntryNotFound, Overtaken
from risk.blacklist.models import CreateEntry, Entry, EntryView, view
from risk.blacklist.repository import BlacklistRepository, is_over
from risk.fields import Field, NoField, canonical_ip, field_at
from tollgate import clock, ids, luhn
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Contended, Invalid
from tollgate.http.message import encode
from tollgate.store.idempotency import NOT_CLAIMED, Once
from tollgate.store.transaction import Transaction

_ATTEMPTS = 10
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A value to refuse. `field_path` is canonical, `value` as decisions have it."""

    field_path: str
    value: str
    ttl_seconds: int | None = None
    display_hint: str | None = None
    source_decision_id: str | None = None


class BlacklistService:
    """Use cases of the blacklist."""

    def __init__(self, repository: BlacklistRepository, keyring: Keyring) -> None:
        self._repository = repository
        self._keyring = keyring

    def create(self, account_id: str, wanted: CreateEntry, once: Once) -> tuple[EntryView, bool]:
        """Add an entry, or renew it; says whether it is new.

        Raises:
            Invalid: the path names no field, or the value could be a card number.
        """
        new = NewEntry(*checked(wanted.field_path, wanted.value), wanted.ttl_seconds, wanted.display_hint)
        if wanted.display_hint is not None and next(luhn.spans(wanted.display_hint), None) is not None:
            raise Invalid.at("$.display_hint", "must not hold a card number")
        return self.add(account_id, new, once)

    def add(self, account_id: str, new: NewEntry, once: Once = NOT_CLAIMED) -> tuple[EntryView, bool]:
        """As `create`, of values that a decision had."""
        entry_id = records.entry_id(self._keyring, account_id, new.field_path, new.value)
        for _ in range(_ATTEMPTS):
            former = self._repository.stored(account_id, entry_id)
            entry = _entry(account_id, entry_id, new, former)
            transaction = self._repository.begin()
            once.remember(transaction, encode(view(entry)))
            self._repository.write(transaction, entry, former)
            try:
                transaction.commit()
            except Overtaken:
                continue
            return view(entry), former is None or is_over(former)
        raise Contended

    def join(self, transaction: Transaction, account_id: str, new: NewEntry) -> None:
        """As `add`, in a transaction of the caller's.

        Raises (at commit):
            Overtaken: another writer was first; to be begun again.
        """
        entry_id = records.entry_id(self._keyring, account_id, new.field_path, new.value)
        former = self._repository.stored(account_id, entry_id)
        self._repository.write(transaction, _entry(account_id, entry_id, new, former), former)

    def entries(self, account_id: str, most: int) -> list[Entry]:
        """The account's entries that count now, the oldest `most`."""
        return self._repository.page(account_id, None, most)[0]

    def require(self, account_id: str, entry_id: str) -> Entry:
        """An entry of the account that still counts, or EntryNotFound."""
        entry = self._repository.stored(account_id, entry_id.lower()) if ids.is_uuid(entry_id) else None
        if entry is None or is_over(entry):
            raise EntryNotFound
        return entry

    def page(self, account_id: str, after: str | None, limit: int) -> tuple[list[EntryView], str | None]:
        found, last = self._repository.page(account_id, after, limit)
        return [view(entry) for entry in found], last

    def delete(self, account_id: str, entry_id: str) -> None:
        """Remove an entry; what it refused is let through from the next decision on."""
        for _ in range(_ATTEMPTS):
            entry = self.require(account_id, entry_id)
            transaction = self._repository.begin()
            self._repository.remove(transaction, entry)
            try:
                transaction.commit()
            except Overtaken:
                continue
            return
        raise Contended


def _entry(account_id: str, entry_id: str, new: NewEntry, former: Entry | None) -> Entry:
    now = clock.now()
    stamp = now.strftime(_STAMP)
    expires = None if new.ttl_seconds is None else clock.epoch() + new.ttl_seconds
    life: dict[str, Any] = {
        "ttl_seconds": new.ttl_seconds,
        "expires": expires,
        "expires_at": None if expires is None else clock.iso(datetime.fromtimestamp(expires, UTC)),
        "updated_at": stamp,
    }
    fresh = Entry(
        id=entry_id, account_id=account_id, field_path=new.field_path, value=new.value, inserted_at=stamp,
        display_hint=new.display_hint, source_decision_id=new.source_decision_id, **life,
    )  # fmt: skip
    if former is None:
        return fresh
    if is_over(former):
        return replace(fresh, revision=former.revision + 1)
    hint = new.display_hint or former.display_hint
    source = new.source_decision_id or former.source_decision_id
    return replace(
        former, revision=former.revision + 1, display_hint=hint, source_decision_id=source, **life
    )  # fmt: skip


def checked(path: str, value: str) -> tuple[str, str]:
    """A path in its one spelling and a value as decisions have it.

    Raises:
        Invalid: no field of a decision, not a value of its kind, or one that could be a card number.
    """
    try:
        field = field_at(path)
    except NoField as wrong:
        raise Invalid.at("$.field_path", str(wrong)) from None
    if next(luhn.spans(value), None) is not None:
        raise Invalid.at("$.value", "must not hold a card number")
    return field.path, _canonical(field, value)


def _canonical(field: Field, value: str) -> str:
    if field.kind == "texts":
        raise Invalid.at("$.field_path", "must be a field with one value")
    if field.kind != "ip":
        return value
    try:
        return canonical_ip(value)
    except ValueError:
        raise Invalid.at("$.value", "must be an IP address") from None
