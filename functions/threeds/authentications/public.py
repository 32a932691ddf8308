"""What other groups of the card zone may ask of authentications: the service of a deployed function."""

from __future__ import annotations

from threeds.addresses import Addresses
from threeds.authentications.clients.directory_server import DirectoryServer
from threeds.authentications.clients.vault import CardVault
from threeds.authentications.models import Authentication, Browser, Purchase, Requestor
from threeds.authentications.repository import AuthenticationRepository
from threeds.authentications.service.authentications import AuthenticationService, Checkout, Endpoints
from threeds.authentications.service.settlement import Settlement
from threeds.dates import write_moment
from threeds.schemes import MERCHANT_NAMES
from tollgate import aws
from tollgate.store.table import Table
from vault.merchants.public import merchants_of
from vault.tokens.public import TokenSettings, card_keyring, tokens_of

__all__ = [
    "MERCHANT_NAMES",
    "Addresses",
    "Authentication",
    "AuthenticationService",
    "Browser",
    "Checkout",
    "Endpoints",
    "Purchase",
    "Requestor",
    "authentications_of",
    "write_moment",
]


def authentications_of(settings: TokenSettings, threeds_table: str) -> AuthenticationService:
    """Authentications of a deployed function that asks for them on behalf of others. Token data of a network token, for
    which a merchant of the vault would be needed, does not go with them."""
    cards = card_keyring(settings)
    repository = AuthenticationRepository(Table(threeds_table, aws.dynamodb()))
    merchants = merchants_of(Table(settings.vault_table, aws.dynamodb()), cards)
    return AuthenticationService(
        repository,
        Settlement(repository),
        CardVault(tokens_of(settings, cards), merchants),
        DirectoryServer(settings.sandbox_allow_targets if settings.is_sandbox else ()),
    )
