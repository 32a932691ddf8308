"""What is kept of an operation at Stripe, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from vault.acquirers import Kind, Outcome

Stage = Literal["begun", "sent", "decided", "never"]
"""*begun*: written down, and nothing that moves money was sent; *sent*: something was, or is about to be; *never*: it
did not arrive and will not be sent any more."""

TOTAL_SECONDS: Final = 20
"""How long an operation may take with all its calls: less than the door has."""
SETTLED_SECONDS: Final = 300
"""When what was sent has arrived if it ever will: many times the longest that a door, a line and Stripe may take."""
RETENTION_SECONDS: Final = 400 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Booked:
    """An operation in the books. Amounts are minor units of ISO 4217, `captured` what was captured of an authorisation;
    `several` says that it may be captured in parts. `intent` is Stripe's id of the payment."""

    account_id: str
    reference: str
    kind: Kind | Literal["none"]
    amount: int
    currency: str
    parent: str | None
    credential: str
    stage: Stage
    begun_at: int
    intent: str | None = None
    outcome: Outcome | None = None
    captured: int = 0
    several: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a card was not charged, in Stripe's words: the issuer's reason and the code of the error; either may be
    missing."""

    decline_code: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Payment:
    """A PaymentIntent as far as it matters here: why its last attempt failed, and the names in its metadata."""

    id: str
    status: str
    refusal: Refusal | None
    several: bool
    marks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Repayment:
    """A Refund as far as it matters here."""

    id: str
    status: str
