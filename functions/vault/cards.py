"""What makes card details good: account number (from `vault.pans`), expiry, security code, cardholder name.

Pure rules for every door through which cards come in (tokens, imports, sessions), cheap to import: no models, no I/O,
no clock. A message names the broken rule and never holds any part of the value, because messages are shown and logged.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, TypeGuard

from tollgate import luhn
from tollgate.errors import Fault, Invalid
from vault.pans import (
    AMERICAN_EXPRESS,
    EMPTY,
    NOT_TEXT,
    REQUIRED,
    SCHEMES,
    check_pan,
    detect_scheme,
    issuer_identification_number,
    last_four,
    mask,
    pan_problem,
    scheme_if_good,
)

__all__ = [
    "ANONYMIZED",
    "LONGEST_NAME",
    "MOST_YEARS_AHEAD",
    "SCHEMES",
    "Card",
    "check_pan",
    "detect_scheme",
    "faults",
    "is_expired",
    "issuer_identification_number",
    "last_four",
    "mask",
    "name_problem",
    "pan_problem",
    "read_card",
    "security_code_problem",
]

# What the name becomes when a token is deleted or expires: the row stays, the person goes.
ANONYMIZED: Final = "ANONYMIZED"

LONGEST_NAME: Final = 255
MOST_YEARS_AHEAD: Final = 50

# A month ends last in UTC-12, so a card is good until it has ended everywhere.
_LAST_ZONE: Final = timezone(timedelta(hours=-12))
_MONTHS: Final = range(1, 13)
_FOUR_DIGIT_YEARS: Final = range(1000, 10_000)
_CODE_DIGITS: Final = 3
_AMERICAN_EXPRESS_CODE_DIGITS: Final = 4
_CONTROL_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})

_NOT_WHOLE: Final = "must be a whole number"


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


_MEMBERS: Final = ("account_number", "expiry_month", "expiry_year", "cardholder_name", "security_code")


def read_card(members: Mapping[str, object], now: datetime, root: str = "$") -> Card:
    """The card in a JSON object (or a CSV row with typed cells), or `Invalid` with every fault.

    Other members are ignored, and an optional member that is `null` is absent.
    """
    found = faults(members, now, root)
    if found:
        raise Invalid(found)
    return Card(**{name: members.get(name) for name in _MEMBERS})  # type: ignore[arg-type]


def faults(card: Card | Mapping[str, object], now: datetime, root: str = "$") -> list[Fault]:
    """Every broken rule at once, with paths such as `$.account_number`; empty for a good card. `now` is aware.

    The card may be one that was read before (it may have expired since) or members as a caller sent them.
    """
    number, month, year, name, code = _values(card)
    problems = {
        "account_number": pan_problem(number),
        **_expiry_problems(month, year, now),
        "cardholder_name": name_problem(name),
        "security_code": security_code_problem(code, scheme_if_good(number)),
    }
    return [Fault(f"{root}.{member}", message) for member, message in problems.items() if message]


def _values(card: Card | Mapping[str, object]) -> list[object]:
    if isinstance(card, Card):
        return [getattr(card, name) for name in _MEMBERS]
    return [card.get(name) for name in _MEMBERS]


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
        return REQUIRED
    if not _is_whole(month):
        return _NOT_WHOLE
    return None if month in _MONTHS else "must be from 1 to 12"


def _year_problem(year: object, now: datetime) -> str | None:
    if year is None:
        return REQUIRED
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
        return NOT_TEXT
    if not code:
        return EMPTY
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
        return NOT_TEXT
    if not name:
        return EMPTY
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
