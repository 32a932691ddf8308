"""What other groups may ask of provisioning: to carry out a payload as the direct invocation does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from control.provisioning.models import COMMANDS
from control.provisioning.repository import IdentityRepository
from control.provisioning.service import ProvisioningService
from tollgate import aws
from tollgate.auth import records
from tollgate.config import CallerSettings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.egress import Egress
from tollgate.errors import Invalid
from tollgate.models.fields import validated
from tollgate.store.table import Table

__all__ = ["Provisioning"]


@dataclass(frozen=True)
class Provisioning:
    """The provisioning commands, for a function with these settings."""

    service: ProvisioningService

    @classmethod
    def of(cls, settings: CallerSettings) -> Provisioning:
        table = Table(settings.identity_table, aws.dynamodb())
        keyring = Keyring(table, Kms(aws.kms(), settings.platform_key_id), records.PLATFORM)
        egress = Egress(frozenset(settings.sandbox_allow_targets if settings.is_sandbox else ()))
        return cls(ProvisioningService(IdentityRepository(table), keyring, egress, settings.environment))

    def carry_out(self, payload: Any) -> dict[str, Any]:
        """Check a payload and carry it out.

        Raises:
            Failure: nothing was changed.
        """
        if not isinstance(payload, Mapping):
            raise Invalid.at("$", "must be an object")
        action = payload.get("action")
        command = COMMANDS.get(action) if isinstance(action, str) else None
        if command is None:
            raise Invalid.at("$.action", f"must be one of {', '.join(COMMANDS)}")
        return self.service.carry_out(validated(command, dict(payload)))
