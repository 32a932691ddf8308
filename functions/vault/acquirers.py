"""What is asked of an acquirer and what it answers: the port that every connector fulfils.

Amounts are minor units. `reference` is ours, one per operation, and what an acquirer recognises a repetition by and can
be asked about later; `processor_reference` is the acquirer's own. Pure: no I/O, no storage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from tollgate.errors import Conflict, Invalid, NotFound

Kind = Literal["authorise", "capture", "void", "refund"]
Status = Literal["approved", "declined", "pending"]

Reason = Literal[
    "do_not_honor", "insufficient_funds", "expired_card", "authentication_required", "amount_exceeded",
    "not_captured", "not_voidable", "rejected", "never_received",
]  # fmt: skip

KINDS: Final[tuple[Kind, ...]] = ("authorise", "capture", "void", "refund")


@dataclass(frozen=True, slots=True)
class CardOnFile:
    """A card as an acquirer is sent it, at the last moment. The text form shows neither number nor code."""

    account_number: str = field(repr=False)
    expiry_month: int
    expiry_year: int
    cardholder_name: str | None = field(default=None, repr=False)
    security_code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Authentication:
    """The result of a cardholder's authentication, in the terms of EMV 3-D Secure."""

    eci: str | None
    value: str | None = field(default=None, repr=False)
    ds_transaction_id: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing asked of an acquirer. `parent` is the reference of the authorisation that it belongs to; `capture` has
    an authorisation captured in full at once; after a `final` capture there will be no other. `credential` names the
    merchant's access to the acquirer, where it needs one: an authorisation's, and that of all that belongs to it."""

    account_id: str
    kind: Kind
    reference: str
    amount: int
    currency: str
    parent: str | None = None
    authentication: Authentication | None = None
    merchant_initiated: bool = False
    capture: bool = False
    final: bool = False
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an operation. `review` asks the merchant to look before delivering."""

    status: Status
    processor_reference: str
    reason: Reason | None = None
    review: bool = False


class UnknownConnector(Invalid):
    """No acquirer of this name is connected to this deployment."""

    default_message = "The connector is not available in this deployment"


class NotConnected(Invalid):
    """The acquirer asks who the merchant is, and no (valid) credential of this name is known."""

    default_message = "The processor configuration has no valid credential"


class OperationUnknown(NotFound):
    """The acquirer has never heard of an operation of this reference."""

    default_message = "The acquirer knows no such operation"


class ReferenceReused(Conflict):
    """The reference belongs to another operation."""

    default_message = "The reference was used for another operation"


class Acquirer(Protocol):
    """A connector. Each method either answers an outcome or raises `UpstreamTimeout`, after which nobody here knows
    what happened and only `ask` may be tried; any other failure means that the acquirer did nothing.

    A repetition under the same reference has no second effect and answers the first outcome.
    """

    def authorise(self, operation: Operation, card: CardOnFile) -> Outcome: ...

    def carry_out(self, operation: Operation) -> Outcome:
        """Capture, void or refund."""
        ...

    def ask(self, account_id: str, reference: str) -> Outcome:
        """What became of an operation.

        Raises:
            OperationUnknown: it never arrived, and will not.
        """
        ...


class Connectable(Acquirer, Protocol):
    """An acquirer that asks who the merchant is."""

    def connect(self, account_id: str, credential: str, secret: str) -> None:
        """Keep a merchant's access, sealed, once the acquirer has taken it; a later one replaces it.

        Raises:
            NotConnected: the acquirer refused it.
            Upstream: the acquirer did not answer; nothing was kept.
        """
        ...

    def disconnect(self, account_id: str, credential: str) -> None:
        """Forget it. What was authorised under it can be captured, voided and refunded no more."""
        ...
