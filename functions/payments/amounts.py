"""Amounts of the payments family: exact decimals at the edges, whole minor units wherever something computes.

Pure. The family's JSON carries amounts as numbers, so an amount is judged by its value and not by how it is written:
10.5 and 10.50 EUR are the same amount, 10.505 EUR is none. Nothing here rounds but what says so.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tollgate import currencies, money
from tollgate.errors import Invalid
from tollgate.money import Rounding

PLACES: Final = 8
"""Decimal places of a quotient that is no amount of money, such as a unit price."""


def require_currency(code: str | None, path: str = "$.currency") -> str:
    """The currency, if payments can be made in it.

    Raises:
        Invalid: at `path`.
    """
    if code is None:
        raise Invalid.at(path, "must be set before the transaction can go on")
    if not currencies.is_currency(code):
        raise Invalid.at(path, "must be an ISO 4217 currency code")
    return code


def units(amount: Decimal | int, currency: str, path: str, *, signed: bool = False) -> int:
    """The amount in minor units: 10.50 EUR is 1050, 100 JPY is 100, 1.234 BHD is 1234.

    Raises:
        Invalid: at `path`, for more places than the currency has, too many digits, or a sign that is not allowed.
    """
    return money.parse(_plain(amount), currency, path=path, signed=signed)


def amount(minor_units: int, currency: str) -> Decimal:
    """Minor units as an exact decimal with all places of the currency."""
    return money.to_decimal(minor_units, currency)


def quotient(numerator: Decimal, denominator: Decimal) -> Decimal:
    """A quotient to eight places, half away from zero, without needless zeros: for unit prices and rates."""
    top, bottom = numerator.as_integer_ratio(), denominator.as_integer_ratio()
    whole = divide(top[0] * bottom[1] * 10**PLACES, top[1] * bottom[0])
    return _trimmed(Decimal(whole).scaleb(-PLACES))


def divide(numerator: int, denominator: int) -> int:
    """A quotient of whole numbers, half away from zero; the denominator may be negative, not zero."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient_, rest = divmod(abs(numerator), denominator)
    if 2 * rest >= denominator:
        quotient_ += 1
    return -quotient_ if numerator < 0 else quotient_


def times(minor_units: int, factor: Decimal) -> int:
    """Minor units times a quantity, to the nearest unit."""
    return money.multiply(minor_units, factor, Rounding.HALF_UP)


def shares(total: int, weights: list[int]) -> list[int]:
    """`total` split in proportion to the weights, to the last unit (largest remainders first, then the first ones).

    No share exceeds its weight as long as the total does not exceed their sum.
    """
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    floors = [total * weight // whole for weight in weights]
    rests = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), n))
    for n in rests[: total - sum(floors)]:
        floors[n] += 1
    return floors


def _plain(value: Decimal | int) -> Decimal | int:
    return value.normalize() if isinstance(value, Decimal) and value.is_finite() else value


def _trimmed(value: Decimal) -> Decimal:
    normal = value.normalize()
    return normal.quantize(Decimal(1)) if int(normal.as_tuple().exponent) > 0 else normal
