"""What other groups of the card zone may ask of tokens."""

from __future__ import annotations

from dataclasses import dataclass

from tollgate import aws
from tollgate.config import CallerSettings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.store.table import Table
from vault.tokens.errors import TokenNotFound
from vault.tokens.models import Token, TokenView, view
from vault.tokens.repository import Origin, TokenChanged, TokenRepository
from vault.tokens.service import BATCH, Also, NewCard, TokenExpiry, TokenOrigins, TokenService

__all__ = [
    "BATCH",
    "Also",
    "NewCard",
    "Origin",
    "Token",
    "TokenChanged",
    "TokenExpiry",
    "TokenNotFound",
    "TokenOrigins",
    "TokenService",
    "TokenSettings",
    "TokenView",
    "card_keyring",
    "expiry_of",
    "origins_of",
    "tokens_of",
    "view",
]


@dataclass(frozen=True)
class TokenSettings(CallerSettings):
    """What a function needs that touches tokens."""

    vault_table: str
    vault_key_id: str
    vault_ephemeral_table: str
    security_code_key_id: str


def card_keyring(settings: TokenSettings) -> Keyring:
    """The keyring of cardholder data, owned by accounts."""
    return Keyring(Table(settings.vault_table, aws.dynamodb()), Kms(aws.kms(), settings.vault_key_id), "cards")


def tokens_of(settings: TokenSettings, keyring: Keyring | None = None) -> TokenService:
    """The token use cases of a deployed function. Pass the function's keyring to share its cache."""
    table = Table(settings.vault_table, aws.dynamodb())
    codes = Keyring(table, Kms(aws.kms(), settings.security_code_key_id), "security-codes")
    repository = TokenRepository(table, Table(settings.vault_ephemeral_table, aws.dynamodb()))
    return TokenService(repository, keyring or card_keyring(settings), codes)


def expiry_of(vault_table: str, vault_ephemeral_table: str) -> TokenExpiry:
    """The expiry of tokens and security codes, for a function that may use no key."""
    client = aws.dynamodb()
    return TokenExpiry(TokenRepository(Table(vault_table, client), Table(vault_ephemeral_table, client)))


def origins_of(vault_table: str) -> TokenOrigins:
    """What a report goes through, for a function that may use no key. Security codes play no part, nor their table."""
    table = Table(vault_table, aws.dynamodb())
    return TokenOrigins(TokenRepository(table, table))
