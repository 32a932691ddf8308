"""What other groups may ask of provisioning: to carry out a payload as the direct invocation does, and where an
account's notifications go.

What only the commands need is loaded when the first command comes; whoever delivers notifications never pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from control.provisioning.repository import IdentityRepository, hmac_context
from tollgate import aws, clock
from tollgate.auth import records
from tollgate.config import CallerSettings, PaymentsSettings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.crypto.signatures import Sign
from tollgate.errors import Invalid
from tollgate.store.items import Item
from tollgate.store.table import Table

if TYPE_CHECKING:
    from control.provisioning.service import ProvisioningService

__all__ = ["NotificationTarget", "NotificationTargets", "Provisioning"]


@dataclass(frozen=True)
class Provisioning:
    """The provisioning commands, for a function with these settings."""

    service: ProvisioningService

    @classmethod
    def of(cls, settings: PaymentsSettings) -> Provisioning:
        from control.provisioning.service import ProvisioningService
        from payments.access.public import TenantOpening
        from tollgate.egress import Egress

        table, keyring = _identity(settings)
        egress = Egress(frozenset(settings.sandbox_allow_targets if settings.is_sandbox else ()))
        payments = TenantOpening.of(settings)
        return cls(ProvisioningService(IdentityRepository(table), keyring, egress, settings.environment, payments))

    def carry_out(self, payload: Any) -> dict[str, Any]:
        """Check a payload and carry it out.

        Raises:
            Failure: nothing was changed.
        """
        from control.provisioning.models import COMMANDS
        from tollgate.models.fields import validated

        if not isinstance(payload, Mapping):
            raise Invalid.at("$", "must be an object")
        action = payload.get("action")
        command = COMMANDS.get(action) if isinstance(action, str) else None
        if command is None:
            raise Invalid.at("$.action", f"must be one of {', '.join(COMMANDS)}")
        return self.service.carry_out(validated(command, dict(payload)))


@dataclass(frozen=True, slots=True, repr=False)
class NotificationTarget:
    """Where an account wants its notifications and what they are signed with, the present key first.

    `url` None: nowhere. `url_set_at` is when the URL was last named (UTC to the microsecond), None if that was at the
    account's creation. `accepts` are the statuses that acknowledge. `sign` signs with a private key where receivers
    hold the public one.
    """

    url: str | None
    url_set_at: str | None
    keys: tuple[bytes, ...]
    accepts: range = range(200, 201)
    sign: Sign | None = None


class NotificationTargets:
    """The notification targets of all accounts."""

    def __init__(self, repository: IdentityRepository, keyring: Keyring) -> None:
        self._repository = repository
        self._keyring = keyring

    @classmethod
    def of(cls, settings: CallerSettings) -> NotificationTargets:
        table, keyring = _identity(settings)
        return cls(IdentityRepository(table), keyring)

    def require(self, account_id: str) -> NotificationTarget:
        """The target of an account as it is now.

        Raises:
            AccountNotFound: no account has this id.
        """
        account = self._repository.require_account(account_id)
        return NotificationTarget(
            url=account.get("notification_url"),
            url_set_at=account.get("notification_url_set_at"),
            keys=tuple(self._keys(account)),
        )

    def _keys(self, account: Item) -> list[bytes]:
        sealed = [account["hmac_key"]]
        if account.get("former_hmac_key_until", 0) > clock.epoch():
            sealed.append(account["former_hmac_key"])
        return [self._keyring.open(records.PLATFORM, hmac_context(account["id"]), each) for each in sealed]


def _identity(settings: CallerSettings) -> tuple[Table, Keyring]:
    table = Table(settings.identity_table, aws.dynamodb())
    return table, Keyring(table, Kms(aws.kms(), settings.platform_key_id), records.PLATFORM)
