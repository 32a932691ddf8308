"""The reader of a simulated terminal: which card is held to it, and when, as the amount says. Pure.

A sandbox has no device. So that every course of a payment can be brought about, the last two digits of the amount in
minor units choose one; all others are approved at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

SLOWLY: Final = 40
"""Seconds until a slow buyer finds the card: longer than one request is kept waiting."""

_APPROVED: Final = "4242424242424242"
_DECLINED: Final = "4000000000000002"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader shows after so many seconds: a card, nothing yet, or that the buyer went away."""

    card: dict[str, Any] | None = None
    cancelled: bool = False


def reading(amount: int, seconds: int, year: int) -> Reading:
    """What a reader shows some seconds after it was told the amount; cards end in the year after `year`."""
    match amount % 100:
        case 71:
            return Reading(_card(_APPROVED, year)) if seconds >= SLOWLY else Reading()
        case 72:
            return Reading(cancelled=True)
        case 73:
            return Reading(_card(_DECLINED, year))
        case 74:
            return Reading()
    return Reading(_card(_APPROVED, year))


def _card(number: str, year: int) -> dict[str, Any]:
    return {"account_number": number, "expiry_month": 12, "expiry_year": year + 1}
