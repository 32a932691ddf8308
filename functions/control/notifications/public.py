"""Composition of the notification use cases from a function's settings, shared by the group's doors."""

from __future__ import annotations

from dataclasses import dataclass

from control.notifications.clients.deliveries import Deliveries
from control.notifications.clients.receiver import Receiver
from control.notifications.repository.endpoints import EndpointRepository
from control.notifications.repository.notifications import NotificationRepository
from control.notifications.repository.outbox import Outbox
from control.notifications.repository.subscriptions import Subscription, Subscriptions
from control.notifications.service.dispatching import Dispatcher
from control.notifications.service.log import DeliveryLog
from control.notifications.service.recording import Recorder
from control.notifications.service.targets import Targets
from control.notifications.service.upkeep import Upkeep
from control.provisioning.public import NotificationTargets
from tollgate import aws
from tollgate.auth import records
from tollgate.config import CallerSettings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.egress import Egress
from tollgate.store.table import Table

__all__ = [
    "LogSettings",
    "NotificationSettings",
    "Subscription",
    "Subscriptions",
    "WorkerSettings",
    "delivery_log_of",
    "dispatcher_of",
    "recorder_of",
    "subscriptions_of",
    "upkeep_of",
]


@dataclass(frozen=True)
class NotificationSettings(CallerSettings):
    """What every function of this group needs."""

    notifications_table: str


@dataclass(frozen=True)
class WorkerSettings(NotificationSettings):
    """`outbox_tables` are the tables whose outbox records may be taken over."""

    outbox_tables: tuple[str, ...]


@dataclass(frozen=True)
class LogSettings(NotificationSettings):
    """Where a delivery is asked for."""

    notifications_queue_url: str


def recorder_of(settings: WorkerSettings) -> Recorder:
    tables = {name: Table(name, aws.dynamodb()) for name in settings.outbox_tables}
    return Recorder(*_repositories(settings), Outbox(tables), _targets(settings))


def dispatcher_of(settings: NotificationSettings) -> Dispatcher:
    egress = Egress(frozenset(settings.sandbox_allow_targets if settings.is_sandbox else ()))
    return Dispatcher(*_repositories(settings), _targets(settings), Receiver(egress))


def upkeep_of(settings: NotificationSettings) -> Upkeep:
    return Upkeep(*_repositories(settings), dispatcher_of(settings))


def delivery_log_of(settings: LogSettings) -> DeliveryLog:
    deliveries = Deliveries(aws.sqs(), settings.notifications_queue_url)
    return DeliveryLog(*_repositories(settings), _targets(settings), deliveries)


def subscriptions_of(settings: NotificationSettings) -> Subscriptions:
    identity = Table(settings.identity_table, aws.dynamodb())
    keyring = Keyring(identity, Kms(aws.kms(), settings.platform_key_id), records.PLATFORM)
    return Subscriptions(Table(settings.notifications_table, aws.dynamodb()), keyring)


def _targets(settings: NotificationSettings) -> Targets:
    return Targets(NotificationTargets.of(settings), subscriptions_of(settings))


def _repositories(settings: NotificationSettings) -> tuple[NotificationRepository, EndpointRepository]:
    table = Table(settings.notifications_table, aws.dynamodb())
    return NotificationRepository(table), EndpointRepository(table)
