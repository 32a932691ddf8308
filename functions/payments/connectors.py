"""The connectors that a space can be configured with: which processor, which method, which acquirer behind them.

Pure data. Numbers are those of the reference data (`resources/data`), names of acquirers those of the card zone's door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TEST: Final = "TEST"
PRODUCTION: Final = "PRODUCTION"
CARD_METHOD: Final = 1457546097597
INVOICE_METHOD: Final = 1457546097601
TEST_PROCESSOR: Final = 1452507942258
CARD_CONNECTOR: Final = 1461674005576
INVOICE_CONNECTOR: Final = 1461674005580
STRIPE_PROCESSOR: Final = 1452507942262
STRIPE_CARD_CONNECTOR: Final = 1461674005584


@dataclass(frozen=True, slots=True)
class Connector:
    """One way to a processor. `acquirer` is None where no card is charged: the buyer pays an invoice later. One that is
    `connected` asks who the merchant is: through a processor configuration without a key it rejects every payment."""

    id: int
    processor: int
    method: int
    acquirer: str | None
    connected: bool = False

    @property
    def takes_cards(self) -> bool:
        return self.acquirer is not None

    @property
    def environment(self) -> str:
        """Whether its payments move money (PRODUCTION, unless the merchant's key is one for tests) or never do."""
        return TEST if self.processor == TEST_PROCESSOR else PRODUCTION


CONNECTORS: Final = {
    each.id: each
    for each in (
        Connector(CARD_CONNECTOR, TEST_PROCESSOR, CARD_METHOD, "test"),
        Connector(INVOICE_CONNECTOR, TEST_PROCESSOR, INVOICE_METHOD, None),
        Connector(STRIPE_CARD_CONNECTOR, STRIPE_PROCESSOR, CARD_METHOD, "stripe", connected=True),
    )
}

PAYMENT_DAYS: Final = 30
"""How long after completion an invoice of an invoice connector is due."""


def connected_acquirer(processor: int | None) -> str | None:
    """The acquirer behind a processor that asks who the merchant is; None for a processor that does not."""
    return next((each.acquirer for each in CONNECTORS.values() if each.processor == processor and each.connected), None)
