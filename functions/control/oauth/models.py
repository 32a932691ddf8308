"""Shapes of the token endpoint (RFC 6749, 4.4 and 5.1; `audience` as the platform's reference has it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

TOKEN_REQUEST: Final[dict[str, Any]] = {
    "title": "TokenRequest",
    "type": "object",
    "required": ["grant_type", "scope", "audience"],
    "properties": {
        "grant_type": {"type": "string", "enum": ["client_credentials"]},
        "scope": {"type": "string", "description": "Scopes, separated by spaces; there is no default"},
        "audience": {"type": "string", "description": "Instance names, separated by spaces; there is no default"},
    },
}


class TokenView(TypedDict):
    """An access token. `expires_in` is in seconds; `scope` is what was granted."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    scope: str


class RefusalView(TypedDict):
    """An error of the token endpoint (RFC 6749, 5.2)."""

    error: str
    error_description: str


@dataclass(frozen=True, slots=True)
class Client:
    """A client as provisioned: the digests of the secrets that count now."""

    id: str
    account_id: str
    digests: tuple[str, ...]
