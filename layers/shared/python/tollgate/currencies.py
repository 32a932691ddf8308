"""ISO 4217 currencies and the number of digits of their minor unit. Generated: see `tools/reference_data`.

Source: ISO 4217 list one, published 2026-01-01. Left out are the codes that have no minor unit (metals, bond-market
units, special drawing rights, `XTS` for tests, `XXX` for none), since no amount can be stated in them. Codes of funds
keep their digits, so that an amount read from elsewhere can be understood, but are no currency of a payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


def _by_code(**codes_by_digits: str) -> Mapping[str, int]:
    return MappingProxyType(
        {code: int(digits[1:]) for digits, codes in codes_by_digits.items() for code in codes.split()}
    )


EXPONENTS: Final[Mapping[str, int]] = _by_code(
    _0="""
        BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF
    """,
    _2="""
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP
        CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
        KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
        NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB
        TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    """,
    _3="""
        BHD IQD JOD KWD LYD OMR TND
    """,
    _4="""
        UYW
    """,
)

FUND_EXPONENTS: Final[Mapping[str, int]] = _by_code(
    _0="""
        UYI
    """,
    _2="""
        BOV CHE CHW COU MXV USN
    """,
    _4="""
        CLF
    """,
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
