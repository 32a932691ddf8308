"""Writes `tollgate/currencies.py` and `tollgate/countries.py` from the packages `iso4217` and `iso3166`.

Run `python -m tools.reference_data.generate` after raising one of the two; `--check` only compares, and fails when a
committed table is not what would be written. The tables are generated because the packages parse XML or build classes
at import, which every cold start would pay for, and because a diff shows what a new edition of a standard changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import iso3166
import iso4217

SHARED_LAYER = Path(__file__).parents[2] / "layers" / "shared" / "python" / "tollgate"
WIDTH = 110

# Left to private use by ISO 3166-1 itself: AA, QM to QZ, XA to XZ, ZZ. Kosovo's XK is one of these.
_USER_ASSIGNED = frozenset(
    {"AA", "ZZ"} | {f"Q{c}" for c in "MNOPQRSTUVWXYZ"} | {f"X{c}" for c in map(chr, range(65, 91))}
)

_CURRENCIES = '''\
"""ISO 4217 currencies and the number of digits of their minor unit. Generated: see `tools/reference_data`.

Source: {source}. Left out are the codes that have no minor unit (metals, bond-market
units, special drawing rights, `XTS` for tests, `XXX` for none), since no amount can be stated in them. Codes of funds
keep their digits, so that an amount read from elsewhere can be understood, but are no currency of a payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


def _by_code(**codes_by_digits: str) -> Mapping[str, int]:
    return MappingProxyType(
        {{code: int(digits[1:]) for digits, codes in codes_by_digits.items() for code in codes.split()}}
    )


EXPONENTS: Final[Mapping[str, int]] = _by_code(
{currencies}
)

FUND_EXPONENTS: Final[Mapping[str, int]] = _by_code(
{funds}
)


def is_currency(code: str) -> bool:
    """True for an assigned upper-case code in which a payment can be made."""
    return code in EXPONENTS


def exponent(code: str) -> int:
    """Digits of the minor unit: 2 for EUR, 0 for JPY, 3 for KWD, 4 for CLF.

    Raises:
        KeyError: not an assigned code, or one without a minor unit.
    """
    found = EXPONENTS.get(code)
    return FUND_EXPONENTS[code] if found is None else found
'''

_COUNTRIES = '''\
"""ISO 3166-1 countries: the assigned two-letter codes, and the three-letter ones that mean them.

Generated: see `tools/reference_data`. Source: {source}. Codes that the standard leaves
to private use (`XK` among them) are not assigned and therefore not in the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_PAIRS: Final = """
{pairs}
"""

ALPHA2_BY_ALPHA3: Final[Mapping[str, str]] = MappingProxyType({{pair[:3]: pair[4:] for pair in _PAIRS.split()}})

ALPHA2: Final[frozenset[str]] = frozenset(ALPHA2_BY_ALPHA3.values())


def is_country(code: str) -> bool:
    """True for an assigned upper-case alpha-2 code."""
    return code in ALPHA2


def alpha2(code: str) -> str | None:
    """The alpha-2 code that an upper-case alpha-2 or alpha-3 code means, if it is assigned."""
    return code if code in ALPHA2 else ALPHA2_BY_ALPHA3.get(code)
'''


def currencies() -> str:
    """The text of `currencies.py`."""
    funds = _fund_codes()
    exponents = {each.code: each.exponent for each in iso4217.Currency if each.exponent is not None}
    return _CURRENCIES.format(
        source=f"ISO 4217 list one, published {iso4217.__published__}",
        currencies=_digits_table({code: digits for code, digits in exponents.items() if code not in funds}),
        funds=_digits_table({code: digits for code, digits in exponents.items() if code in funds}),
    )


def _fund_codes() -> frozenset[str]:
    """Codes that list one marks as funds; the package reads past the mark, so it is taken from the list itself."""
    entries = iso4217.raw_xml.iter("CcyNtry")
    marked = (entry for entry in entries if (name := entry.find("CcyNm")) is not None and name.get("IsFund"))
    return frozenset(code for entry in marked if (code := entry.findtext("Ccy", "").strip()))


def countries() -> str:
    """The text of `countries.py`."""
    pairs = {each.alpha3: each.alpha2 for each in iso3166.countries if each.alpha2 not in _USER_ASSIGNED}
    return _COUNTRIES.format(
        source="ISO 3166-1 by way of the package iso3166",
        pairs="\n".join(_lines(sorted(f"{alpha3}={alpha2}" for alpha3, alpha2 in pairs.items()))),
    )


def _digits_table(exponents: Mapping[str, int]) -> str:
    blocks = []
    for digits in sorted(set(exponents.values())):
        codes = sorted(code for code, each in exponents.items() if each == digits)
        text = "\n".join(f"        {line}" for line in _lines(codes))
        blocks.append(f'    _{digits}="""\n{text}\n    """,')
    return "\n".join(blocks)


def _lines(words: Iterable[str]) -> list[str]:
    """Words in order, filled into lines that are not too long."""
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def main(arguments: list[str]) -> int:
    stale = []
    for name, text in (("currencies.py", currencies()), ("countries.py", countries())):
        path = SHARED_LAYER / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    verb = "differs from its source" if "--check" in arguments else "written"
    for name in stale:
        print(f"{name}: {verb}")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
