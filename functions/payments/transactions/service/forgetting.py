"""Has the vault forget cards that are of no more use: of versions that are obsolete, of attempts that came to nothing.

A row of work names what held the card, and goes when the vault has confirmed. Forgetting twice is no fault.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from payments.acquiring import Acquiring
from payments.engine.repository import Objects
from payments.resources.tokens import TOKEN_VERSION
from payments.resources.transactions import CHARGE_ATTEMPT
from payments.transactions.models import CARD_QUEUE, OF_ATTEMPT, OF_VERSION, CardFacts
from payments.transactions.repository import TransactionRepository
from payments.work import Work
from tollgate.errors import UpstreamTimeout

MOST_PER_SHARD: Final = 50
_HOLDERS: Final = {OF_VERSION: TOKEN_VERSION, OF_ATTEMPT: CHARGE_ATTEMPT}


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Has cards forgotten."""

    objects: Objects
    repository: TransactionRepository
    acquiring: Acquiring

    def due(self) -> Iterator[Callable[[], int]]:
        """What is due now, each as what does it and answers 1."""
        for row in self.repository.due(CARD_QUEUE, MOST_PER_SHARD):
            yield partial(self.forget, row)

    def forget(self, row: Work) -> int:
        """One card."""
        holder = self.objects.find(_HOLDERS[row.kind], row.scope, row.object_id)
        card = CardFacts.read(holder.attributes.get("card")) if holder is not None else None
        with contextlib.suppress(UpstreamTimeout):
            if card is not None:
                self.acquiring.forget(row.tenant, card.token_id)
            self.repository.forget(row)
            return 1
        return 0
