"""The account number of a card: what makes one good, which scheme issued it, how much of it may be shown.

Pure rules of ISO/IEC 7812 and PCI DSS 3.4.1, cheap to import. A message names the broken rule and never holds any part
of the number.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tollgate import luhn
from tollgate.errors import Invalid

VISA: Final = "VISA"
MASTERCARD: Final = "Mastercard"
AMERICAN_EXPRESS: Final = "American Express"
DISCOVER: Final = "Discover"
DINERS_CLUB: Final = "Diners Club"
JCB: Final = "JCB"
UNIONPAY: Final = "UnionPay"
UNKNOWN: Final = "Unknown"

SCHEMES: Final = (VISA, MASTERCARD, AMERICAN_EXPRESS, DISCOVER, DINERS_CLUB, JCB, UNIONPAY, UNKNOWN)

# Schemes whose numbers are taken without a valid check digit. Some old UnionPay cards lack one; we ask it of all.
WITHOUT_CHECK_DIGIT: Final[frozenset[str]] = frozenset()

REQUIRED: Final = "is required"
NOT_TEXT: Final = "must be a string"
EMPTY: Final = "must not be empty"

_IIN_DIGITS: Final = 6
_LAST_DIGITS: Final = 4
_KEY_DIGITS: Final = 4


class PanScheme(NamedTuple):
    """One row of the scheme table: inclusive ranges of prefixes (1 to 4 digits) and the PAN lengths issued there."""

    name: str
    prefixes: tuple[tuple[str, str], ...]
    lengths: frozenset[int]


def _row(name: str, prefixes: str, *lengths: int) -> PanScheme:
    ranges = (entry.partition("-") for entry in prefixes.split())
    return PanScheme(name, tuple((low, high or low) for low, _, high in ranges), frozenset(lengths))


# 622126-622925 is shared by Discover and UnionPay and counts as UnionPay, as all of 62 does.
PAN_SCHEMES: Final[tuple[PanScheme, ...]] = (
    _row(VISA, "4", 13, 16, 19),
    _row(MASTERCARD, "51-55 2221-2720", 16),
    _row(AMERICAN_EXPRESS, "34 37", 15),
    _row(DISCOVER, "6011 644-649 65", 16, 17, 18, 19),
    _row(DINERS_CLUB, "300-305 3095 38 39", 14, 15, 16, 17, 18, 19),
    _row(DINERS_CLUB, "36", 14),
    _row(JCB, "3528-3589", 16, 17, 18, 19),
    _row(UNIONPAY, "62 81", 16, 17, 18, 19),
)


def _ranges() -> tuple[tuple[int, int, PanScheme], ...]:
    """The table as ranges over a PAN's first four digits, the longest prefix first."""
    rows = [
        (len(low), int(low.ljust(_KEY_DIGITS, "0")), int(high.ljust(_KEY_DIGITS, "9")), scheme)
        for scheme in PAN_SCHEMES
        for low, high in scheme.prefixes
    ]
    rows.sort(key=lambda row: -row[0])
    return tuple((low, high, scheme) for _, low, high, scheme in rows)


_RANGES: Final = _ranges()


def pan_problem(pan: object) -> str | None:
    """What is wrong with a PAN: 12 to 19 ASCII digits, not all zero, Luhn, a length that its scheme issues."""
    if pan is None:
        return REQUIRED
    if not isinstance(pan, str):
        return NOT_TEXT
    if not pan:
        return EMPTY
    if not (pan.isascii() and pan.isdigit() and luhn.SHORTEST <= len(pan) <= luhn.LONGEST):
        return f"must be {luhn.SHORTEST} to {luhn.LONGEST} digits and nothing else"
    row = _scheme_row(pan)
    unchecked = row is not None and row.name in WITHOUT_CHECK_DIGIT
    if not pan.strip("0") or not (unchecked or luhn.passes(pan)):
        return "is not a valid card number"
    if row is not None and len(pan) not in row.lengths:
        return "has a length that its card scheme does not issue"
    return None


def check_pan(pan: object, path: str = "$.account_number") -> str:
    """The PAN itself, or `Invalid` at `path`."""
    problem = pan_problem(pan)
    if problem is not None:
        raise Invalid.at(path, problem)
    return str(pan)


def detect_scheme(pan: str) -> str:
    """The scheme value of a PAN that `pan_problem` passes: the longest matching prefix decides, none is `Unknown`."""
    row = _scheme_row(pan)
    return UNKNOWN if row is None else row.name


def _scheme_row(pan: str) -> PanScheme | None:
    key = int(pan[:_KEY_DIGITS])
    for low, high, scheme in _RANGES:
        if low <= key <= high:
            return scheme
    return None


def scheme_if_good(pan: object) -> str | None:
    """The scheme of a good PAN, None for a bad one."""
    return detect_scheme(pan) if isinstance(pan, str) and pan_problem(pan) is None else None


def issuer_identification_number(pan: str) -> str:
    """The first six digits (the seed shows six, though ISO/IEC 7812-1:2017 issues eight)."""
    return pan[:_IIN_DIGITS]


def last_four(pan: str) -> str:
    return pan[-_LAST_DIGITS:]


def mask(pan: str) -> str:
    """First six, one `*` per hidden digit, last four: the most that PCI DSS 3.4.1 lets be shown.

    A 12-digit PAN keeps only two digits hidden (and Luhn leaves ten candidates); the shape is the documented one.
    """
    hidden = len(pan) - _IIN_DIGITS - _LAST_DIGITS
    if hidden < 1:
        raise ValueError("too short for a card number")
    return issuer_identification_number(pan) + "*" * hidden + last_four(pan)
