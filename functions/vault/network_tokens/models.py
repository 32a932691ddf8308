"""Shapes of payment data ("Network Tokens" of the reference), and what is known of a network token.

The plain text of `encrypted_authentication_data` is our choice, since the reference does not show it:
docs/decisions/0014-network-tokens.md.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TypedDict

from tollgate.models.fields import CurrencyCode, MinorUnits, NonEmptyStr, RequestModel, UuidStr
from vault.tokenisation import Status


class PaymentDataRequest(RequestModel):
    """For whom, and for how much, a cryptogram is wanted."""

    amount: MinorUnits
    currency_code: CurrencyCode
    merchant_id: UuidStr
    reference: NonEmptyStr


class PaymentDataView(TypedDict):
    """The answer. `success` is false, and there is no data, where the token has no active network token."""

    id: str
    amount: int
    currency_code: str
    encrypted_authentication_data: str | None
    merchant_id: str
    reference: str
    success: bool
    token_id: str


class AuthenticationData(TypedDict):
    """What the merchant's key opens: everything that an acquirer wants to know of a network token payment."""

    network_token: str
    cryptogram: str
    eci: str
    expiration_month: int
    expiration_year: int
    amount: int
    currency_code: str
    reference: str
    merchant_id: str
    token_id: str
    scheme: str
    par: str | None


@dataclass(frozen=True, slots=True)
class NetworkToken:
    """A network token: a number in the card's stead (13 to 19 digits), its own expiry, and the payment account
    reference that all network tokens of one card share (29 characters; EMV Payment Tokenisation)."""

    account_number: str = field(repr=False)
    expiry_month: int
    expiry_year: int
    payment_account_reference: str | None = None

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> NetworkToken:
        return cls(**json.loads(data))


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A card to be enrolled. `id` is ours (the token's), the same at every attempt, so that asking again is safe.

    `attempt` counts from one. With `bypass_identification` the issuer shall not identify and verify the cardholder.
    """

    id: str
    account_number: str = field(repr=False)
    expiry_month: int
    expiry_year: int
    cardholder_name: str | None = field(repr=False)
    scheme: str
    attempt: int
    bypass_identification: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider made of an enrolment: a status, and with `active` and `inactive` the network token.
    `pending` means that it has not decided."""

    status: Status
    network_token: NetworkToken | None = None


@dataclass(frozen=True, slots=True)
class CryptogramRequest:
    """What a cryptogram is to be good for. `id` makes it unique, `enrolment_id` says which network token it is for."""

    id: str
    enrolment_id: str
    network_token: NetworkToken
    merchant_id: str
    merchant_name: str
    amount: int
    currency_code: str
