"""The Luhn check digit (ISO/IEC 7812-1 annex B) and the card-number-like runs of digits that free text may hide.

Pure and cheap to import, because the log filter loads it in every function. It knows no card scheme: whether a run is
a usable PAN is for the vault to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

SHORTEST = 12
LONGEST = 19

# Twice the digit, less nine above nine, as ASCII digits.
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_ZERO = ord("0")

# A UUID is taken whole and left alone: its last group alone is a run of twelve digits once in 281 times.
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9a-fA-F])"
_RUN = r"\d(?:[ \-]?\d){11,}"
# Nearly every text holds no run at all. Written out and without other scripts, the question costs half as much.
_ANY_ASCII_RUN = re.compile(r"\d" + r"[ \-]?\d" * (SHORTEST - 1), re.ASCII)
_ANY_RUN = re.compile(_RUN)
_GROUP = re.compile(r"\d+")


def passes(digits: str) -> bool:
    """True when `digits` are ASCII digits, at least two, whose last one is the check digit of the others."""
    if not (len(digits) > 1 and digits.isascii() and digits.isdigit()):
        return False
    raw = digits.encode("ascii")
    total = sum(raw[-1::-2]) + sum(raw[-2::-2].translate(_DOUBLED)) - _ZERO * len(raw)
    return total % 10 == 0


def check_digit(payload: str) -> str:
    """The digit that makes `payload` (ASCII digits) pass when it is appended."""
    raw = payload.encode("ascii")
    total = sum(raw[-2::-2]) + sum(raw[-1::-2].translate(_DOUBLED)) - _ZERO * len(raw)
    return str(-total % 10)


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where `text` holds 12 to 19 digits that pass, as half-open ranges in ascending order that do not overlap.

    Digits may be separated by single spaces or hyphens. A candidate begins and ends where a group of digits does, so
    `200 4242424242424242` is found although all its digits together fail. A group of more than 19 digits counts whole:
    it may be a card number glued to another field. Digits of other scripts count as digits.
    """
    if (_ANY_ASCII_RUN if text.isascii() else _ANY_RUN).search(text) is None:
        return
    for match in _uuid_or_run().finditer(text):
        if match.group(1) is not None:
            yield from _spans_of_run(text, match.start(1), match.end(1))


@cache
def _uuid_or_run() -> re.Pattern[str]:
    """Compiled when first wanted, which in most functions is never."""
    return re.compile(rf"(?<![0-9a-fA-F]){_UUID}|({_RUN})")


def _spans_of_run(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    groups = [group.span() for group in _GROUP.finditer(text, start, end)]
    first = 0
    while first < len(groups):
        last = _last_group(text, groups, first)
        if last is None:
            first += 1
        else:
            yield groups[first][0], groups[last][1]
            first = last + 1


def _last_group(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The last group of the longest candidate that begins with group `first`, if there is one."""
    begin, end = groups[first]
    if end - begin > LONGEST:
        return first
    found, digits = None, ""
    for index in range(first, len(groups)):
        digits += _ascii_digits(text, *groups[index])
        if len(digits) > LONGEST:
            break
        if len(digits) >= SHORTEST and passes(digits):
            found = index
    return found


def _ascii_digits(text: str, begin: int, end: int) -> str:
    group = text[begin:end]
    return group if group.isascii() else "".join(str(int(digit)) for digit in group)
