"""Temporary credentials that delegate one transaction, and the addresses of its pages.

Credentials are `<space>-<transaction>-<expiry>-<digest>`: nothing is stored, the digest is keyed with the tenant's data
key and covers the rest. They reach this one transaction and nothing else.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Final

from payments.engine.models import Entity
from payments.transactions.errors import CredentialsInvalid
from tollgate import clock
from tollgate.auth.directory import Directory
from tollgate.crypto.keyring import Keyring

VALID_SECONDS: Final = 24 * 3600
_FORM: Final = re.compile(r"([1-9][0-9]{0,15})-([1-9][0-9]{0,15})-([0-9]{10,12})-([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Delegated:
    """What credentials name."""

    space_id: int
    transaction_id: int
    tenant: str


class Credentials:
    """Makes and reads credentials."""

    def __init__(self, keyring: Keyring, directory: Directory) -> None:
        self._keyring = keyring
        self._directory = directory

    def make(self, tenant: str, space_id: int, transaction_id: int, until: int | None = None) -> str:
        """Credentials for a day, or until a moment (seconds since 1970)."""
        named = f"{space_id}-{transaction_id}-{until or clock.epoch() + VALID_SECONDS}"
        return f"{named}-{self._digest(tenant, named)}"

    def read(self, text: str) -> Delegated:
        """Raises:
        CredentialsInvalid: made up, changed, or past their time.
        """
        parts = _FORM.fullmatch(text)
        if parts is None:
            raise CredentialsInvalid
        space = self._directory.space(int(parts[1]))
        if space is None:
            raise CredentialsInvalid
        named = f"{parts[1]}-{parts[2]}-{parts[3]}"
        if not hmac.compare_digest(self._digest(space.tenant, named), parts[4]) or int(parts[3]) < clock.epoch():
            raise CredentialsInvalid
        return Delegated(int(parts[1]), int(parts[2]), space.tenant)

    def _digest(self, tenant: str, named: str) -> str:
        return self._keyring.digest(tenant, "transaction-credentials", named.encode())


def page_url(base_url: str, space_id: int, transaction_id: int, credentials: str, page: str = "pay") -> str:
    """The address of a transaction's page, fit for a buyer's browser."""
    return f"{base_url}/s/{space_id}/payment/transaction/{page}/{transaction_id}?securityToken={credentials}"


def way_on(transaction: Entity, page: str) -> str:
    """Where a buyer goes on: to the merchant's address for how it ended, else to the page, which says how it stands and
    lets who may try again do so."""
    if transaction.state == "PROCESSING":
        return page
    failed = transaction.state in ("FAILED", "VOIDED", "DECLINE")
    return str(transaction.values.get("failedUrl" if failed else "successUrl") or page)
