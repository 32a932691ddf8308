"""Where an account may have cards sent to.

Access pattern (`pk`, `sk`; identity table, layout in `tollgate.auth.records`): an account  `ACCOUNT#<account>`, `#`
"""

from __future__ import annotations

from tollgate.auth import records
from tollgate.store.table import Table


class DestinationRepository:
    """Reads the list that provisioning keeps. Never cached: a withdrawn destination is withdrawn."""

    def __init__(self, identity: Table) -> None:
        self._identity = identity

    def of(self, account_id: str) -> tuple[str, ...]:
        """The URL prefixes that the account lists; none when it lists none."""
        item = self._identity.get(*records.account_key(account_id))
        return tuple(item.get("forward_destinations", ())) if item else ()
