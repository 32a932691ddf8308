"""How the sandbox's acquirer decides: by the card's number, and by how an amount ends. Pure.

A card or an amount that is in no table is approved at once. The amount's ending counts for every operation on its own,
so that an authorisation can succeed whose capture does not; a void, which has no amount, goes by the authorised one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vault.acquirer_simulator.models import Plan
from vault.acquirers import Kind, Operation

CARDS: Final[Mapping[str, Plan]] = {
    "4000000000000002": Plan(reason="do_not_honor"),
    "4000000000009995": Plan(reason="insufficient_funds"),
    "4000000000000069": Plan(reason="expired_card"),
    "4000000000000259": Plan("pending"),
    "4000000000000267": Plan("pending", reason="do_not_honor"),
    "4000000000000119": Plan("silent"),
    "4000000000000127": Plan("silent", reason="do_not_honor"),
    "4000000000000143": Plan("lost"),
    "4000000000009235": Plan(review=True),
}

NEEDS_AUTHENTICATION: Final = frozenset({"4000000000003063", "4000000000003220"})
"""Cards whose issuer refuses a payment by the cardholder without 3-D Secure."""

ENDINGS: Final[Mapping[int, Plan]] = {
    6001: Plan(reason="rejected"),
    6002: Plan("pending"),
    6003: Plan("silent"),
    6004: Plan("lost"),
    6005: Plan("pending", reason="rejected"),
    6006: Plan("deaf"),
}
"""By the last four digits of an amount in minor units: 160.01 EUR is declined."""

VOID_ENDINGS: Final[Mapping[int, Plan]] = {ending + 100: plan for ending, plan in ENDINGS.items()}

_FULLY_AUTHENTICATED: Final = frozenset({"05", "06", "01", "02"})


def plan_authorisation(operation: Operation, account_number: str) -> Plan:
    """What becomes of an authorisation. One that the cardholder has no part in needs no authentication."""
    if account_number in NEEDS_AUTHENTICATION and not operation.merchant_initiated and not _is_authenticated(operation):
        return Plan(reason="authentication_required")
    return CARDS.get(account_number) or ENDINGS.get(operation.amount % 10_000) or Plan()


def plan_later(kind: Kind, amount: int) -> Plan:
    """What becomes of a capture or a refund of an amount, or of the void of an authorisation of that amount."""
    return (VOID_ENDINGS if kind == "void" else ENDINGS).get(amount % 10_000) or Plan()


def _is_authenticated(operation: Operation) -> bool:
    return operation.authentication is not None and operation.authentication.eci in _FULLY_AUTHENTICATED
