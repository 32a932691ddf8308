"""Why something failed, as reference data numbers it and as a buyer may be told. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FailureReason:
    """A reason: its number, and what the buyer is shown."""

    id: int
    message: str


_DECLINED: Final = "The payment was declined. Please use another card or contact your bank."

DO_NOT_HONOR: Final = FailureReason(1460954915001, _DECLINED)
NEVER_RECEIVED: Final = FailureReason(1460954915008, "The payment could not be carried out. Please try again.")
TIMED_OUT: Final = FailureReason(1460954915009, "The time for the payment is over.")
CARD_GONE: Final = FailureReason(1460954915010, "The payment details are no longer available.")
NOT_AUTHENTICATED: Final = FailureReason(1460954915011, "The payment was not confirmed with your bank.")
MARKED: Final = FailureReason(1460954915012, "The merchant marked this as failed.")
CANCELED: Final = FailureReason(1460954915013, "The payment was canceled.")

REASONS: Final = {
    "do_not_honor": DO_NOT_HONOR,
    "insufficient_funds": FailureReason(1460954915002, "The card does not have enough funds."),
    "expired_card": FailureReason(1460954915003, "The card has expired."),
    "authentication_required": FailureReason(1460954915004, "The bank asks for a confirmation with 3-D Secure."),
    "amount_exceeded": FailureReason(1460954915005, "The amount exceeds what was authorized."),
    "not_captured": FailureReason(1460954915006, "There is nothing left to pay back."),
    "not_voidable": FailureReason(1460954915007, "The authorization cannot be voided."),
    "rejected": FailureReason(1460954915014, "The processor rejected the operation."),
    "never_received": NEVER_RECEIVED,
}
"""By what acquirers answer."""


def reason(code: str | None) -> FailureReason:
    return REASONS.get(code or "", DO_NOT_HONOR)
