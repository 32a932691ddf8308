"""How far upkeep has come, in the vault table.

Access patterns (`pk`, `sk`):
    a walk over the owners of a keyring       `KEY-UPKEEP#<keyring>`,  `#`
    an account's records sealed anew          `KEY-RESEAL#<account>`,  `#`

Two runs at once may each write down less than the other has done, never more than was done: work is then repeated, and
repeating it changes nothing.
"""

from __future__ import annotations

from dataclasses import asdict

from tollgate.store.table import Table
from vault.keys.models import Resealing, Walk


class UpkeepRepository:
    """Places reached."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def walk(self, keyring: str) -> Walk:
        item = self._table.get(f"KEY-UPKEEP#{keyring}", "#") or {}
        return Walk(keyring, item.get("reached", ""), item.get("ended_at"), item.get("rewrap_before"))

    def reach(self, keyring: str, owner: str) -> None:
        self._table.update(f"KEY-UPKEEP#{keyring}", "#", "SET reached = :owner", values={":owner": owner})

    def end(self, keyring: str, at: str) -> None:
        """The walk has come to its end; the next one starts with the first owner."""
        self._table.update(f"KEY-UPKEEP#{keyring}", "#", "SET ended_at = :at REMOVE reached", values={":at": at})

    def demand(self, keyring: str, rewrap_before: str | None) -> None:
        """Have a walk start anew at the next run, and re-wrap what was wrapped before this moment, if one is given."""
        changes = "REMOVE ended_at, reached"
        if rewrap_before is None:
            self._table.update(f"KEY-UPKEEP#{keyring}", "#", changes)
        else:
            self._table.update(
                f"KEY-UPKEEP#{keyring}",
                "#",
                f"SET rewrap_before = :before {changes}",
                values={":before": rewrap_before},
            )

    def resealing(self, account_id: str) -> Resealing:
        item = self._table.get(f"KEY-RESEAL#{account_id}", "#")
        if item is None:
            return Resealing(account_id)
        return Resealing(account_id, item["done"], item["target"], item["tokens"], item["merchants"])

    def save(self, resealing: Resealing) -> None:
        item = asdict(resealing)
        self._table.put({**item, "pk": f"KEY-RESEAL#{resealing.account_id}", "sk": "#"})
