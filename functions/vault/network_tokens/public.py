"""What other groups of the card zone may ask of network tokens, and how a function's parts are put together."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache

from tollgate import aws
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.store.table import Table
from vault.merchants.public import merchants_of
from vault.network_tokens.clients.provider import NoProvider, TokenServiceProvider
from vault.network_tokens.clients.simulator import Simulator
from vault.network_tokens.models import PaymentDataRequest
from vault.network_tokens.repository import PaymentDataRepository, WorkRepository
from vault.network_tokens.service import PaymentDataService, ProvisioningService
from vault.tokens.public import TokenSettings, card_keyring, tokens_of

__all__ = ["NetworkTokenSettings", "PaymentDataRequest", "PaymentDataService", "payment_data_of", "provisioning_of"]

SECRET_CONTEXT = {"purpose": "token-service"}
"""The encryption context under which the credential at the provider is wrapped by the vault's key."""


@dataclass(frozen=True)
class NetworkTokenSettings(TokenSettings):
    """What a function needs that speaks to the provider. `token_service_url` is empty where none is connected;
    `token_service_key` is the credential there as KMS has wrapped it, in base64."""

    token_service_url: str
    token_service_key: str


def provider_of(settings: NetworkTokenSettings) -> TokenServiceProvider:
    """The provider of this deployment: the one connected, else the sandbox's simulator, else none."""
    if settings.token_service_url:
        from tollgate.egress import Egress  # a fifteenth of a second that only starts with a bridge pay
        from vault.network_tokens.clients.gateway import Gateway

        targets = frozenset(settings.sandbox_allow_targets if settings.is_sandbox else ())
        return Gateway(Egress(targets), settings.token_service_url, lambda: _secret(settings))
    return Simulator() if settings.is_sandbox else NoProvider()


@cache
def _secret(settings: NetworkTokenSettings) -> str:
    wrapped = base64.b64decode(settings.token_service_key)
    return Kms(aws.kms(), settings.vault_key_id).unwrap(wrapped, SECRET_CONTEXT).decode()


def payment_data_of(settings: NetworkTokenSettings, keyring: Keyring | None = None) -> PaymentDataService:
    """The payment data use cases of a deployed function. Pass the function's keyring to share its cache."""
    table, keyring = Table(settings.vault_table, aws.dynamodb()), keyring or card_keyring(settings)
    return PaymentDataService(
        PaymentDataRepository(table), tokens_of(settings, keyring), merchants_of(table, keyring), provider_of(settings)
    )


def provisioning_of(settings: NetworkTokenSettings) -> ProvisioningService:
    """The work at the provider, for a deployed function."""
    table = Table(settings.vault_table, aws.dynamodb())
    return ProvisioningService(WorkRepository(table), tokens_of(settings), provider_of(settings))
