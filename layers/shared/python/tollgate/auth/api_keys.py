"""API keys: `tg_<environment>_<key id>_<secret>`, looked up by the key id, proved by a keyed digest of the secret.

The secret has 256 random bits and is shown once. What is stored is its HMAC under a key that only KMS can unwrap,
compared in constant time; someone who reads the table can neither use nor test a key. A good key is remembered by the
execution environment for `CACHE_SECONDS`, which is also how long a withdrawn key may still be honoured.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable

from tollgate import clock, ids
from tollgate.auth import records
from tollgate.auth.caller import Caller
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Unauthenticated
from tollgate.store.table import Table

CACHE_SECONDS = 5
_CACHE_SIZE = 1000
_FORMAT = re.compile(r"tg_(?:sbx|live)_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


def new_api_key(environment: str) -> tuple[str, str, str]:
    """A fresh key: (key id, secret, the whole key as the caller sends it)."""
    key_id, secret = ids.new_uuid().replace("-", "")[:16], ids.new_secret()
    return key_id, secret, f"tg_{'live' if environment == 'production' else 'sbx'}_{key_id}_{secret}"


def digest(keyring: Keyring, key_id: str, secret: str) -> str:
    """What is stored of a key."""
    return keyring.digest(records.PLATFORM, records.API_KEY_DOMAIN, f"{key_id}:{secret}".encode())


class ApiKeys:
    """Checks API keys against the identity table."""

    def __init__(self, table: Table, keyring: Keyring, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._table = table
        self._keyring = keyring
        self._monotonic = monotonic
        self._known: dict[bytes, tuple[float, Caller]] = {}

    def authenticate(self, api_key: str) -> Caller:
        """The caller that this key stands for.

        Raises:
            Unauthenticated: not a key, not a key any more, or not the right secret; nobody learns which.
        """
        fingerprint = hashlib.sha256(api_key.encode("utf-8", "replace")).digest()
        known = self._known.get(fingerprint)
        if known and self._monotonic() - known[0] < CACHE_SECONDS:
            return known[1]
        caller = self._look_up(api_key)
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[fingerprint] = (self._monotonic(), caller)
        return caller

    def _look_up(self, api_key: str) -> Caller:
        parts = _FORMAT.fullmatch(api_key)
        if parts is None:
            raise Unauthenticated
        key_id, secret = parts.groups()
        item = self._table.get(*records.api_key_key(key_id))
        if item is None:
            raise Unauthenticated
        right = hmac.compare_digest(str(item["digest"]), digest(self._keyring, key_id, secret))
        if not right or item.get("valid_until", clock.epoch() + 1) <= clock.epoch():
            raise Unauthenticated
        return Caller(str(item["account_id"]), "api_key", key_id)
