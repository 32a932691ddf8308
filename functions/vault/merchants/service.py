"""What can be done with merchants: the only place that sequences rules and writes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tollgate import ids
from tollgate.crypto.keyring import CannotOpen, Keyring, Resealed
from tollgate.errors import Contended, Fault, Forbidden, Invalid
from tollgate.http.message import encode
from tollgate.store.idempotency import Once
from tollgate.store.listing import Page, Selection
from vault.merchants import rules
from vault.merchants.errors import MerchantNotFound, PrimaryStays
from vault.merchants.models import (
    MOST_MERCHANTS,
    CreatedMerchant,
    Merchant,
    MerchantView,
    created,
    view,
)
from vault.merchants.repository import MerchantChanged, MerchantRepository, PrimaryTaken

if TYPE_CHECKING:
    from vault.merchants.models.bodies import CreateMerchant, UpdateMerchant

_ATTEMPTS = 5
_NOT_NULLABLE = ("company_city", "country_code", "legal_name", "website_url", "three_ds_enabled")


class MerchantService:
    """Use cases of the merchant resource."""

    def __init__(self, repository: MerchantRepository, keyring: Keyring) -> None:
        self._repository = repository
        self._keyring = keyring

    def create(self, account_id: str, wanted: CreateMerchant, once: Once) -> CreatedMerchant:
        """A new merchant: primary if it is the account's first, a submerchant otherwise."""
        for _ in range(_ATTEMPTS):
            primary = not self._repository.has_primary(account_id)
            try:
                return self._insert(account_id, wanted, primary, once)
            except PrimaryTaken:
                continue
        raise Contended

    def _insert(self, account_id: str, wanted: CreateMerchant, primary: bool, once: Once) -> CreatedMerchant:
        encryption_key = rules.new_encryption_key()
        members = wanted.model_dump()
        merchant = Merchant(
            id=ids.new_uuid(),
            account_id=account_id,
            created_at="",
            sequence=0,
            version=1,
            type="primary" if primary else "submerchant",
            encryption_key_start=encryption_key[: rules.KEY_START],
            **_stored(members),
        )
        _require_valid(merchant)
        slot = self._repository.allocate(account_id)
        if slot.sequence >= MOST_MERCHANTS and self._repository.count(account_id) >= MOST_MERCHANTS:
            raise Forbidden(f"An account has at most {MOST_MERCHANTS} merchants")
        merchant = replace(merchant, created_at=slot.created_at, sequence=slot.sequence)
        answer = created(merchant, encryption_key)
        transaction = self._repository.begin()
        once.remember(transaction, encode(answer))
        sealed = self._keyring.seal(account_id, key_context(merchant.id), encryption_key.encode())
        self._repository.insert(transaction, slot, merchant, sealed)
        transaction.commit()
        return answer

    def require(self, account_id: str, merchant_id: str) -> Merchant:
        """A merchant of the account, or MerchantNotFound."""
        merchant = self._repository.find(account_id, merchant_id.lower()) if ids.is_uuid(merchant_id) else None
        if merchant is None:
            raise MerchantNotFound
        return merchant

    def find_primary(self, account_id: str) -> Merchant | None:
        """The account's primary merchant, once one is onboarded."""
        return self._repository.find_primary(account_id)

    def read(self, account_id: str, merchant_id: str) -> MerchantView:
        return view(self.require(account_id, merchant_id))

    def encryption_key(self, merchant: Merchant) -> str:
        """The merchant's whole key, for sealing data to it; only functions that may use the vault's key can.

        Raises:
            MerchantNotFound: it was deleted meanwhile.
        """
        sealed = self._repository.sealed_key(merchant)
        if sealed is None:
            raise MerchantNotFound
        return self._keyring.open(merchant.account_id, key_context(merchant.id), sealed).decode()

    def reseal(self, account_id: str, after: int, limit: int) -> Resealed:
        """Seal encryption keys under the account's newest data key, of up to `limit` merchants behind a place."""
        reached, found = self._repository.sealed_keys_after(account_id, after, limit)
        changed = unreadable = 0
        for merchant_id, old in found.items():
            try:
                renewed = self._keyring.reseal(account_id, key_context(merchant_id), old)
            except CannotOpen:
                unreadable += 1
                continue
            if renewed is not None:
                changed += self._repository.replace_sealed_key(account_id, merchant_id, old, renewed)
        last = self._repository.last_sequence(account_id)
        place = last if reached is None else reached
        return Resealed(place, changed, max(last - place, 0), unreadable)

    def page(self, account_id: str, selection: Selection, by_name: bool) -> Page:
        if by_name:
            return self._repository.page_by_name(account_id, selection)
        return self._repository.page(account_id, selection)

    def update(self, account_id: str, merchant_id: str, wanted: UpdateMerchant) -> MerchantView:
        """Change the members that are given; the merchant as a whole must keep the rules."""
        changes = wanted.model_dump(include=wanted.model_fields_set)
        nulled = [name for name in _NOT_NULLABLE if name in changes and changes[name] is None]
        if nulled:
            raise Invalid([Fault(f"$.{_public(name)}", "must not be null") for name in nulled])
        for _ in range(_ATTEMPTS):
            before = self.require(account_id, merchant_id)
            after = replace(before, version=before.version + 1, **_stored(changes))
            _require_valid(after)
            transaction = self._repository.begin()
            self._repository.replace(transaction, before, after)
            try:
                transaction.commit()
            except MerchantChanged:
                continue
            return view(after)
        raise Contended

    def delete(self, account_id: str, merchant_id: str) -> None:
        """Remove a submerchant and its encryption key. Cannot be undone."""
        for _ in range(_ATTEMPTS):
            merchant = self.require(account_id, merchant_id)
            if merchant.type == "primary":
                raise PrimaryStays
            transaction = self._repository.begin()
            self._repository.remove(transaction, merchant)
            try:
                transaction.commit()
            except MerchantChanged:
                continue
            return
        raise Contended


def key_context(merchant_id: str) -> dict[str, str]:
    """What a merchant's sealed encryption key is bound to."""
    return {"record": "merchant-key", "merchant": merchant_id}


def _stored(members: dict[str, Any]) -> dict[str, Any]:
    """Request members as stored: flags without null, schemes as plain members."""
    stored = dict(members)
    if "identity_and_verification_enabled" in stored:
        stored["identity_and_verification_enabled"] = bool(stored["identity_and_verification_enabled"])
    if "schemes" in stored:
        stored["schemes"] = tuple(json.loads(json.dumps(stored["schemes"] or [])))
    return stored


def _require_valid(merchant: Merchant) -> None:
    found = rules.faults(merchant)
    if found:
        raise Invalid(found)


def _public(name: str) -> str:
    return "3ds_enabled" if name == "three_ds_enabled" else name
