"""The Stripe API, as far as an acquirer needs it: one merchant's key, one operation's time.

A card number goes to one endpoint, the one that makes a PaymentMethod, and that moves no money; whatever moves money
names ids alone. Each failure is told apart by what it means for the money (`vault.acquirer_stripe.errors`), and carries
nothing of what Stripe said: its messages may repeat what they were sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import stripe

from tollgate.egress import Egress, EgressFailure
from vault import stripe_http
from vault.acquirer_stripe.errors import Declined, KeyRefused, NobodyKnows, NothingDone
from vault.acquirer_stripe.models import TOTAL_SECONDS, Payment, Refusal, Repayment
from vault.acquirers import CardOnFile

REFERENCE: Final = "tollgate_reference"
"""The name of our reference in the metadata of payments and refunds."""
_PAGE: Final = 100


class StripePayments:
    """Payments of one merchant, for one operation: all its calls together end at one deadline."""

    def __init__(self, api_key: str, *, api_base: str, egress: Egress, seconds: int = TOTAL_SECONDS) -> None:
        self._ends = time.monotonic_ns() + seconds * 10**9
        http = stripe_http.GuardedHttp(egress, self._seconds_left)
        self._api = stripe_http.client(api_key, api_base, http).v1

    def _seconds_left(self) -> int:
        return max(self._ends - time.monotonic_ns(), 0) // 10**9

    # ------------------------------------------------------------------ paying

    def check(self) -> None:
        """See whether the key is good for payments."""
        self._ask(lambda: self._api.payment_intents.list({"limit": 1}))

    def keep_card(self, reference: str, card: CardOnFile) -> str:
        """Hand a card over; answers the id of its PaymentMethod. No money is moved."""
        details: dict[str, Any] = {
            "number": card.account_number, "exp_month": card.expiry_month, "exp_year": card.expiry_year
        }  # fmt: skip
        if card.security_code is not None:
            details["cvc"] = card.security_code
        asked: dict[str, Any] = {"type": "card", "card": details}
        if card.cardholder_name:
            asked["billing_details"] = {"name": card.cardholder_name}
        made = self._effect(self._api.payment_methods.create, asked, f"{reference}/card")
        return str(made["id"])

    def prepare(
        self, reference: str, card: str, amount: int, currency: str, *, capture: bool,
        three_d_secure: Mapping[str, Any] | None,
    ) -> str:  # fmt: skip
        """A payment that is not confirmed; answers its id. No money is moved, and nobody but who knows the id can."""
        options: dict[str, Any] = {"request_multicapture": "if_available"} if not capture else {}
        if three_d_secure:
            options["three_d_secure"] = dict(three_d_secure)
        asked: dict[str, Any] = {
            "amount": amount, "currency": currency.lower(), "payment_method": card,
            "payment_method_types": ["card"], "capture_method": "automatic" if capture else "manual",
            "metadata": {REFERENCE: reference},
        }  # fmt: skip
        if options:
            asked["payment_method_options"] = {"card": options}
        made = self._effect(self._api.payment_intents.create, asked, f"{reference}/prepare")
        return str(made["id"])

    def confirm(self, reference: str, payment: str, *, merchant_initiated: bool) -> Payment:
        """Have the card charged."""
        asked: dict[str, Any] = {"expand": ["latest_charge"], **({"off_session": True} if merchant_initiated else {})}
        call = self._of(self._api.payment_intents.confirm, payment)
        return _payment(self._effect(call, asked, f"{reference}/confirm"))

    def capture(self, reference: str, payment: str, amount: int, *, final: bool) -> Payment:
        """Take an amount; unless it is final, the rest stays authorised. The payment bears a mark of it afterwards."""
        asked: dict[str, Any] = {"amount_to_capture": amount, "metadata": {mark_of(reference): str(amount)}}
        if not final:
            asked["final_capture"] = False
        call = self._of(self._api.payment_intents.capture, payment)
        return _payment(self._effect(call, asked, f"{reference}/capture"))

    def cancel(self, reference: str, payment: str) -> Payment:
        """Release what was authorised, or see to it that nothing can be."""
        call = self._of(self._api.payment_intents.cancel, payment)
        return _payment(self._effect(call, {}, f"{reference}/cancel"))

    def refund(self, reference: str, payment: str, amount: int) -> Repayment:
        asked = {"payment_intent": payment, "amount": amount, "metadata": {REFERENCE: reference}}
        made = self._effect(self._api.refunds.create, asked, f"{reference}/refund")
        return _repayment(made)

    # ------------------------------------------------------------------ asking

    def read(self, payment: str) -> Payment:
        return _payment(self._ask(lambda: self._api.payment_intents.retrieve(payment, {"expand": ["latest_charge"]})))

    def find_refund(self, payment: str, reference: str) -> Repayment | None:
        """The refund of a payment that bears our reference."""
        after = None
        while True:
            asked: dict[str, Any] = {"payment_intent": payment, "limit": _PAGE}
            if after:
                asked["starting_after"] = after
            page = self._ask(self._of_list(asked))
            for each in page["data"]:
                if (each.get("metadata") or {}).get(REFERENCE) == reference:
                    return _repayment(each)
            if not page["has_more"]:
                return None
            after = page["data"][-1]["id"]

    # ------------------------------------------------------------------ calls

    def _of(self, call: Callable[..., Any], payment: str) -> Callable[[Any, Any], Any]:
        return lambda asked, options: call(payment, asked, options)

    def _of_list(self, asked: Any) -> Callable[[], Any]:
        return lambda: self._api.refunds.list(asked)

    def _effect(self, call: Callable[[Any, Any], Any], asked: Mapping[str, Any], key: str) -> dict[str, Any]:
        """One call that changes something.

        Raises:
            Declined, KeyRefused, NothingDone: it changed nothing.
            NobodyKnows: it may have.
        """
        if not self._seconds_left():
            raise NothingDone
        try:
            return _read(call(dict(asked), {"idempotency_key": key}))
        except stripe.CardError as refused:
            raise Declined(_decline_code(refused), refused.code, card=True) from None
        except stripe.RateLimitError:
            raise NothingDone from None
        except (stripe.AuthenticationError, stripe.PermissionError):
            raise KeyRefused from None
        except stripe.InvalidRequestError as refused:
            raise Declined(None, refused.code, card=False) from None
        except stripe.StripeError:
            raise NobodyKnows from None  # 409, 5xx, and what the SDK cannot read
        except EgressFailure as failure:
            raise (NobodyKnows if failure.sent else NothingDone) from None

    def _ask(self, call: Callable[[], Any]) -> dict[str, Any]:
        """One call that changes nothing.

        Raises:
            KeyRefused, NothingDone: there is no answer.
        """
        try:
            return _read(call())
        except (stripe.AuthenticationError, stripe.PermissionError):
            raise KeyRefused from None
        except (stripe.StripeError, EgressFailure):
            raise NothingDone from None


def mark_of(reference: str) -> str:
    """The name under which a payment's metadata says that a capture took place; names there have forty characters."""
    return f"tollgate_{reference.rpartition('/')[2][:31]}"


def _decline_code(refused: stripe.CardError) -> str | None:
    code = getattr(refused.error, "decline_code", None)
    return str(code) if code else None


def _read(answer: Any) -> dict[str, Any]:
    """What the SDK answers, as plain values."""
    found: dict[str, Any] = answer.to_dict()
    return found


def _repayment(found: Mapping[str, Any]) -> Repayment:
    return Repayment(str(found["id"]), str(found["status"]))


def _payment(found: Mapping[str, Any]) -> Payment:
    error = found.get("last_payment_error")
    refusal = Refusal(error.get("decline_code"), error.get("code")) if error else None
    return Payment(
        str(found["id"]), str(found["status"]), refusal, _several(found), frozenset(found.get("metadata") or ())
    )


def _several(found: Mapping[str, Any]) -> bool:
    """Whether the issuer allows an authorisation to be captured in parts."""
    details: Any = found.get("latest_charge")
    for name in ("payment_method_details", "card", "multicapture", "status"):
        details = details.get(name) if isinstance(details, dict) else None
    return bool(details == "available")
