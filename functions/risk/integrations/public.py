"""What other groups of the family may ask of integrations: to ask backends, to tell them, to see to what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from risk.credentials import Masker
from risk.evaluation import Backends
from risk.integrations.clients.link import Link
from risk.integrations.clients.simulator import BASE_URL, Simulator
from risk.integrations.clients.work_queue import WorkQueue
from risk.integrations.errors import WorkTaken
from risk.integrations.models import NotificationView, Work
from risk.integrations.repository import IntegrationRepository, WorkRepository
from risk.integrations.repository.work import key_of
from risk.integrations.service.assessing import Assessor, Recorded, has_passing_trouble
from risk.integrations.service.connections import Directory, OpenLink
from risk.integrations.service.integrations import IntegrationService
from risk.integrations.service.notifying import Message, Notifier, Plan, pause_before
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Forbidden, Invalid
from tollgate.store.table import Table

__all__ = [
    "BackendAccess",
    "Message",
    "NotificationView",
    "Notifier",
    "Plan",
    "Recorded",
    "Work",
    "WorkQueue",
    "WorkRepository",
    "WorkTaken",
    "has_passing_trouble",
    "integrations_of",
    "key_of",
    "pause_before",
]


class BackendAccess:
    """The backends of all accounts, for a deployed function.

    `assessor` makes the port that evaluation asks; `notifier` tells; `work` holds what is left to do.
    """

    def __init__(self, table: Table, keyring: Keyring, *, is_sandbox: bool, allow_targets: tuple[str, ...]) -> None:
        self.directory = Directory(IntegrationRepository(table), keyring, _opener(is_sandbox, allow_targets))
        self.work = WorkRepository(table)
        self.notifier = Notifier(self.directory, self.work, keyring)
        self._keyring = keyring

    def assessor(self, account_id: str, decision_id: str, passthrough: Mapping[str, Any] | None) -> Backends:
        """The backends of a decision that is being made."""
        return Assessor(self.directory, Masker(self._keyring, account_id), account_id, decision_id, passthrough)

    def late_assessor(self, account_id: str, decision_id: str) -> Backends:
        """The same for rules that were put off."""
        masker = Masker(self._keyring, account_id)
        return Assessor(self.directory, masker, account_id, decision_id, defers=False)


def integrations_of(
    access: BackendAccess, table: Table, keyring: Keyring, *, is_sandbox: bool, allow_targets: tuple[str, ...]
) -> IntegrationService:
    """The admin use cases, for a deployed function."""
    check = _checker(is_sandbox, allow_targets)
    return IntegrationService(IntegrationRepository(table), keyring, access.directory, check)


def _opener(is_sandbox: bool, allow_targets: tuple[str, ...]) -> OpenLink:
    guards: list[Any] = []

    def open_link(base_url: str, access_token: str | None) -> Link:
        if is_sandbox and base_url.rstrip("/") == BASE_URL:
            return Simulator()
        from risk.integrations.clients.gateway import Gateway  # a start without backends does not pay for the guard
        from tollgate.egress import Egress

        if not guards:
            guards.append(Egress(allow_targets if is_sandbox else ()))
        return Gateway(guards[0], base_url, access_token)

    return open_link


def _checker(is_sandbox: bool, allow_targets: tuple[str, ...]) -> Callable[[str], None]:
    def check(base_url: str) -> None:
        if is_sandbox and base_url.rstrip("/") == BASE_URL:
            return
        from tollgate.egress import Egress

        try:
            place = Egress(allow_targets if is_sandbox else ()).admit(base_url)
        except Forbidden:
            raise Invalid.at("$.base_url", "must be an https address that may be called") from None
        if place.query:
            raise Invalid.at("$.base_url", "must not have a query")

    return check
