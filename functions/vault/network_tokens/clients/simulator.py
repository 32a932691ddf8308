"""The sandbox's token service provider: no network, no memory, the same answer to the same question.

The last four digits of a card choose what happens:

    0002  enrolment fails
    9995  the network token is inactive from the start
    0341  the first attempt to enrol times out; a later one succeeds
    0127  the issuer wants the cardholder identified: inactive, or active where identification is bypassed
    0119  the network token turns out suspended when the first cryptogram is asked for
    any other  the network token is active
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from tollgate import luhn
from tollgate.errors import UpstreamTimeout
from vault import pans
from vault.network_tokens.errors import NetworkTokenEnded
from vault.network_tokens.models import CryptogramRequest, Enrolment, NetworkToken, Outcome

FAILS: Final = "0002"
INACTIVE: Final = "9995"
SLOW: Final = "0341"
IDENTIFIES: Final = "0127"
SUSPENDED_LATER: Final = "0119"

# Token ranges of our own choice within the ranges of each scheme.
_TOKEN_PREFIX: Final = {pans.VISA: "489537", pans.MASTERCARD: "520473", pans.AMERICAN_EXPRESS: "374245"}
_KEY: Final = b"the sandbox's token service provider; protects nothing"
_PAR_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SUSPENDED_MARK: Final = "7"


class Simulator:
    """Answers at once, by the digits of the card."""

    def enrol(self, enrolment: Enrolment) -> Outcome:
        ending = enrolment.account_number[-4:]
        if ending == SLOW and enrolment.attempt == 1:
            raise UpstreamTimeout
        if ending == FAILS:
            return Outcome("failed")
        network_token = NetworkToken(
            _token_number(enrolment),
            enrolment.expiry_month,
            enrolment.expiry_year,
            _reference(enrolment.account_number),
        )
        unidentified = ending == IDENTIFIES and not enrolment.bypass_identification
        return Outcome("inactive" if ending == INACTIVE or unidentified else "active", network_token)

    def delete(self, enrolment_id: str) -> None:
        """There is nothing that remembers it."""

    def cryptogram(self, request: CryptogramRequest) -> str:
        number = request.network_token.account_number
        if number[-2] == _SUSPENDED_MARK:
            raise NetworkTokenEnded("inactive")
        parts = (number, request.merchant_id, str(request.amount), request.currency_code, request.id)
        return base64.b64encode(_digest("cryptogram", *parts)[:20]).decode()


def _token_number(enrolment: Enrolment) -> str:
    """As many digits as the card has, in a token range of its scheme. The last but one carries what is to happen later,
    since nothing here remembers."""
    prefix = _TOKEN_PREFIX[enrolment.scheme]
    digits = str(int.from_bytes(_digest("number", enrolment.id)[:8]))
    mark = _SUSPENDED_MARK if enrolment.account_number.endswith(SUSPENDED_LATER) else "0"
    wanted = len(enrolment.account_number) - len(prefix) - 2
    payload = prefix + digits.zfill(wanted)[-wanted:] + mark
    return payload + luhn.check_digit(payload)


def _reference(account_number: str) -> str:
    """The same for every enrolment of a card."""
    return "".join(_PAR_LETTERS[byte % len(_PAR_LETTERS)] for byte in _digest("reference", account_number)[:29])


def _digest(what: str, *parts: str) -> bytes:
    return hmac.new(_KEY, "\n".join((what, *parts)).encode(), hashlib.sha256).digest()
