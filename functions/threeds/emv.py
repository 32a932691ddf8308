"""The messages of EMV 3-D Secure 2.2.0: their data elements, what makes one good, and how it is written and read.

For every component that speaks them: our 3-D Secure server and the simulators. A message is a JSON object with the
standard's own element names. Formats and conditions are those of the core specification's Annex A, for the elements
that are used here. Nothing in this module sends, stores or logs; a message may hold an account number.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from tollgate.errors import Malformed
from tollgate.models.json_body import parse_json

VERSION: Final = "2.2.0"
MAX_MESSAGE_BYTES: Final = 65_536
CONTENT_TYPE: Final = "application/json; charset=utf-8"

Message = dict[str, Any]

BROWSER: Final = "02"
REQUESTOR_INITIATED: Final = "03"

# Error codes (Annex A, "Error Code").
RECEIVED_INVALID: Final = "101"
VERSION_NOT_SUPPORTED: Final = "102"
ELEMENT_MISSING: Final = "201"
CRITICAL_EXTENSION: Final = "202"
ELEMENT_INVALID: Final = "203"
TRANSACTION_UNKNOWN: Final = "301"
TRANSACTION_DATA_INVALID: Final = "305"
TIMED_OUT: Final = "402"
CONNECTION_FAILED: Final = "405"

_DESCRIPTIONS: Final[Mapping[str, str]] = {
    RECEIVED_INVALID: "Message received invalid",
    VERSION_NOT_SUPPORTED: "Message version number not supported",
    ELEMENT_MISSING: "A message element required as defined in the specification is missing",
    CRITICAL_EXTENSION: "Critical message extension not recognised",
    ELEMENT_INVALID: "Format or value of one or more data elements is invalid",
    TRANSACTION_UNKNOWN: "Transaction ID received is not valid for the receiving component",
    TRANSACTION_DATA_INVALID: "Transaction data not valid",
    TIMED_OUT: "Transaction timed out",
    CONNECTION_FAILED: "System connection failure",
}

CHALLENGE_BY_LINK: Final = "tollgate-challenge-by-link"
"""A message extension of an ARes: the server also takes a CReq as the query parameter `creq` of a GET request, so that
the challenge is a link. Not critical: who does not know it posts the CReq, as the standard has it."""

_UUID: Final = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_URL: Final = r"https?://[^\s\\]{1,2040}"

# Compiled (and kept by `re`) when first needed: a start of the function does not pay for fifty of them.
_FORMATS: Final[Mapping[str, str]] = {
    "messageVersion": r"2\.[0-9]\.[0-9]",
    "threeDSServerTransID": _UUID,
    "dsTransID": _UUID,
    "acsTransID": _UUID,
    "threeDSServerURL": _URL,
    "dsURL": _URL,
    "acsURL": _URL,
    "notificationURL": _URL,
    "threeDSRequestorURL": _URL,
    "threeDSServerRefNumber": ".{1,32}",
    "dsReferenceNumber": ".{1,32}",
    "acsReferenceNumber": ".{1,32}",
    "acsOperatorID": ".{1,32}",
    "deviceChannel": "0[1-3]",
    "messageCategory": "0[12]",
    "threeDSRequestorID": ".{1,35}",
    "threeDSRequestorName": ".{1,40}",
    "threeDSRequestorAuthenticationInd": "0[1-6]",
    "threeDSRequestorChallengeInd": "0[1-9]",
    "threeDSRequestorDecReqInd": "[YN]",
    "threeDSRequestorDecMaxTime": "[0-9]{5}",
    "threeDSCompInd": "[YNU]",
    "threeRIInd": "0[1-9]|1[01]",
    "acctNumber": "[0-9]{12,19}",
    "cardExpiryDate": "[0-9]{2}(?:0[1-9]|1[0-2])",
    "cardholderName": ".{2,45}",
    "acquirerBIN": "[0-9]{1,11}",
    "acquirerMerchantID": ".{1,35}",
    "mcc": "[0-9]{4}",
    "merchantCountryCode": "[0-9]{3}",
    "merchantName": ".{1,40}",
    "purchaseAmount": "[0-9]{1,48}",
    "purchaseCurrency": "[0-9]{3}",
    "purchaseExponent": "[0-9]",
    "purchaseDate": "[0-9]{14}",
    "recurringExpiry": "[0-9]{8}",
    "recurringFrequency": "[0-9]{1,4}",
    "purchaseInstalData": "[0-9]{1,3}",
    "browserAcceptHeader": ".{1,2048}",
    "browserLanguage": ".{1,8}",
    "browserUserAgent": ".{1,2048}",
    "transStatus": "[YANURICD]",
    "transStatusReason": "[0-9]{2}",
    "eci": "[0-9]{2}",
    "authenticationValue": "[A-Za-z0-9+/]{27}=",
    "authenticationType": "0[1-4]",
    "acsChallengeMandated": "[YN]",
    "acsDecConInd": "[YN]",
    "challengeWindowSize": "0[1-5]",
    "challengeCompletionInd": "[YN]",
    "challengeCancel": "0[1-8]",
    "interactionCounter": "[0-9]{2}",
    "resultsStatus": "0[1-3]",
    "errorCode": "[0-9]{3}",
    "errorComponent": "[CSDA]",
    "errorDescription": ".{1,2048}",
    "errorDetail": ".{0,2048}",
}

_IDS: Final = ("threeDSServerTransID", "acsTransID")
_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "AReq": (
        "threeDSServerTransID", "threeDSServerURL", "threeDSServerRefNumber", "deviceChannel", "messageCategory",
        "threeDSRequestorID", "threeDSRequestorName", "threeDSRequestorURL", "acctNumber", "merchantName",
        "purchaseAmount", "purchaseCurrency", "purchaseExponent", "purchaseDate",
    ),
    "ARes": (*_IDS, "dsTransID", "acsReferenceNumber", "dsReferenceNumber", "transStatus"),
    "CReq": _IDS,
    "CRes": (*_IDS, "transStatus"),
    "RReq": (*_IDS, "dsTransID", "messageCategory", "transStatus"),
    "RRes": (*_IDS, "dsTransID", "resultsStatus"),
    "Erro": ("errorCode", "errorComponent", "errorDescription"),
}  # fmt: skip
_REQUIRED_OF_CHANNEL: Final[Mapping[str, tuple[str, ...]]] = {
    BROWSER: (
        "threeDSRequestorAuthenticationInd", "threeDSCompInd", "notificationURL", "browserAcceptHeader",
        "browserLanguage", "browserUserAgent",
    ),
    REQUESTOR_INITIATED: ("threeRIInd",),
}  # fmt: skip
_REQUIRED_OF_STATUS: Final[Mapping[str, tuple[str, ...]]] = {"C": ("acsURL", "acsChallengeMandated")}
_REQUIRED_OF_INDICATION: Final[Mapping[str, tuple[str, ...]]] = {
    "02": ("recurringExpiry", "recurringFrequency"),
    "03": ("recurringExpiry", "recurringFrequency", "purchaseInstalData"),
}


class ProtocolFault(Exception):
    """A message that is not as the standard has it, or an Erro from the other side. `detail` names elements and holds
    no value."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as it goes over the wire."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def read(body: bytes, *expected: str) -> Message:
    """The message in a body, of one of the types expected and good.

    Raises:
        ProtocolFault: it is none; for an Erro with the code that it carries.
    """
    if len(body) > MAX_MESSAGE_BYTES:
        raise ProtocolFault(RECEIVED_INVALID, "size")
    try:
        message = parse_json(body)
    except Malformed:
        raise ProtocolFault(RECEIVED_INVALID) from None
    if not isinstance(message, dict):
        raise ProtocolFault(RECEIVED_INVALID)
    kind = message.get("messageType")
    if kind == "Erro" and "Erro" not in expected:
        check(message)
        raise ProtocolFault(str(message["errorCode"]), "answered with an error message")
    if kind not in expected:
        raise ProtocolFault(RECEIVED_INVALID, "messageType")
    check(message)
    return message


def check(message: Mapping[str, Any]) -> None:
    """Hold a message of a known type to the elements it needs and to their formats.

    Raises:
        ProtocolFault: with the names of the elements at fault.
    """
    version = message.get("messageVersion")
    if not isinstance(version, str) or not version.startswith("2."):
        raise ProtocolFault(VERSION_NOT_SUPPORTED, "messageVersion")
    missing = [name for name in _required(message) if message.get(name) in (None, "")]
    if missing:
        raise ProtocolFault(ELEMENT_MISSING, ",".join(missing))
    wrong = [name for name, pattern in _FORMATS.items() if name in message and not _fits(message[name], pattern)]
    if wrong:
        raise ProtocolFault(ELEMENT_INVALID, ",".join(wrong))
    for extension in extensions(message):
        if extension.get("criticalityIndicator") is not False and extension.get("id") != CHALLENGE_BY_LINK:
            raise ProtocolFault(CRITICAL_EXTENSION, "messageExtension")


def _required(message: Mapping[str, Any]) -> tuple[str, ...]:
    kind = message["messageType"]
    required = _REQUIRED[kind]
    if kind == "AReq":
        required += _REQUIRED_OF_CHANNEL.get(str(message.get("deviceChannel")), ())
        required += _REQUIRED_OF_INDICATION.get(str(message.get("threeDSRequestorAuthenticationInd")), ())
    if kind == "ARes":
        required += _REQUIRED_OF_STATUS.get(str(message.get("transStatus")), ())
    return required


def _fits(value: object, pattern: str) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def extensions(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The message extensions that can be understood at all."""
    found = message.get("messageExtension")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def offers_link(message: Mapping[str, Any]) -> bool:
    """Whether an ARes says that the challenge can be opened as a link."""
    return any(each.get("id") == CHALLENGE_BY_LINK for each in extensions(message))


def error_message(fault: ProtocolFault, component: str, about: Mapping[str, Any] | None = None) -> Message:
    """The Erro that tells the other side of a fault; `about` is the message at fault, as far as it could be read."""
    ids = {name: about[name] for name in ("threeDSServerTransID", "dsTransID", "acsTransID") if name in (about or {})}  # type: ignore[index]
    return {
        "messageType": "Erro",
        "messageVersion": VERSION,
        **{name: value for name, value in ids.items() if _fits(value, _FORMATS[name])},
        "errorCode": fault.code,
        "errorComponent": component,
        "errorDescription": _DESCRIPTIONS.get(fault.code, "Error"),
        "errorDetail": fault.detail,
    }


def to_base64url(message: Mapping[str, Any]) -> str:
    """A message as a browser carries it: base64url without padding."""
    return base64.urlsafe_b64encode(encode(message)).rstrip(b"=").decode()


def from_base64url(text: str, expected: str) -> Message:
    """The message that a browser brought.

    Raises:
        ProtocolFault: it is none of the type expected.
    """
    if len(text) > MAX_MESSAGE_BYTES:
        raise ProtocolFault(RECEIVED_INVALID, "size")
    try:
        padded = text.rstrip("=").encode("ascii")
        body = base64.b64decode(padded + b"=" * (-len(padded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise ProtocolFault(RECEIVED_INVALID) from None
    return read(body, expected)
