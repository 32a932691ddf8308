"""Data keys of an owner, wrapped in a table and held in clear for minutes.

Access patterns (`pk`, `sk`):
    all data keys of an owner, newest first   `KEYS#<keyring>#<owner>`, `<purpose>#<number>`
    all owners of a keyring                   `KEY-OWNERS#<keyring>`,   `<owner>`

An owner (an account, or the platform) has a sequence of numbered data keys per purpose. New records are sealed under
the newest; each sealed record names the number it needs, so rotation is one new row and nothing else. Re-wrapping after
a change of the KMS key touches only these rows. A `mac` key is not rotated: fingerprints made with it must stay
comparable.

Each record is sealed under a key of its own, which is itself sealed under the data key and stands in the record: what
is destroyed with the record cannot be opened by the holder of the data key. The layout of a sealed record::

    1 byte   version (1)
    4 bytes  number of the data key, big endian
    60 bytes record key, sealed: 12 nonce + 32 key + 16 tag   (associated data: the context)
    n bytes  payload, sealed:    12 nonce + n - 28 + 16 tag   (associated data: the context)
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tollgate import clock
from tollgate.crypto.keys import DATA_KEY_BYTES, KeyService
from tollgate.store.table import ConditionFailed, Table

Purpose = Literal["seal", "mac"]

CACHE_SECONDS = 300
_VERSION = 1
_NONCE = 12
_TAG = 16
_WRAPPED_RECORD_KEY = _NONCE + DATA_KEY_BYTES + _TAG
_HEADER = 1 + 4
_KEY_ROWS_READ = 50


class CannotOpen(Exception):
    """A sealed record was changed, cut, moved to another owner or context, or its key is gone."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """How far sealing an owner's records anew came: the place reached, how many were, how many places are left at
    most, and how many records could not be opened."""

    reached: int
    changed: int
    left: int
    unreadable: int = 0


class Keyring:
    """Seals, opens and digests for the owners whose data keys lie in one table under one key service."""

    def __init__(
        self, table: Table, service: KeyService, name: str, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._table = table
        self._service = service
        self._name = name
        self._monotonic = monotonic
        self._clear: dict[tuple[str, Purpose, int], tuple[float, bytes]] = {}
        self._newest: dict[tuple[str, Purpose], tuple[float, int]] = {}

    # ------------------------------------------------------------------ records

    def seal(self, owner: str, context: Mapping[str, str], payload: bytes) -> bytes:
        """Encrypt `payload` so that only this owner's keyring opens it, and only for the same context."""
        number = self._newest_number(owner, "seal")
        record_key = os.urandom(DATA_KEY_BYTES)
        bound = _associated(owner, context)
        wrapped = _seal(self._key(owner, "seal", number), record_key, bound)
        return bytes([_VERSION]) + number.to_bytes(4, "big") + wrapped + _seal(record_key, payload, bound)

    def open(self, owner: str, context: Mapping[str, str], sealed: bytes) -> bytes:
        """Decrypt what `seal` made.

        Raises:
            CannotOpen: it was changed, or belongs to another owner or context.
        """
        number = number_of(sealed)
        bound = _associated(owner, context)
        try:
            record_key = _open(self._key(owner, "seal", number), sealed[_HEADER : _HEADER + _WRAPPED_RECORD_KEY], bound)
            return _open(record_key, sealed[_HEADER + _WRAPPED_RECORD_KEY :], bound)
        except InvalidTag:
            raise CannotOpen from None

    def reseal(self, owner: str, context: Mapping[str, str], sealed: bytes) -> bytes | None:
        """The same content under the owner's newest data key, or None where it is under that already.

        Raises:
            CannotOpen: as for `open`.
        """
        if number_of(sealed) == self._newest_number(owner, "seal"):
            return None
        return self.seal(owner, context, self.open(owner, context, sealed))

    def digest(self, owner: str, domain: str, message: bytes) -> str:
        """HMAC-SHA-256 of `message` under the owner's mac key, as 64 hex digits; `domain` keeps uses apart."""
        key = self._key(owner, "mac", self._newest_number(owner, "mac"))
        return hmac.new(key, domain.encode() + b"\x00" + message, hashlib.sha256).hexdigest()

    # ------------------------------------------------------------------ life of the keys

    def rotate(self, owner: str) -> int:
        """Put a new data key in use for new records; answers its number."""
        number = self._newest_number(owner, "seal", fresh=True) + 1
        self._create(owner, "seal", number)
        self._newest.pop((owner, "seal"), None)
        return self._newest_number(owner, "seal", fresh=True)

    def rewrap(self, owner: str, *, wrapped_before: str | None = None) -> int:
        """Wrap the owner's data keys under the newest KMS key material: all, or those last wrapped before a moment
        (RFC 3339, UTC). Answers how many were."""
        count = 0
        for row in self._table.query(self._partition(owner)):
            if wrapped_before is not None and str(row.get("rewrapped_at", row["created_at"])) >= wrapped_before:
                continue
            purpose, _, number = row["sk"].partition("#")
            renewed = self._service.rewrap(row["wrapped"], self._context(owner, purpose, int(number)))
            with contextlib.suppress(ConditionFailed):  # somebody else has just done it
                self._table.update(
                    row["pk"], row["sk"], "SET #wrapped = :new, rewrapped_at = :at",
                    names={"#wrapped": "wrapped"},
                    values={":new": renewed, ":old": row["wrapped"], ":at": clock.iso(clock.now())},
                    condition="#wrapped = :old",
                )  # fmt: skip
                count += 1
        return count

    def owners(self, after: str, limit: int) -> list[str]:
        """Up to `limit` owners that have data keys here, in order, behind `after` (empty: from the first)."""
        rows = self._table.query(_owners(self._name), low=f"{after}\x00", limit=limit, project=("sk",))
        return [str(row["sk"]) for row in rows]

    def newest(self, owner: str) -> tuple[int, str] | None:
        """The number of the newest data key for sealing, which is used from now on, and when it was made (RFC 3339);
        None without one."""
        rows = self._table.query(self._partition(owner), prefix="seal#", limit=1, descending=True)
        if not rows:
            return None
        number = int(rows[0]["sk"].partition("#")[2])
        self._newest[(owner, "seal")] = (self._monotonic(), number)
        return number, str(rows[0]["created_at"])

    def _newest_number(self, owner: str, purpose: Purpose, *, fresh: bool = False) -> int:
        cached = self._newest.get((owner, purpose))
        if cached and not fresh and self._monotonic() - cached[0] < CACHE_SECONDS:
            return cached[1]
        if self._load(owner, purpose) is None and not self._create(owner, purpose, 1):
            self._load(owner, purpose)
        return self._newest[(owner, purpose)][1]

    def _load(self, owner: str, purpose: Purpose) -> int | None:
        """Read which key is newest; every row read on the way spares a later read."""
        rows = self._table.query(self._partition(owner), prefix=f"{purpose}#", limit=_KEY_ROWS_READ, descending=True)
        if not rows:
            return None
        newest = int(rows[0]["sk"].partition("#")[2])
        self._newest[(owner, purpose)] = (self._monotonic(), newest)
        self._unwrap(owner, purpose, newest, rows[0]["wrapped"])
        return newest

    def _create(self, owner: str, purpose: Purpose, number: int) -> bool:
        """Store a new data key and remember it; False when another writer was first and theirs is the one. The owner is
        noted before, so that upkeep never misses a key."""
        if number == 1:
            self._table.put({"pk": _owners(self._name), "sk": owner})
        key, wrapped = self._service.generate(self._context(owner, purpose, number))
        row = {
            "pk": self._partition(owner),
            "sk": f"{purpose}#{number:06d}",
            "wrapped": wrapped,
            "created_at": clock.iso(clock.now()),
        }
        try:
            self._table.put(row, unless_exists=True)
        except ConditionFailed:
            return False
        self._newest[(owner, purpose)] = (self._monotonic(), number)
        self._clear[(owner, purpose, number)] = (self._monotonic(), key)
        return True

    def _key(self, owner: str, purpose: Purpose, number: int) -> bytes:
        cached = self._clear.get((owner, purpose, number))
        if cached and self._monotonic() - cached[0] < CACHE_SECONDS:
            return cached[1]
        row = self._table.get(self._partition(owner), f"{purpose}#{number:06d}")
        if row is None:
            raise CannotOpen
        return self._unwrap(owner, purpose, number, row["wrapped"])

    def _unwrap(self, owner: str, purpose: Purpose, number: int, wrapped: bytes) -> bytes:
        cached = self._clear.get((owner, purpose, number))
        if cached and self._monotonic() - cached[0] < CACHE_SECONDS:
            return cached[1]
        key = self._service.unwrap(wrapped, self._context(owner, purpose, number))
        self._clear[(owner, purpose, number)] = (self._monotonic(), key)
        return key

    def _partition(self, owner: str) -> str:
        return f"KEYS#{self._name}#{owner}"

    def _context(self, owner: str, purpose: str, number: int) -> dict[str, str]:
        return {"keyring": self._name, "owner": owner, "purpose": purpose, "number": str(number)}


def _owners(name: str) -> str:
    return f"KEY-OWNERS#{name}"


def number_of(sealed: bytes) -> int:
    """The number of the data key that a sealed record needs.

    Raises:
        CannotOpen: it is no sealed record.
    """
    if len(sealed) < _HEADER + _WRAPPED_RECORD_KEY + _NONCE + _TAG or sealed[0] != _VERSION:
        raise CannotOpen
    return int.from_bytes(sealed[1:_HEADER], "big")


def _associated(owner: str, context: Mapping[str, str]) -> bytes:
    """Owner and context in one unambiguous byte string: each part is preceded by its length."""
    parts = [owner, *(text for name in sorted(context) for text in (name, context[name]))]
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)


def _seal(key: bytes, payload: bytes, associated: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, payload, associated)


def _open(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], associated)
