"""What other groups may ask of access: to open a new tenant's part of the family, in the transaction that makes it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from payments.access.models import NewAccount, NewKey, NewSpace, NewUser
from payments.access.repository.directory import DirectoryRepository, account_role
from payments.configurations.public import add_demonstration
from payments.engine.repository import Objects
from tollgate import aws, clock, ids
from tollgate.auth.directory import APPLICATION_USER, key_context
from tollgate.auth.permissions import ADMINISTRATOR
from tollgate.auth.request_tokens import KEY_BYTES
from tollgate.config import PaymentsSettings
from tollgate.crypto.keyring import Keyring
from tollgate.dialects.payments import keyring_of
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

__all__ = ["OpenTenant", "TenantOpening"]


@dataclass(frozen=True, slots=True, repr=False)
class OpenTenant:
    """What a new tenant has: a root account, a space, an application user and its key, in clear, once."""

    account_id: int
    space_id: int
    application_user_id: int
    authentication_key: str
    card_method_configuration_id: int | None = None

    def shown(self) -> dict[str, Any]:
        """The `payments` member of an account's credentials."""
        card = self.card_method_configuration_id
        return {
            "account_id": self.account_id,
            "space_id": self.space_id,
            "application_user_id": self.application_user_id,
            "authentication_key": self.authentication_key,
            **({} if card is None else {"card_method_configuration_id": card}),
        }


class TenantOpening:
    """Opens the payments family for a new tenant."""

    def __init__(self, repository: DirectoryRepository, keyring: Keyring, demonstration: Objects | None = None) -> None:
        self._repository = repository
        self._keyring = keyring
        self._demonstration = demonstration

    @classmethod
    def of(cls, settings: PaymentsSettings) -> TenantOpening:
        table = Table(settings.payments_table, aws.dynamodb())
        return cls(DirectoryRepository(table), keyring_of(settings), Objects(table) if settings.is_sandbox else None)

    def add(self, transaction: Transaction, tenant: str, name: str) -> OpenTenant:
        """A root account, a space and an administrating application user, called like the tenant. A sandbox's space can
        take payments at once."""
        now = clock.now()
        account, space, user = ids.new_number(now), ids.new_number(now), ids.new_number(now)
        key_id, secret = ids.new_number(now), ids.secret_bytes(KEY_BYTES)
        self._repository.insert_account(transaction, NewAccount(account, tenant, (account,)))
        self._repository.insert_space(transaction, NewSpace(space, tenant, (account,)))
        sealed = self._keyring.seal(tenant, key_context(user, key_id), secret)
        role = account_role(ADMINISTRATOR, account, below=True, assignment=ids.new_number(now))
        self._repository.insert_user(
            transaction,
            NewUser(user, tenant, account, account, APPLICATION_USER),
            keys=(NewKey(key_id, sealed, clock.iso(now)),),
            roles=dict([role]),
        )
        known = self._demonstration
        card = None if known is None else add_demonstration(known, transaction, tenant, space)
        return OpenTenant(account, space, user, base64.b64encode(secret).decode(), card)
