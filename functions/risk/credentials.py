"""Payment credentials of a decision: what of them may be known after the request, and nothing else.

The card number is in memory for a fingerprint and a mask and then forgotten; an IBAN likewise. A fingerprint is
`crd_` and an HMAC-SHA-256 under the account's own key, over the number alone, so that a renewed expiry, another name or
other spacing keeps its history. A masked card is digested in a domain of its own: several cards can share one, and it
never equals the fingerprint of the full number. Pure but for the keyring.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tollgate import luhn
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Invalid

STARS: Final = "******"
_SPACING: Final = re.compile(r"[ \-]")
_PAN: Final = re.compile(r"[0-9]{12,19}")
_MASKED: Final = re.compile(r"([0-9]{6,8})[*xX]{2,13}([0-9]{4})")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a credential. `inputs` are its members that rules may see."""

    type: str
    fingerprint: str
    masked: str
    inputs: dict[str, Any]


def known_of(credential: Mapping[str, Any], keyring: Keyring, account_id: str) -> Known:
    """Fingerprint, mask and harmless members of a credential (`type` and the member named like it).

    Raises:
        Invalid: the number does not hold; the message shows nothing of it.
    """
    kind = str(credential["type"])
    details = {name: value for name, value in credential[kind].items() if value is not None}
    if kind == "pan":
        domain, message, masked = _of_pan(details)
    elif kind == "masked_pan":
        domain, message, masked = _of_masked_pan(details)
    else:
        domain, message, masked = _of_iban(details)
    fingerprint = "crd_" + keyring.digest(account_id, f"credential/{domain}", message.encode())
    return Known(kind, fingerprint, masked, {kind: details} if details else {})


def _of_pan(details: dict[str, Any]) -> tuple[str, str, str]:
    number = _SPACING.sub("", details.pop("value"))
    if not _PAN.fullmatch(number) or not luhn.passes(number):
        raise Invalid.at("$.credential.pan.value", "must be a card number of 12 to 19 digits with a valid check digit")
    return "pan", number, f"{number[:6]} {STARS} {number[-4:]}"


def _of_masked_pan(details: dict[str, Any]) -> tuple[str, str, str]:
    value = details.pop("value", None)
    if value is not None:
        found = _MASKED.fullmatch(_SPACING.sub("", value))
        if found is None:
            raise Invalid.at("$.credential.masked_pan.value", "must be 6 to 8 digits, stars and the last 4 digits")
        details["bin"], details["last4"] = found.groups()
    if "bin" not in details or "last4" not in details:
        raise Invalid.at("$.credential.masked_pan", "must have a value, or bin and last4")
    expiry = f"{details.get('expiry_year', '')}-{details.get('expiry_month', '')}"
    message = f"{details['bin']}|{details['last4']}|{expiry}"
    return "masked_pan", message, f"{details['bin'][:6]} {STARS} {details['last4']}"


def _of_iban(details: dict[str, Any]) -> tuple[str, str, str]:
    number = _SPACING.sub("", details.pop("iban")).upper()
    if not _IBAN.fullmatch(number) or not _iban_holds(number):
        raise Invalid.at("$.credential.sepa.iban", "must be an IBAN with valid check digits")
    details["country"] = number[:2]
    return "iban", number, f"{number[:4]} {STARS} {number[-4:]}"


def _iban_holds(iban: str) -> bool:
    """ISO 7064 MOD 97-10 as ISO 13616 applies it: letters are numbers from 10, the first four characters go last."""
    digits = "".join(str(int(character, 36)) for character in iban[4:] + iban[:4])
    return int(digits) % 97 == 1


class Masker:
    """Takes card numbers out of texts that have no business holding one.

    In the place of each stands a short keyed digest, so that two ids that happen to look like card numbers stay two.
    """

    def __init__(self, keyring: Keyring, account_id: str) -> None:
        self._keyring = keyring
        self._account_id = account_id

    def text(self, text: str) -> str:
        kept: list[str] = []
        position = 0
        for start, end in luhn.spans(text):
            kept += (text[position:start], f"[masked:{self._digest(text[start:end])}]")
            position = end
        return text if not kept else "".join(kept) + text[position:]

    def value(self, value: Any) -> Any:
        """The same of every text in a JSON value, names of members included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.value(each) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(each) for each in value]
        return value

    def _digest(self, number: str) -> str:
        return self._keyring.digest(self._account_id, "masked-text", number.encode())[:12]
