"""An account's risk instance: its name as an audience, its edition, its PCI level, as provisioned.

Read by the risk dialect on every request and by the token endpoint. It is never cached: an operator's switch counts
from the next request on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tollgate.auth import records
from tollgate.store.table import Table

Edition = Literal["core", "connect"]
PciLevel = Literal["SAQ_A", "SAQ_D", "ROC"]

EDITIONS: Final = ("core", "connect")
PCI_LEVELS: Final = ("SAQ_A", "SAQ_D", "ROC")


@dataclass(frozen=True, slots=True)
class Instance:
    """What was provisioned. `takes_pans` follows from the PCI level: SAQ A never sees a card number."""

    account_id: str
    audience: str
    edition: Edition
    pci_level: PciLevel

    @property
    def is_connect(self) -> bool:
        return self.edition == "connect"

    @property
    def takes_pans(self) -> bool:
        return self.pci_level != "SAQ_A"


class Instances:
    """The risk instances of all accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, account_id: str) -> Instance | None:
        item = self._table.get(*records.risk_instance_key(account_id))
        return Instance(account_id, item["audience"], item["edition"], item["pci_level"]) if item else None
