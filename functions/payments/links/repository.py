"""How often links were used.

Access pattern (`pk`, `sk`): transactions made by a link  `S<space>#paymentLink#used`, `<id, 16 digits>`
"""

from __future__ import annotations

from payments.engine.models import Entity
from payments.engine.repository import Objects, key, partition
from payments.links.errors import LinkClosed
from payments.resources.links import PAYMENT_LINK
from tollgate.store.table import ConditionFailed


class LinkUses:
    """Counts of links with a limit."""

    def __init__(self, objects: Objects) -> None:
        self._table = objects.table

    def of(self, link: Entity) -> int:
        row = self._table.get(*_counter(link))
        return int(row["used"]) if row else 0

    def count(self, link: Entity, most: int) -> None:
        """Raises:
        LinkClosed: it was used as often as it may.
        """
        try:
            self._table.update(
                *_counter(link), "ADD used :one", values={":one": 1, ":most": most},
                condition="attribute_not_exists(used) OR used < :most",
            )  # fmt: skip
        except ConditionFailed:
            raise LinkClosed from None

    def take_back(self, link: Entity) -> None:
        self._table.update(*_counter(link), "ADD used :back", values={":back": -1})


def _counter(link: Entity) -> tuple[str, str]:
    return f"{partition(PAYMENT_LINK, link.scope)}#used", key(link.id)
