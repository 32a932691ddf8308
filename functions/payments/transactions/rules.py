"""Cards as merchants send them, in the terms of the card zone. Pure; what is made here is handed on and never kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_AUTHENTICATED: Final = frozenset({"FULLY_AUTHENTICATED", "AUTHENTICATION_NOT_REQUIRED", "NOT_ENROLLED"})
_MERCHANT_INITIATED: Final = "MERCHANT_INITIATED_RECURRING_TRANSACTION"

_VERSIONS: Final = {"V1": "1.0.2", "V2": "2.2.0"}
"""3-D Secure as the reference tells it, to the versions that acquirers ask for."""


def card_of(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The card in the vault's terms. The expiry is `yyyy-MM`; blanks between digits are no part of a number."""
    card: dict[str, Any] = {"account_number": sent["primaryAccountNumber"].replace(" ", "")}
    if sent.get("expiryDate") is not None:
        card["expiry_year"], card["expiry_month"] = (int(part) for part in sent["expiryDate"].split("-"))
    if sent.get("cardHolderName"):
        card["cardholder_name"] = sent["cardHolderName"]
    if sent.get("cardVerificationCode"):
        card["security_code"] = sent["cardVerificationCode"].replace(" ", "")
    return card


def authentication_of(sent: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of an authentication that the merchant had made, or the cryptogram of a device; None without one, and
    for one that failed."""
    result = sent.get("cardholderAuthentication")
    if result is not None:
        if result["authenticationResponse"] not in _AUTHENTICATED:
            return None
        return {
            "eci": result.get("electronicCommerceIndicator"),
            "value": result.get("authenticationValue"),
            "ds_transaction_id": result.get("authenticationIdentifier"),
            "version": _VERSIONS[result["version"]],
        }
    cryptogram = sent.get("cryptogram")
    return {"eci": cryptogram.get("eci"), "value": cryptogram["value"]} if cryptogram else None


def is_merchant_initiated(sent: Mapping[str, Any]) -> bool:
    """Whether the cardholder takes no part in the payment."""
    return sent.get("recurringIndicator") == _MERCHANT_INITIATED
