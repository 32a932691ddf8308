"""What is owed: period fees with their share of a cycle, metered fees with tiers, setup fees. Pure.

Amounts are minor units, rounded once per ledger entry, half away from zero. A tier holds the quantities from its
`startRange` on, that one included: with tiers from 0 and from 10, the tenth unit belongs to the second tier. Under
CHEAPEST_TIER_PRICING all units cost what the cheapest tier reached costs; under INCREMENTAL_DISCOUNT_PRICING each unit
costs what its own tier costs. Units below the first tier cost nothing. Source: fact file 2.15, 4.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from payments import amounts
from payments.subscriptions.rules.cycles import Period

CHEAPEST: Final = "CHEAPEST_TIER_PRICING"
INCREMENTAL: Final = "INCREMENTAL_DISCOUNT_PRICING"


@dataclass(frozen=True, slots=True)
class Tier:
    """From a quantity on, a unit costs so much, in the currency's unit."""

    start: Decimal
    price: Decimal


def metered(units: Decimal, tiers: Sequence[Tier], pricing: str, currency: str) -> int:
    """What the units of a period cost, in minor units."""
    if units <= 0:
        return 0
    ordered = sorted(tiers, key=lambda tier: tier.start)
    if pricing == CHEAPEST:
        reached = [Fraction(tier.price) for tier in ordered if tier.start <= units]
        return _minor(Fraction(units) * min(reached), currency) if reached else 0
    return _minor(
        sum((count * Fraction(tier.price) for tier, count in _per_tier(units, ordered)), Fraction()), currency
    )


def _per_tier(units: Decimal, ordered: Sequence[Tier]) -> list[tuple[Tier, Fraction]]:
    """How much of the units lies in each tier. The n-th unit lies between n - 1 and n."""
    whole = Fraction(units)
    ends = [_begin(tier) for tier in ordered[1:]] + [whole]
    return [(tier, max(min(whole, end) - _begin(tier), Fraction())) for tier, end in zip(ordered, ends, strict=True)]


def _begin(tier: Tier) -> Fraction:
    return max(Fraction(tier.start) - 1, Fraction())


def share(period: Period) -> Fraction:
    """The part of its cycle that a period is."""
    return _span(period.start, period.end) / _span(period.cycle_start, period.cycle_end)


def _span(start: datetime, end: datetime) -> Fraction:
    past = end - start
    return Fraction((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds)


def period_fee(fee: int, quantity: Decimal, period: Period) -> int:
    """A fee per cycle, in minor units, for so many of a component over a period."""
    exact = fee * Fraction(quantity) * share(period)
    return amounts.divide(exact.numerator, exact.denominator)


def credit(fee: int, quantity: Decimal, charged: Period, used: datetime) -> int:
    """What of a period's fee is given back when the period ends earlier than was charged for: never more, never less
    than the difference between both."""
    return period_fee(fee, quantity, charged) - period_fee(fee, quantity, charged.until(used))


def _minor(exact: Fraction, currency: str) -> int:
    scaled = exact / Fraction(amounts.amount(1, currency))
    return amounts.divide(scaled.numerator, scaled.denominator)
