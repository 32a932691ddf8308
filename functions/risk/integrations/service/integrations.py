"""What can be done with integrations: the only place that sequences checks and writes of them.

Whether an address may be called is asked when it is set, and by the guard again at every call. An access token is
sealed before it is stored, and there is no way by which it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from risk.integrations.errors import IntegrationNotFound, Overtaken, TooManyIntegrations
from risk.integrations.models import (
    BackendView,
    CreateIntegration,
    Integration,
    IntegrationView,
    UpdateIntegration,
    backend_view,
    view,
)
from risk.integrations.repository import IntegrationRepository
from risk.integrations.service.connections import DISCOVERY_MS, Directory, sealing
from tollgate import clock, ids
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Contended, Invalid
from tollgate.http.message import encode
from tollgate.store.idempotency import Once

MOST: Final = 50
_ATTEMPTS: Final = 10
_STAMP: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_STAYS: Final = ("slug", "type")


class IntegrationService:
    """Use cases of the integration resource. `check` refuses an address that may not be called."""

    def __init__(
        self,
        repository: IntegrationRepository,
        keyring: Keyring,
        directory: Directory,
        check: Callable[[str], None],
    ) -> None:
        self._repository = repository
        self._keyring = keyring
        self._directory = directory
        self._check = check

    def create(self, account_id: str, wanted: CreateIntegration, once: Once) -> IntegrationView:
        """Raises SlugTaken, TooManyIntegrations, or Invalid at `$.base_url`."""
        self._check(wanted.base_url)
        if len(self._repository.all(account_id)) >= MOST:
            raise TooManyIntegrations
        at = clock.now().strftime(_STAMP)
        integration = Integration(
            id=ids.new_uuid(), account_id=account_id, slug=wanted.slug, name=wanted.name, base_url=wanted.base_url,
            inserted_at=at, updated_at=at, description=wanted.description, enabled=wanted.enabled,
            timeout_ms=wanted.timeout_ms,
        )  # fmt: skip
        integration = replace(integration, sealed=self._sealed(integration, wanted.access_token))
        answer = view(integration)
        transaction = self._repository.begin()
        once.remember(transaction, encode(answer))
        self._repository.insert(transaction, integration)
        transaction.commit()
        return answer

    def require(self, account_id: str, integration_id: str) -> Integration:
        """An integration of the account, or IntegrationNotFound."""
        found = self._repository.find(account_id, integration_id.lower()) if ids.is_uuid(integration_id) else None
        if found is None:
            raise IntegrationNotFound
        return found

    def page(self, account_id: str, after: str | None, limit: int) -> tuple[list[IntegrationView], str | None]:
        """A page behind a place, and the place that the next one begins behind."""
        behind = [each for each in self._repository.all(account_id) if after is None or _place(each) > after]
        return [view(each) for each in behind[:limit]], _place(behind[limit - 1]) if len(behind) > limit else None

    def update(self, before: Integration, body: Any, wanted: UpdateIntegration) -> IntegrationView:
        """Change members that are given (`body` as sent, `wanted` as read)."""
        for name in _STAYS:
            if name in body and body[name] != getattr(before, name):
                raise Invalid.at(f"$.{name}", "cannot be changed, since rules refer to it")
        given = {name: getattr(wanted, name) for name in wanted.model_fields_set}
        if given.get("base_url", before.base_url) != before.base_url:
            self._check(given["base_url"])
        has_token, token = "access_token" in given, given.pop("access_token", None)
        for _ in range(_ATTEMPTS):
            changed: dict[str, Any] = {**given, "updated_at": clock.now().strftime(_STAMP), "discover_after": 0}
            if has_token:
                changed["sealed"] = self._sealed(before, token)
            if changed.get("base_url", before.base_url) != before.base_url:
                changed["backends"] = None
            after = replace(before, revision=before.revision + 1, **changed)
            transaction = self._repository.begin()
            self._repository.replace(transaction, before, after)
            try:
                transaction.commit()
            except Overtaken:
                before = self.require(before.account_id, before.id)
                continue
            return view(after)
        raise Contended

    def delete(self, account_id: str, integration_id: str) -> None:
        """Rules that name it fail from the next decision on, and their `on_error` applies."""
        for _ in range(_ATTEMPTS):
            transaction = self._repository.begin()
            self._repository.delete(transaction, self.require(account_id, integration_id))
            try:
                transaction.commit()
            except Overtaken:
                continue
            return
        raise Contended

    def backends(self, integration: Integration) -> list[BackendView]:
        """The backends there, asked for now; what was known where the instance does not answer."""
        found = self._directory.discovered(integration, DISCOVERY_MS, anew=True)
        return [backend_view(found, each) for each in found.backends or ()]

    def _sealed(self, integration: Integration, token: str | None) -> bytes | None:
        if token is None:
            return None
        return self._keyring.seal(integration.account_id, sealing(integration), token.encode())


def _place(integration: Integration) -> str:
    return f"{integration.inserted_at}#{integration.id}"
