"""What makes card details good: number, scheme, expiry, security code, cardholder name (PCI DSS 3.4.1, ISO/IEC 7812).

Pure rules for every door through which cards come in (tokens, imports, sessions), cheap to import: no models, no I/O,
no clock. A message names the broken rule and never holds any part of the value, because messages are shown and logged.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Protocol, TypeGuard

from tollgate import luhn
from tollgate.errors import Fault, Invalid

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

# What the name becomes when a token is deleted or expires: the row stays, the person goes.
ANONYMIZED: Final = "ANONYMIZED"

LONGEST_NAME: Final = 255
MOST_YEARS_AHEAD: Final = 50

_IIN_DIGITS: Final = 6
_LAST_DIGITS: Final = 4
_KEY_DIGITS: Final = 4
# A month ends last in UTC-12, so a card is good until it has ended everywhere.
_LAST_ZONE: Final = timezone(timedelta(hours=-12))
_MONTHS: Final = range(1, 13)
_FOUR_DIGIT_YEARS: Final = range(1000, 10_000)
_CODE_DIGITS: Final = 3
_AMERICAN_EXPRESS_CODE_DIGITS: Final = 4
_CONTROL_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})

_REQUIRED: Final = "is required"
_NOT_TEXT: Final = "must be a string"
_NOT_WHOLE: Final = "must be a whole number"
_EMPTY: Final = "must not be empty"


@dataclass(frozen=True, slots=True)
class PanScheme:
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


class CardDetails(Protocol):
    """Card details as a caller sent them: any model or record with these members, whatever they hold."""

    @property
    def account_number(self) -> object: ...
    @property
    def expiry_month(self) -> object: ...
    @property
    def expiry_year(self) -> object: ...
    @property
    def cardholder_name(self) -> object: ...
    @property
    def security_code(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Card:
    """Card details that keep the rules of this module. The text form shows neither the number nor the code."""

    account_number: str = field(repr=False)
    expiry_month: int
    expiry_year: int
    cardholder_name: str | None = field(default=None, repr=False)
    security_code: str | None = field(default=None, repr=False)

    @property
    def scheme(self) -> str:
        return detect_scheme(self.account_number)

    @property
    def issuer_identification_number(self) -> str:
        return issuer_identification_number(self.account_number)

    @property
    def masked_account_number(self) -> str:
        return mask(self.account_number)


@dataclass(frozen=True, slots=True)
class _Sent:
    account_number: object
    expiry_month: object
    expiry_year: object
    cardholder_name: object
    security_code: object


def read_card(members: Mapping[str, object], now: datetime, root: str = "$") -> Card:
    """The card in a JSON object (or a CSV row with typed cells), or `Invalid` with every fault.

    Other members are ignored, and an optional member that is `null` is absent.
    """
    sent = _Sent(*(members.get(name) for name in _Sent.__slots__))
    found = faults(sent, now, root)
    if found:
        raise Invalid(found)
    return Card(**{name: members.get(name) for name in _Sent.__slots__})  # type: ignore[arg-type]


def faults(card: CardDetails, now: datetime, root: str = "$") -> list[Fault]:
    """Every broken rule at once, with paths such as `$.account_number`; empty for a good card. `now` is aware."""
    problems = {
        "account_number": pan_problem(card.account_number),
        **_expiry_problems(card.expiry_month, card.expiry_year, now),
        "cardholder_name": name_problem(card.cardholder_name),
        "security_code": security_code_problem(card.security_code, _scheme_if_good(card.account_number)),
    }
    return [Fault(f"{root}.{member}", message) for member, message in problems.items() if message]


# --- account number ---


def pan_problem(pan: object) -> str | None:
    """What is wrong with a PAN: 12 to 19 ASCII digits, not all zero, Luhn, a length that its scheme issues."""
    if pan is None:
        return _REQUIRED
    if not isinstance(pan, str):
        return _NOT_TEXT
    if not pan:
        return _EMPTY
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


def _scheme_if_good(pan: object) -> str | None:
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


# --- expiry ---


def is_expired(expiry_year: int, expiry_month: int, now: datetime) -> bool:
    """True once the last moment of the month has passed in UTC-12, the last zone on earth to leave it."""
    there = now.astimezone(_LAST_ZONE)
    return (expiry_year, expiry_month) < (there.year, there.month)


def _expiry_problems(month: object, year: object, now: datetime) -> dict[str, str | None]:
    problems = {"expiry_month": _month_problem(month), "expiry_year": _year_problem(year, now)}
    if _is_whole(month) and _is_whole(year) and not any(problems.values()) and is_expired(year, month, now):
        problems["expiry_month"] = "is in the past"
    return problems


def _month_problem(month: object) -> str | None:
    if month is None:
        return _REQUIRED
    if not _is_whole(month):
        return _NOT_WHOLE
    return None if month in _MONTHS else "must be from 1 to 12"


def _year_problem(year: object, now: datetime) -> str | None:
    if year is None:
        return _REQUIRED
    if not _is_whole(year):
        return _NOT_WHOLE
    if year not in _FOUR_DIGIT_YEARS:
        return "must have four digits"
    if year > now.astimezone(UTC).year + MOST_YEARS_AHEAD:
        return f"must not be more than {MOST_YEARS_AHEAD} years ahead"
    return "is in the past" if year < now.astimezone(_LAST_ZONE).year else None


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


# --- security code ---


def security_code_problem(code: object, scheme: str | None) -> str | None:
    """Optional; three ASCII digits, or four for American Express, and either when no scheme is known."""
    if code is None:
        return None
    if not isinstance(code, str):
        return _NOT_TEXT
    if not code:
        return _EMPTY
    lengths = [_CODE_DIGITS]
    if scheme is None or scheme == AMERICAN_EXPRESS:
        lengths.append(_AMERICAN_EXPRESS_CODE_DIGITS)
    if code.isascii() and code.isdigit() and len(code) in lengths:
        return None
    return f"must be {' or '.join(map(str, lengths))} digits"


# --- cardholder name ---


def name_problem(name: object) -> str | None:
    """Optional; 1 to 255 characters, something visible, no control character or line break, no card number."""
    if name is None:
        return None
    if not isinstance(name, str):
        return _NOT_TEXT
    if not name:
        return _EMPTY
    if len(name) > LONGEST_NAME:
        return f"must have at most {LONGEST_NAME} characters"
    if not name.isprintable() and any(unicodedata.category(character) in _CONTROL_CATEGORIES for character in name):
        return "must not contain control characters"
    if not any(character.isprintable() and not character.isspace() for character in name):
        return "must not be blank"
    return "must not contain a card number" if _hides_pan(name) else None


def _hides_pan(name: str) -> bool:
    """True for a card number however it is spaced or spelled: only letters and digits are looked at, in NFKC."""
    compact = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name)))
    return next(luhn.spans(compact), None) is not None
