"""Amounts: integers of the smallest unit inside, exact decimal text at the edges, and never a binary fraction.

An *asset* is an ISO 4217 currency or one of the crypto assets below. Every function that can lose a fraction takes the
rounding from its caller: what a customer pays and every fee goes `UP`, what a customer receives goes `DOWN`, so that no
sequence of conversions earns anything. Arithmetic is on whole numbers, hence exact at any size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow, Underflow
from enum import Enum
from types import MappingProxyType
from typing import Final

from tollgate import currencies
from tollgate.errors import Invalid

CRYPTO_EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "BCH": 8,
        "BTC": 8,
        "DASH": 8,
        "DOGE": 8,
        "ETH": 18,
        "LTC": 8,
        "SOL": 9,
        "TRX": 6,
        "USDC": 6,
        "USDT": 6,
        "XLM": 7,
        "XRP": 6,
    }
)
"""Digits of an asset's smallest unit in our books. Networks that count an asset otherwise are converted there."""

MOST_WHOLE_DIGITS: Final = 18

_TEXT: Final = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]+)(?:\.(?P<places>[0-9]+))?(?P<exponent>[eE][+-]?[0-9]+)?")

# Wide enough for 18 digits before and after the point; an operation that would still round is an error, not a result.
_EXACT: Final = Context(prec=78, traps=[Inexact, InvalidOperation, Overflow, Underflow])

_NOT_A_NUMBER: Final = "must be a decimal number such as 10.50"
_NEGATIVE: Final = "must not be negative"


class Rounding(Enum):
    """Where a result between two smallest units goes."""

    UP = "away from zero"
    DOWN = "towards zero"
    HALF_UP = "to the nearest, a half away from zero"
    HALF_EVEN = "to the nearest, a half to the even one"


def is_asset(code: str) -> bool:
    return currencies.is_currency(code) or code in CRYPTO_EXPONENTS


def exponent(asset: str) -> int:
    """Digits of the asset's smallest unit.

    Raises:
        KeyError: neither a currency nor a crypto asset that we know.
    """
    found = CRYPTO_EXPONENTS.get(asset)
    return currencies.exponent(asset) if found is None else found


# --- edges ---


def problem(amount: object, asset: str, *, signed: bool = False) -> str | None:
    """What is wrong with an amount that a caller sent, in words that do not quote it; None for a good one.

    A string is judged as it is written (`10.000` has too many places for EUR). A JSON number, which comes as an int or
    a `Decimal`, is judged by its value. A float is refused: what it was meant to be is already lost.
    """
    if isinstance(amount, str):
        return _text_problem(amount, exponent(asset), signed=signed)
    if isinstance(amount, Decimal) or (isinstance(amount, int) and not isinstance(amount, bool)):
        return _number_problem(Decimal(amount), exponent(asset), signed=signed)
    return _NOT_A_NUMBER


def parse(amount: object, asset: str, *, path: str = "$.amount", signed: bool = False) -> int:
    """The amount in smallest units: `"10.50"` EUR is 1050, `"0.00000001"` BTC is 1. Nothing is ever rounded.

    Raises:
        Invalid: at `path`.
    """
    wrong = problem(amount, asset, signed=signed)
    if wrong is not None:
        raise Invalid.at(path, wrong)
    return int(Decimal(str(amount)).scaleb(exponent(asset), _EXACT))


def _text_problem(text: str, places: int, *, signed: bool) -> str | None:
    parts = _TEXT.fullmatch(text)
    if parts is None:
        return _NOT_A_NUMBER
    if parts["exponent"]:
        return "must not use exponent notation"
    if parts["sign"] == "+":
        return "must not have a plus sign"
    if parts["sign"] and not signed:
        return _NEGATIVE
    return _size_problem(len(parts["whole"]), len(parts["places"] or ""), places)


def _number_problem(number: Decimal, places: int, *, signed: bool) -> str | None:
    digits = _EXACT.prec
    if not number.is_finite() or len(number.as_tuple().digits) > digits or abs(number.adjusted()) > digits:
        return _NOT_A_NUMBER
    if number < 0 and not signed:
        return _NEGATIVE
    last = number.normalize(_EXACT).as_tuple().exponent
    return _size_problem(number.adjusted() + 1 if number else 1, -int(last), places)


def _size_problem(whole_digits: int, places_given: int, places: int) -> str | None:
    if whole_digits > MOST_WHOLE_DIGITS:
        return f"must have at most {MOST_WHOLE_DIGITS} digits before the decimal point"
    if places_given > places:
        return f"must have at most {places} decimal places" if places else "must have no decimal places"
    return None


def to_text(units: int, asset: str) -> str:
    """Plain decimal text with all places of the asset and never an exponent: 1 satoshi is `0.00000001`."""
    places = exponent(asset)
    digits = str(abs(units)).rjust(places + 1, "0")
    whole, fraction = (digits[:-places], digits[-places:]) if places else (digits, "")
    return ("-" if units < 0 else "") + whole + ("." + fraction if fraction else "")


def to_decimal(units: int, asset: str) -> Decimal:
    """The amount as an exact decimal with all places of the asset, for APIs whose amounts are JSON numbers."""
    return Decimal(to_text(units, asset))


# --- arithmetic ---


def multiply(units: int, factor: Decimal, rounding: Rounding) -> int:
    """`units` times a factor, such as a fee's or a tax's rate (0.01 for one per cent)."""
    numerator, denominator = factor.as_integer_ratio()
    return _divide(units * numerator, denominator, rounding)


def convert(units: int, source: str, target: str, rate: Decimal, rounding: Rounding) -> int:
    """Units of `source` in units of `target`, at `rate` = target per source."""
    _require_positive(rate)
    numerator, denominator = rate.as_integer_ratio()
    return _divide(units * numerator * 10 ** exponent(target), denominator * 10 ** exponent(source), rounding)


def convert_at_price(units: int, source: str, target: str, price: Decimal, rounding: Rounding) -> int:
    """Units of `source` in units of `target`, at `price` = source per target: 10.00 USD in BTC at so many USD a BTC."""
    _require_positive(price)
    numerator, denominator = price.as_integer_ratio()
    return _divide(units * denominator * 10 ** exponent(target), numerator * 10 ** exponent(source), rounding)


def _require_positive(rate: Decimal) -> None:
    if not (rate.is_finite() and rate > 0):
        raise ValueError("a rate must be a positive number")


def _divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """The quotient as a whole number; `denominator` is positive."""
    quotient, rest = divmod(abs(numerator), denominator)
    if rest and _goes_up(quotient, 2 * rest - denominator, rounding):
        quotient += 1
    return -quotient if numerator < 0 else quotient


def _goes_up(quotient: int, above_half: int, rounding: Rounding) -> bool:
    if rounding is Rounding.HALF_UP:
        return above_half >= 0
    if rounding is Rounding.HALF_EVEN:
        return above_half > 0 or (above_half == 0 and quotient % 2 == 1)
    return rounding is Rounding.UP
