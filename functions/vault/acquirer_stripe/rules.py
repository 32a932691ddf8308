"""Stripe's rules for amounts, and its words for reasons and authentications. Pure.

Amounts come and go in minor units of ISO 4217, which are not always Stripe's: some currencies have fewer places there,
two have places that no longer exist, those of three places must end in zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tollgate import currencies
from vault.acquirer_stripe.errors import AmountUnsupported
from vault.acquirers import Authentication, Kind, Reason

_WHOLE: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_HUNDREDTHS_OF_NOTHING: Final = frozenset({"ISK", "UGX"})
"""Whole in ISO 4217, and still stated with two zeros."""
_THREE_PLACES: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
_MOST: Final = 99_999_999
"""Eight digits of its own units are the most that Stripe documents for every currency."""

_TEST_KEY: Final = re.compile(r"(sk|rk)_test_[A-Za-z0-9]{1,240}")
_LIVE_KEY: Final = re.compile(r"(sk|rk)_live_[A-Za-z0-9]{1,240}")

_ECI: Final = frozenset({"01", "02", "05", "06"})
_ATTEMPTED: Final = frozenset({"01", "06"})
_DEFAULT_VERSION: Final = "2.2.0"

_DECLINES: Final[Mapping[str, Reason]] = {
    "insufficient_funds": "insufficient_funds",
    "card_velocity_exceeded": "insufficient_funds",
    "withdrawal_count_limit_exceeded": "insufficient_funds",
    "expired_card": "expired_card",
    "invalid_expiry_month": "expired_card",
    "invalid_expiry_year": "expired_card",
    "authentication_required": "authentication_required",
    "authentication_not_handled": "authentication_required",
    "payment_intent_authentication_failure": "authentication_required",
    "card_decline_rate_limit_exceeded": "rejected",
    "processing_error": "never_received",
    "reenter_transaction": "never_received",
    "try_again_later": "never_received",
    "issuer_not_available": "never_received",
}
"""By decline code, or else by error code. What is not here, the issuer does not explain, or Stripe advises against
telling (lost, stolen, fraudulent): all of it is *do not honor*."""

_REFUSALS: Final[Mapping[Kind, Reason]] = {
    "authorise": "rejected", "capture": "amount_exceeded", "void": "not_voidable", "refund": "not_captured"
}  # fmt: skip
_STATE_CODES: Final = frozenset(
    {
        "", "payment_intent_unexpected_state", "charge_already_captured", "charge_already_refunded",
        "charge_expired_for_capture", "charge_not_refundable", "refund_disputed_payment", "amount_too_large",
        "amount_too_small", "charge_disputed", "capture_charge_authorization_expired",
    }
)  # fmt: skip
"""Error codes of a sound request that the state of the payment does not allow; some such errors have no code."""


def to_stripe(amount: int, currency: str) -> int:
    """An amount in Stripe's units: 100 JPY is 100, 5 ISK is 500, 1.230 KWD is 1230.

    Raises:
        AmountUnsupported: it has places that Stripe does not take, is too large, or nobody knows its units there.
    """
    places, theirs = currencies.exponent(currency), _places(currency)
    upscale: int = 10 ** max(theirs - places, 0)
    downscale: int = 10 ** max(places - theirs, 0)
    found, rest = divmod(amount * upscale, downscale)
    if rest or found > _MOST or (currency in _THREE_PLACES and found % 10):
        raise AmountUnsupported
    return found


def _places(currency: str) -> int:
    if currency in _WHOLE:
        return 0
    if currency in _THREE_PLACES:
        return 3
    if currency in _HUNDREDTHS_OF_NOTHING or currencies.exponent(currency) == 2:
        return 2
    raise AmountUnsupported


def decline_reason(decline_code: str | None, code: str | None) -> Reason:
    """Why a card was not charged."""
    return _DECLINES.get(decline_code or "") or _DECLINES.get(code or "") or "do_not_honor"


def refusal_reason(kind: Kind, code: str | None) -> Reason:
    """Why a request was refused that has nothing to do with a card."""
    return _REFUSALS[kind] if (code or "") in _STATE_CODES else "rejected"


def no_room(kind: Kind) -> Reason:
    """Why an operation is not possible for an authorisation that was not approved, or not captured."""
    return _REFUSALS[kind]


def three_d_secure(authentication: Authentication | None) -> dict[str, Any] | None:
    """The result of an authentication that shifts liability; None where there is nothing that Stripe could use."""
    if authentication is None or authentication.eci is None:
        return None
    eci = authentication.eci.zfill(2)
    if eci not in _ECI or not authentication.value or not authentication.ds_transaction_id:
        return None
    return {
        "version": authentication.version or _DEFAULT_VERSION,
        "electronic_commerce_indicator": eci,
        "ares_trans_status": "A" if eci in _ATTEMPTED else "Y",
        "cryptogram": authentication.value,
        "transaction_id": authentication.ds_transaction_id,
    }


def is_key(secret: str, *, is_sandbox: bool) -> bool:
    """Whether this is a secret or restricted key, and one that moves real money only where real money is moved."""
    return (_TEST_KEY if is_sandbox else _LIVE_KEY).fullmatch(secret) is not None
