"""What 3-D Secure knows of card schemes, as data: their names with merchants, and the electronic commerce indicators.

Sources: the indicators that the schemes publish (the same numbers appear with several processors); EMV 3-D Secure
leaves `eci` to the scheme. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

TransactionStatus = Literal["Y", "A", "N", "U", "R", "I", "C", "D"]

AUTHENTICATED: Final = "Y"
ATTEMPTED: Final = "A"
EXEMPT: Final = "I"


class _Indicators(NamedTuple):
    """`requestor_initiated` is for an authentication without the cardholder (3RI)."""

    authenticated: str
    attempted: str
    none: str
    exempt: str
    requestor_initiated: str


_VISA_LIKE: Final = _Indicators("05", "06", "07", "07", "05")
_MASTERCARD: Final = _Indicators("02", "01", "00", "06", "07")

MERCHANT_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "VISA": frozenset({"visa"}),
    "Mastercard": frozenset({"mastercard"}),
    "American Express": frozenset({"amex", "american express"}),
    "Discover": frozenset({"discover"}),
    "Diners Club": frozenset({"diners"}),
    "JCB": frozenset({"jcb"}),
    "UnionPay": frozenset({"unionpay"}),
}
"""Scheme of a token → the names under which a merchant's `schemes` may list it."""


def indicator(scheme: str, status: str, *, requestor_initiated: bool = False) -> str:
    """The electronic commerce indicator (two digits) of a scheme's result with this transaction status."""
    known = _MASTERCARD if scheme == "Mastercard" else _VISA_LIKE
    if status == AUTHENTICATED:
        return known.requestor_initiated if requestor_initiated else known.authenticated
    if status == ATTEMPTED:
        return known.attempted
    return known.exempt if status == EXEMPT else known.none
