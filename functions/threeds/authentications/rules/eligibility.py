"""What keeps an authentication from being asked for at all: the merchant's set-up, and the terms of a series. Pure.

Such a refusal is a result of processing (status FAILED, HTTP 200), not an error of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from threeds import dates
from threeds.authentications.models import Authentication, FailureDetail, Requestor, Series, failure
from threeds.schemes import MERCHANT_NAMES

NO_MERCHANT: Final = failure("merchant_not_configured", "The account has no merchant", "merchant")
NO_DIRECTORY: Final = failure("directory_server_error", "No directory server is configured", "tollgate")
NO_TOKEN: Final = failure("token_unavailable", "The token of the original authentication is gone", "merchant")


def scheme_of(merchant: Requestor, scheme: str) -> Mapping[str, Any] | None:
    """The merchant's registration with a card scheme, if it has one."""
    names = MERCHANT_NAMES.get(scheme, frozenset())
    return next((each for each in merchant.schemes if each["name"] in names), None)


def merchant_problem(merchant: Requestor | None, scheme: str) -> FailureDetail | None:
    """Why a merchant cannot have cards of a scheme authenticated."""
    if merchant is None:
        return NO_MERCHANT
    if not merchant.three_ds_enabled:
        return failure("merchant_not_configured", "3-D Secure is not enabled for the merchant", "merchant")
    if scheme_of(merchant, scheme) is None:
        return failure("merchant_not_configured", "The merchant has no registration with the card scheme", "merchant")
    return None


def series_problem(
    original: Authentication, series: Series | None, amount: int, currency_code: str, now: datetime
) -> FailureDetail | None:
    """Why a subsequent payment is not within the terms that the cardholder agreed to."""
    if series is None:
        return failure("original_not_completed", "The original authentication is not completed", "merchant")
    if original.recurring_expiry is not None and dates.write_day(now) > original.recurring_expiry:
        return failure("expired", "The series has expired", "merchant")
    if currency_code != original.currency_code:
        return failure("currency_mismatch", "The currency is not that of the original authentication", "merchant")
    if amount > original.amount:
        return failure("amount_exceeded", "The amount is above that of the original authentication", "merchant")
    if original.number_of_installments is not None and series.authorised >= original.number_of_installments:
        return failure("installments_exceeded", "The number of instalments is used up", "merchant")
    if series.pending is not None:
        return failure("too_early", "The authentication before is still being processed", "merchant")
    if dates.write_day(now) < _next_day(series.last_on, original.recurring_frequency or 1):
        return failure("too_early", "The frequency does not permit a payment yet", "merchant")
    return None


def _next_day(last_on: str, frequency_days: int) -> str:
    """The first day of the next payment; the end of the calendar is never."""
    last = dates.read_day(last_on)
    if last is None:
        raise ValueError("not a day of the calendar")
    try:
        return (last + timedelta(days=frequency_days)).strftime(dates.DAY)
    except OverflowError:
        return "99991231"
