"""What other groups of the family may ask of decisions: to make one, to find one, to go through a period."""

from __future__ import annotations

from dataclasses import dataclass

from risk.decisions.errors import DecisionNotFound, EventsMoved
from risk.decisions.models import CreateDecision, DecisionRecord, DecisionView, view
from risk.decisions.repository import DecisionRepository, record_of
from risk.decisions.service import BackendsOf, DecisionService, Notify, Origin
from tollgate import aws
from tollgate.config import Settings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.store.table import Table

__all__ = [
    "CreateDecision",
    "DecisionNotFound",
    "DecisionRecord",
    "DecisionRepository",
    "DecisionService",
    "DecisionView",
    "EventsMoved",
    "Origin",
    "RiskSettings",
    "decisions_of",
    "record_of",
    "risk_keyring",
    "view",
]


@dataclass(frozen=True)
class RiskSettings(Settings):
    """What a function of the family needs."""

    identity_table: str
    platform_key_id: str
    risk_table: str


def risk_keyring(settings: RiskSettings) -> Keyring:
    """The family's keyring, owned by accounts: fingerprints, digests, cursors, idempotency answers."""
    return Keyring(Table(settings.risk_table, aws.dynamodb()), Kms(aws.kms(), settings.platform_key_id), "risk")


def decisions_of(
    settings: RiskSettings, keyring: Keyring, backends_of: BackendsOf | None = None, notify: Notify | None = None
) -> DecisionService:
    """The decision use cases of a deployed function."""
    repository = DecisionRepository(Table(settings.risk_table, aws.dynamodb()), keyring)
    return DecisionService(repository, keyring, backends_of, notify)
