"""From an authentication to the messages that ask for it: AReq of both kinds, and CReq. Pure.

Sources: EMV 3-D Secure core specification 2.2, Annex A; the platform's mapping of preferences and types onto it. Where
nothing is known of the browser, as from the reference's request, its elements are neutral ones, and a page of the
access control server finds out for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from threeds import emv
from threeds.addresses import Addresses
from threeds.authentications.models import (
    Authentication,
    AuthenticationType,
    Browser,
    CardOnFile,
    ChallengePreference,
    Prior,
    Requestor,
)
from threeds.emv import Message
from threeds.numeric_codes import country_number, currency_number
from tollgate import currencies

REFERENCE_NUMBER: Final = "TOLLGATE-3DS-SERVER"
MOST_DECOUPLED_MINUTES: Final = 1440
FULL_SCREEN: Final = "05"

_CHALLENGE_INDICATORS: Final[Mapping[ChallengePreference, str]] = {
    "NO_PREFERENCE": "01",
    "NO_CHALLENGE": "02",
    "CHALLENGE": "03",
    "CHALLENGE_MANDATED": "04",
}
_AUTHENTICATION_INDICATORS: Final[Mapping[AuthenticationType, str]] = {
    "COF_PAYMENT": "01",
    "INITIAL_RECURRING": "02",
    "INITIAL_INSTALLMENT": "03",
}
_REQUESTOR_INDICATORS: Final[Mapping[AuthenticationType, str]] = {
    "SUBSEQUENT_RECURRING": "01",
    "SUBSEQUENT_INSTALLMENT": "02",
}
_FRICTIONLESS, _CHALLENGED = "01", "02"
_PRIOR_MOMENT: Final = "%Y%m%d%H%M"
_SHORTEST_NAME: Final = 2
_LONGEST_CARDHOLDER_NAME: Final = 45
_LONGEST_NAME: Final = 40
_LONGEST_HEADER: Final = 2048
_LONGEST_LANGUAGE: Final = 8
_COLOR_DEPTHS: Final = (48, 32, 24, 16, 15, 8, 4, 1)
_UNKNOWN_BROWSER: Final = Browser()


@dataclass(frozen=True, slots=True)
class Parties:
    """Who and what an AReq speaks of. `registration` is the merchant's with the card's scheme."""

    merchant: Requestor
    registration: Mapping[str, Any]
    card: CardOnFile
    account_number: str = field(repr=False)


def authentication_request(
    record: Authentication, parties: Parties, addresses: Addresses, prior: Prior | None = None,
    browser: Browser | None = None,
) -> Message:  # fmt: skip
    """The AReq. It holds the account number: it goes to the directory server and nowhere else."""
    if prior is not None:
        channel = _requestor_initiated(record, prior)
    else:
        channel = _browser(record, addresses, browser or _UNKNOWN_BROWSER)
    message = {
        "messageType": "AReq",
        "messageVersion": emv.VERSION,
        "messageCategory": "01",
        "threeDSServerTransID": record.session_id,
        "threeDSServerRefNumber": REFERENCE_NUMBER,
        "threeDSServerURL": addresses.results,
        **_requestor(parties),
        **_card(parties),
        **_purchase(record),
        **channel,
    }
    return {name: value for name, value in message.items() if value is not None}


def challenge_request(record: Authentication) -> Message:
    """The CReq, which the cardholder's browser carries."""
    return {
        "messageType": "CReq",
        "messageVersion": emv.VERSION,
        "threeDSServerTransID": record.session_id,
        "acsTransID": record.acs_transaction_id,
        "challengeWindowSize": FULL_SCREEN,
    }


def challenge_link(record: Authentication) -> str:
    """The challenge as a link, for a server that has said it takes one (see `emv.CHALLENGE_BY_LINK`)."""
    url = record.acs_url or ""
    return f"{url}{'&' if '?' in url else '?'}creq={emv.to_base64url(challenge_request(record))}"


def results_answer(request: Message, status: str) -> Message:
    """The RRes to an RReq. `status`: 01 received for further processing."""
    return {
        "messageType": "RRes",
        "messageVersion": emv.VERSION,
        "threeDSServerTransID": request["threeDSServerTransID"],
        "acsTransID": request["acsTransID"],
        "dsTransID": request["dsTransID"],
        "resultsStatus": status,
    }


def _requestor(parties: Parties) -> dict[str, Any]:
    merchant, registration = parties.merchant, parties.registration
    short_id = merchant.id.replace("-", "")
    return {
        "threeDSRequestorID": registration.get("requestor_id") or short_id,
        "threeDSRequestorName": _plain(registration.get("requestor_name") or merchant.legal_name) or short_id,
        "threeDSRequestorURL": merchant.website_url,
        "acquirerBIN": registration.get("acquirer_bin"),
        "acquirerMerchantID": registration.get("merchant_id") or _short(merchant.default_merchant_id),
        "merchantName": _plain(registration.get("merchant_name") or merchant.legal_name) or short_id,
        "merchantCountryCode": country_number(merchant.country_code),
        "mcc": registration.get("category_code"),
    }


def _card(parties: Parties) -> dict[str, Any]:
    card = parties.card
    name = card.cardholder_name or ""
    fits = name.isascii() and name.isprintable() and _SHORTEST_NAME <= len(name) <= _LONGEST_CARDHOLDER_NAME
    return {
        "acctNumber": parties.account_number,
        "cardExpiryDate": f"{card.expiry_year % 100:02d}{card.expiry_month:02d}",
        "cardholderName": name if fits else None,
    }


def _purchase(record: Authentication) -> dict[str, Any]:
    frequency, instalments = record.recurring_frequency, record.number_of_installments
    return {
        "purchaseAmount": str(record.amount),
        "purchaseCurrency": currency_number(record.currency_code),
        "purchaseExponent": str(currencies.exponent(record.currency_code)),
        "purchaseDate": record.purchase_date,
        "recurringExpiry": record.recurring_expiry,
        "recurringFrequency": None if frequency is None else str(frequency),
        "purchaseInstalData": None if instalments is None else str(instalments),
    }


def _browser(record: Authentication, addresses: Addresses, browser: Browser) -> dict[str, Any]:
    waits = record.return_url is None  # who is in a checkout is asked there or not at all
    return {
        "deviceChannel": emv.BROWSER,
        "threeDSRequestorAuthenticationInd": _AUTHENTICATION_INDICATORS[record.type],
        "threeDSRequestorChallengeInd": _CHALLENGE_INDICATORS[record.challenge_preference or "NO_PREFERENCE"],
        "threeDSRequestorDecReqInd": "Y" if waits else "N",
        "threeDSRequestorDecMaxTime": f"{MOST_DECOUPLED_MINUTES:05d}" if waits else None,
        "threeDSCompInd": "U",
        "notificationURL": addresses.challenge(record.session_id),
        "browserAcceptHeader": (browser.accept_header or "text/html")[:_LONGEST_HEADER],
        "browserIP": browser.ip,
        "browserJavascriptEnabled": browser.javascript_enabled,
        "browserLanguage": (browser.language or "en")[:_LONGEST_LANGUAGE],
        "browserUserAgent": (browser.user_agent or "unknown")[:_LONGEST_HEADER],
        **(_by_script(browser) if browser.javascript_enabled else {}),
    }


def _by_script(browser: Browser) -> dict[str, Any]:
    """What only a script can tell."""
    depth = next((each for each in _COLOR_DEPTHS if each <= (browser.color_depth or 0)), None)
    measured = {
        "browserColorDepth": depth,
        "browserScreenHeight": browser.screen_height,
        "browserScreenWidth": browser.screen_width,
        "browserTZ": browser.time_zone_offset,
    }
    texts = {name: str(value) for name, value in measured.items() if value is not None}
    return {"browserJavaEnabled": browser.java_enabled, **texts}


def _requestor_initiated(record: Authentication, prior: Prior) -> dict[str, Any]:
    moment = datetime.fromisoformat(prior.finished_at).strftime(_PRIOR_MOMENT)
    return {
        "deviceChannel": emv.REQUESTOR_INITIATED,
        "threeRIInd": _REQUESTOR_INDICATORS[record.type],
        "threeDSRequestorPriorAuthenticationInfo": {
            "threeDSReqPriorRef": prior.acs_transaction_id,
            "threeDSReqPriorAuthMethod": _CHALLENGED if prior.challenged else _FRICTIONLESS,
            "threeDSReqPriorAuthTimestamp": moment,
        },
    }


def _plain(name: str) -> str:
    """A name in the characters that every directory server takes."""
    return "".join(each for each in name if each.isascii() and each.isprintable())[:_LONGEST_NAME].strip()


def _short(text: str | None) -> str | None:
    return text if text is not None and len(text) <= 35 else None
