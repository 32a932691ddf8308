"""What other groups of the family may ask of the blacklist: to add what a lifecycle event condemns, to read it."""

from __future__ import annotations

from risk.blacklist.errors import Overtaken
from risk.blacklist.models import Entry
from risk.blacklist.repository import BlacklistRepository
from risk.blacklist.service import BlacklistService, NewEntry
from tollgate.crypto.keyring import Keyring
from tollgate.store.table import Table

__all__ = ["BlacklistService", "Entry", "NewEntry", "Overtaken", "blacklist_of"]


def blacklist_of(table: Table, keyring: Keyring) -> BlacklistService:
    """The blacklist use cases of a function of the family."""
    return BlacklistService(BlacklistRepository(table), keyring)
