"""Shapes of the compliance proxy ("Compliance Service" of the reference)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

TOKEN_HEADER: Final = "x-hellgate-token"
DESTINATION_HEADER: Final = "x-destination-url"

PLACEHOLDERS: Final[dict[str, str]] = {
    "account_number": "account_number",
    "expiration_year": "expiration_year",
    "expiration_month": "expiration_month",
    "expiry_year": "expiration_year",
    "expiry_month": "expiration_month",
    "security_code": "security_code",
    "cardholder_name": "cardholder_name",
}
"""Every name that a body may use → the member of the card that it stands for."""

NUMERIC: Final = frozenset({"expiration_year", "expiration_month"})
"""Members that may be written as a bare number. A PAN has more digits than many readers of JSON keep, and a security
code may begin with a zero."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller wants sent: headers by lower-case name as they came, the body before it is filled in."""

    token_id: str
    destination: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Relayed:
    """What the destination answered, ready to go to the caller. `cookies` are its Set-Cookie lines."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...]
    content_type: str
    body: bytes = field(repr=False)
