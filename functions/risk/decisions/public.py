"""What other groups of the family may ask of decisions: to make one, to find one, to read stored ones."""

from __future__ import annotations

from dataclasses import dataclass

from risk.decisions.errors import DecisionNotFound, EventsMoved, PanNotTaken
from risk.decisions.models import CreateDecision, DecisionRecord, DecisionView, view
from risk.decisions.repository import DecisionRepository, members_of, record_of
from risk.decisions.service import DecisionService, Origin
from risk.integrations.public import BackendAccess, WorkQueue
from tollgate import aws
from tollgate.config import Settings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.store.table import Table

__all__ = [
    "CreateDecision",
    "DecidingSettings",
    "DecisionNotFound",
    "DecisionRecord",
    "DecisionRepository",
    "DecisionService",
    "DecisionView",
    "EventsMoved",
    "Origin",
    "PanNotTaken",
    "RiskSettings",
    "access_of",
    "decisions_of",
    "members_of",
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


@dataclass(frozen=True)
class DecidingSettings(RiskSettings):
    """What a function needs that makes decisions: also a way to backends, and to the queue of what they say later."""

    sandbox_allow_targets: tuple[str, ...]
    backend_work_queue_url: str


def risk_keyring(settings: RiskSettings) -> Keyring:
    """The family's keyring, owned by accounts: fingerprints, digests, cursors, idempotency answers."""
    return Keyring(Table(settings.risk_table, aws.dynamodb()), Kms(aws.kms(), settings.platform_key_id), "risk")


def access_of(settings: RiskSettings, keyring: Keyring, allow_targets: tuple[str, ...]) -> BackendAccess:
    """The way to the backends, for a deployed function; `allow_targets` count in a sandbox alone."""
    table = Table(settings.risk_table, aws.dynamodb())
    return BackendAccess(table, keyring, is_sandbox=settings.is_sandbox, allow_targets=allow_targets)


def decisions_of(settings: DecidingSettings, keyring: Keyring) -> DecisionService:
    """The decision use cases of a deployed function."""
    repository = DecisionRepository(Table(settings.risk_table, aws.dynamodb()), keyring)
    access = access_of(settings, keyring, settings.sandbox_allow_targets)
    return DecisionService(repository, keyring, access, WorkQueue(aws.sqs, settings.backend_work_queue_url))
