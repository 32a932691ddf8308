"""What a transaction keeps beside its document: the attributes that decisions and later operations need.

Amounts are minor units. `reference` names the authorisation at the acquirer; those of captures, voids and refunds are
made of it and the number of their object, so that a repetition is known as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from payments import line_items
from payments.acquiring import KeptCard
from payments.engine import documents
from payments.engine.models import Context, Entity
from payments.line_items import LineItem

QUEUE: Final = "transactions"

CHARGE: Final = "charge"
COMPLETION: Final = "completion"
VOID: Final = "void"
AUTHORISATION_ENDS: Final = "authorisation-ends"
COMPLETION_ENDS: Final = "completion-ends"
"""Kinds of work."""

INVOICE_QUEUE: Final = "invoices"
INVOICE_DUE: Final = "due"
OUTSTANDING: Final = ("OPEN", "OVERDUE")
"""The states of an invoice that is not paid."""
CARD_QUEUE: Final = "cards"
OF_VERSION: Final = "version"
OF_ATTEMPT: Final = "attempt"
"""Kinds of cards to be forgotten: that of a token version, and that of an attempt which came to nothing."""

AUTHORISATION_HOURS: Final = 24
"""How long a transaction may wait for its payment."""
COMPLETION_DAYS: Final = 7
"""How long an authorisation may wait for its completion."""
END_OF_LIFE_YEARS: Final = 10

DONE: Final = ("COMPLETED", "FULFILL", "DECLINE")
"""The states in which there is money to pay back."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What may be known of a card on file, for labels and token versions."""

    token_id: str
    masked: str
    scheme: str
    expiry_month: int
    expiry_year: int
    fingerprint: str

    @classmethod
    def of(cls, card: KeptCard) -> CardFacts:
        return cls(
            card.token_id, card.masked_account_number, card.scheme, card.expiry_month, card.expiry_year,
            card.fingerprint,
        )  # fmt: skip

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> CardFacts | None:
        return cls(**stored) if stored else None

    def stored(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Acting:
    """On whose behalf something is done: the tenant, the space's scope, the user (None for the clock)."""

    tenant: str
    scope: str
    user_id: int | None = None

    @classmethod
    def of(cls, context: Context) -> Acting:
        """Who makes a request."""
        return cls(context.tenant, f"S{context.place.space_id}", context.user_id)


def is_under_way(transaction: Entity) -> bool:
    """Whether an attempt to pay has begun that nobody knows the outcome of yet."""
    return transaction.state == "PROCESSING" and transaction.attributes.get("attempt") is not None


def currency_of(transaction: Entity) -> str:
    return str(transaction.values["currency"])


def lines(transaction: Entity, attribute: str) -> list[LineItem] | None:
    """Line items that are kept beside the document; None where they are those of the transaction itself."""
    stored = transaction.attributes.get(attribute)
    if stored is None:
        return None
    return line_items.parts_from(transaction.values["lineItems"], documents.decode(stored), currency_of(transaction))


def kept_lines(transaction: Entity, parts: list[LineItem]) -> str:
    """Parts of a transaction's line items as they are kept beside the document: by their places, so that they are
    small whatever the lines say."""
    return documents.encode(line_items.as_parts(transaction.values["lineItems"], parts, currency_of(transaction)))


def remaining_lines(transaction: Entity) -> list[LineItem]:
    """What is left to complete."""
    kept = lines(transaction, "remaining_lines")
    return list(transaction.values["lineItems"]) if kept is None else kept


def completed_lines(transaction: Entity) -> list[LineItem]:
    """What was completed, which is what can be paid back."""
    kept = lines(transaction, "completed_lines")
    return list(transaction.values["lineItems"]) if kept is None else kept


def operation_reference(transaction: Entity, kind: str, number: int) -> str:
    return f"{transaction.attributes['reference']}/{kind}/{number}"


def epoch_of(moment: datetime) -> int:
    return int(moment.timestamp())
