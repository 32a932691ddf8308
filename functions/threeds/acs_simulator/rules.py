"""How the issuer of a sandbox decides: by the card's number, its expiry, and what the AReq wishes. Pure.

A card that is not in the table is authenticated at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from threeds import emv
from threeds.acs_simulator.models import Plan, Session, Verdict
from threeds.emv import Message
from threeds.numeric_codes import currency_code
from threeds.schemes import indicator

REFERENCE_NUMBER: Final = "TOLLGATE-SANDBOX-ACS"
RIGHT_CODE: Final = "123456"
CHALLENGE_SECONDS: Final = 600
DECOUPLED_SECONDS: Final = 60
GIVE_UP_SECONDS: Final = 24 * 3600

PLANS: Final[Mapping[str, Plan]] = {
    "4242424242424242": "Y",
    "5555555555554444": "Y",
    "4111111111111111": "challenge",
    "2223003122003222": "challenge",
    "4000056655665556": "A",
    "5105105105105100": "N",
    "371449635398431": "R",
    "6011000990139424": "U",
    "3566002020360505": "decoupled",
    "30569309025904": "silent",
}

_NO_CHALLENGE: Final = "02"
_WITH_CARDHOLDER: Final = frozenset({"challenge", "decoupled", "silent"})
_WITH_VALUE: Final = frozenset("YA")
_EXPIRED: Final = "05"
_NOT_AUTHENTICATED: Final = "01"
_BY_CARDHOLDER, _BY_TIME = "01", "04"  # Annex A, "Challenge Cancelation Indicator"
_DYNAMIC: Final = "02"


def plan(request: Message, now: datetime) -> Plan:
    """What happens with the card of an AReq. Without the cardholder (3RI) nobody can be asked, and nobody needs to: the
    cardholder agreed to the series."""
    if _is_expired(request.get("cardExpiryDate"), now):
        return "N"
    by_card = PLANS.get(request["acctNumber"], "Y")
    if by_card not in _WITH_CARDHOLDER:
        return by_card
    if request["deviceChannel"] == emv.REQUESTOR_INITIATED:
        return "Y"
    if by_card == "challenge" and request.get("threeDSRequestorChallengeInd") == _NO_CHALLENGE:
        return "Y"
    if by_card == "decoupled" and request.get("threeDSRequestorDecReqInd") != "Y":
        return "U"
    return by_card


def scheme(account_number: str) -> str:
    """The card's scheme, as far as indicators differ."""
    two, four = int(account_number[:2]), int(account_number[:4])
    return "Mastercard" if two in range(51, 56) or four in range(2221, 2721) else "other"


def immediate(request: Message, status: str, value: str, now: datetime) -> Verdict:
    """The verdict on an AReq that needs no cardholder. `value` is a fresh authentication value, if wanted."""
    is_initiated = request["deviceChannel"] == emv.REQUESTOR_INITIATED
    expired = _is_expired(request.get("cardExpiryDate"), now)
    reason = (_EXPIRED if expired else _NOT_AUTHENTICATED) if status in "NRU" else None
    eci = indicator(scheme(request["acctNumber"]), status, requestor_initiated=is_initiated)
    return Verdict(status, eci, value if status in _WITH_VALUE else None, reason=reason)


def authenticated(session: Session, value: str) -> Verdict:
    return Verdict("Y", indicator(session.scheme, "Y"), value)


def wrong_code(session: Session) -> Verdict:
    return Verdict("N", indicator(session.scheme, "N"), reason=_NOT_AUTHENTICATED)


def abandoned(session: Session) -> Verdict:
    return Verdict("N", indicator(session.scheme, "N"), cancel=_BY_CARDHOLDER, reason=_NOT_AUTHENTICATED)


def timed_out(session: Session) -> Verdict:
    return Verdict("N", indicator(session.scheme, "N"), cancel=_BY_TIME, reason=_NOT_AUTHENTICATED)


def answer(request: Message, transaction_id: str, status: str, verdict: Verdict | None, challenge_url: str) -> Message:
    """The ARes."""
    made = {
        "messageType": "ARes",
        "messageVersion": emv.VERSION,
        "threeDSServerTransID": request["threeDSServerTransID"],
        "dsTransID": request["dsTransID"],
        "dsReferenceNumber": request["dsReferenceNumber"],
        "acsTransID": transaction_id,
        "acsReferenceNumber": REFERENCE_NUMBER,
        "transStatus": status,
        **_of_verdict(verdict),
    }
    if status == "C":
        made |= {
            "acsURL": challenge_url,
            "acsChallengeMandated": "Y",
            "authenticationType": _DYNAMIC,
            "messageExtension": [
                {
                    "name": "Challenge by link",
                    "id": emv.CHALLENGE_BY_LINK,
                    "criticalityIndicator": False,
                    "data": {"method": "GET"},
                }
            ],
        }
    if status == "D":
        made |= {"acsDecConInd": "Y", "authenticationType": _DYNAMIC}
    return {name: value for name, value in made.items() if value is not None}


def result(session: Session, verdict: Verdict) -> Message:
    """The RReq."""
    made = {
        "messageType": "RReq",
        "messageVersion": emv.VERSION,
        "messageCategory": "01",
        "threeDSServerTransID": session.server_transaction_id,
        "dsTransID": session.ds_transaction_id,
        "acsTransID": session.id,
        "transStatus": verdict.status,
        "authenticationType": _DYNAMIC,
        "interactionCounter": f"{min(session.wrong_codes + 1, 99):02d}",
        "challengeCancel": verdict.cancel,
        **_of_verdict(verdict),
    }
    return {name: value for name, value in made.items() if value is not None}


def final_response(session: Session, verdict: Verdict) -> Message:
    """The final CRes, which the browser carries back."""
    return {
        "messageType": "CRes",
        "messageVersion": emv.VERSION,
        "threeDSServerTransID": session.server_transaction_id,
        "acsTransID": session.id,
        "challengeCompletionInd": "Y",
        "transStatus": verdict.status,
    }


def readable_amount(request: Message) -> str:
    """`12.34 EUR`."""
    digits, places = request["purchaseAmount"], int(request["purchaseExponent"])
    filled = digits.rjust(places + 1, "0")
    number = f"{filled[:-places]}.{filled[-places:]}" if places else filled
    return f"{number} {currency_code(request['purchaseCurrency']) or ''}".strip()


def _of_verdict(verdict: Verdict | None) -> dict[str, str | None]:
    if verdict is None:
        return {}
    return {
        "eci": verdict.eci,
        "authenticationValue": verdict.authentication_value,
        "transStatusReason": verdict.reason,
    }


def _is_expired(expiry: object, now: datetime) -> bool:
    """`expiry` is YYMM; a card is good to the end of its month."""
    return isinstance(expiry, str) and expiry < now.astimezone(UTC).strftime("%y%m")
