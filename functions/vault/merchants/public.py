"""What other groups of the card zone may ask of merchants."""

from __future__ import annotations

from tollgate.crypto.keyring import Keyring
from tollgate.store.table import Table
from vault.merchants.errors import MerchantNotFound
from vault.merchants.models import Merchant
from vault.merchants.repository import MerchantRepository
from vault.merchants.service import MerchantService

__all__ = ["Merchant", "MerchantNotFound", "MerchantService", "merchants_of"]


def merchants_of(table: Table, keyring: Keyring) -> MerchantService:
    """The merchant use cases of a deployed function."""
    return MerchantService(MerchantRepository(table), keyring)
