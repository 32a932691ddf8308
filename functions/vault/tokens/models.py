"""Shapes of the token resource, to the letter of the reference ("Import cardholder data", "Get tokens").

Plain typed dictionaries: reading a token must not pay for a validation library. What checks a card is `vault.cards`;
the request's schema here is built from its constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NotRequired, TypedDict

from tollgate.dialects.vault import Pagination
from vault import cards
from vault.tokenisation import Status as NetworkTokenStatus

CardScheme = Literal["VISA", "Mastercard", "American Express", "Discover", "Diners Club", "JCB", "UnionPay", "Unknown"]

LONGEST_BUSINESS_KEY: Final = 255

IMPORT_CARD: Final[dict[str, Any]] = {
    "title": "ImportCard",
    "type": "object",
    "required": ["account_number", "expiry_month", "expiry_year"],
    "properties": {
        "account_number": {
            "type": "string",
            "pattern": "^[0-9]{12,19}$",
            "description": "The full PAN of the card, digits only, with a valid check digit",
        },
        "expiry_month": {"type": "integer", "minimum": 1, "maximum": 12, "description": "April is 4"},
        "expiry_year": {
            "type": "integer",
            "minimum": 1000,
            "maximum": 9999,
            "description": f"Four digits, at most {cards.MOST_YEARS_AHEAD} years ahead",
        },
        "cardholder_name": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": cards.LONGEST_NAME,
            "description": "The name of the owner of the card; anonymised when the token is deleted",
        },
        "security_code": {
            "type": ["string", "null"],
            "pattern": "^[0-9]{3,4}$",
            "description": "Kept for at most 60 minutes, encrypted, for immediate use; never stored permanently",
        },
    },
    "example": {
        "cardholder_name": "John Doe",
        "expiry_month": 4,
        "expiry_year": 2033,
        "account_number": "4242424242424242",
        "security_code": "123",
    },
}


class TokenView(TypedDict):
    """A token as its owner sees it: never the PAN, never the security code. Times are RFC 3339 in UTC."""

    id: str
    cardholder_name: str | None
    created_at: str
    expiry_month: int
    expiry_year: int
    expires_at: str | None
    issuer_identification_number: str
    masked_account_number: str
    network_token_status: NetworkTokenStatus
    scheme: CardScheme


class TokenPage(TypedDict):
    """A page of tokens."""

    data: list[TokenView]
    pagination: Pagination
    current_page: int
    page_size: int
    total_items: int
    total_pages: int


class TokenEvent(TypedDict):
    """The token master notification."""

    id: str
    created_at: str
    event_type: Literal["token.created", "token.updated", "token.deleted"]
    token: TokenView


class TokenOrigin(TypedDict):
    """Where an imported card came from."""

    import_provider: NotRequired[str]
    business_key: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token. `sequence` is its place in the account's list, `version` guards every change.

    The sealed PAN is not part of it: only what may decrypt asks the repository for that.
    """

    id: str
    account_id: str
    created_at: str
    sequence: int
    version: int
    cardholder_name: str | None
    expiry_month: int
    expiry_year: int
    issuer_identification_number: str
    masked_account_number: str
    scheme: CardScheme
    network_token_status: NetworkTokenStatus
    fingerprint: str
    expires_at: str | None = None
    import_provider: str | None = None
    business_key: str | None = None
    bypass_identification: bool | None = None


def view(token: Token) -> TokenView:
    """The public form, member by member, so that nothing is published by accident."""
    return {
        "id": token.id,
        "cardholder_name": token.cardholder_name,
        "created_at": token.created_at,
        "expiry_month": token.expiry_month,
        "expiry_year": token.expiry_year,
        "expires_at": token.expires_at,
        "issuer_identification_number": token.issuer_identification_number,
        "masked_account_number": token.masked_account_number,
        "network_token_status": token.network_token_status,
        "scheme": token.scheme,
    }
