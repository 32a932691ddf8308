"""From the name of a backend in a rule to a Link instance that can be called, or the word for why it cannot.

Reads each integration once per connection set, and asks its Link instance for its backends when what is known of them
is older than ten minutes; one that does not say is asked again after one. Speaks to nobody about a decision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from risk.integrations.clients.link import Link
from risk.integrations.models import Backend, Integration
from risk.integrations.repository import IntegrationRepository
from risk.integrations.rules.requests import described, split
from tollgate import clock
from tollgate.crypto.keyring import Keyring

KNOWN_SECONDS: Final = 600
UNKNOWN_SECONDS: Final = 60
DISCOVERY_MS: Final = 2000

OpenLink = Callable[[str, str | None], Link]
"""(base URL, access token) → the Link instance there."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A backend that can be called. `backend` is what is known of it, if anything."""

    integration: Integration
    link: Link
    backend_id: str | None
    backend: Backend | None


class Directory:
    """Opens integrations of all accounts."""

    def __init__(self, repository: IntegrationRepository, keyring: Keyring, open_link: OpenLink) -> None:
        self._repository = repository
        self._keyring = keyring
        self._open_link = open_link

    def by_slug(self, account_id: str, slug: str) -> Integration | None:
        return self._repository.by_slug(account_id, slug)

    def link_of(self, integration: Integration) -> Link:
        sealed = integration.sealed
        token = None if sealed is None else self._keyring.open(integration.account_id, sealing(integration), sealed)
        return self._open_link(integration.base_url, token.decode() if token else None)

    def discovered(self, integration: Integration, timeout_ms: int, *, anew: bool = False) -> Integration:
        """The integration with its backends as they are, or as they were when they were last asked for."""
        if not anew and clock.epoch() < integration.discover_after:
            return integration
        found = self.link_of(integration).discover(max(1, min(timeout_ms, integration.timeout_ms, DISCOVERY_MS)))
        after = clock.epoch() + (UNKNOWN_SECONDS if found is None else KNOWN_SECONDS)
        self._repository.note_discovery(integration, found, after)
        backends = integration.backends if found is None else found
        return replace(integration, backends=backends, discover_after=after)


class Connections:
    """The connections of one account, for one decision."""

    def __init__(self, directory: Directory, account_id: str, left_ms: Callable[[], int]) -> None:
        self._directory = directory
        self._account_id = account_id
        self._left_ms = left_ms
        self._opened: dict[str, tuple[Integration, Link] | None] = {}

    def to(self, name: str, action: str) -> Connection | str:
        """The connection to a backend that can do `action`, or the error."""
        slug, backend_id = split(name)
        if slug not in self._opened:
            self._opened[slug] = self._open(slug)
        opened = self._opened[slug]
        if opened is None:
            return "backend_not_configured"
        integration, link = opened
        backend = described(integration, backend_id)
        if backend is not None and not backend.enabled:
            return "backend_disabled"
        if backend is not None and action not in backend.actions:
            return "backend_capability_disabled"
        return Connection(integration, link, backend_id, backend)

    def _open(self, slug: str) -> tuple[Integration, Link] | None:
        integration = self._directory.by_slug(self._account_id, slug)
        if integration is None or not integration.enabled:
            return None
        integration = self._directory.discovered(integration, self._left_ms())
        return integration, self._directory.link_of(integration)


def sealing(integration: Integration) -> dict[str, str]:
    """What the seal of an access token is bound to."""
    return {"record": "integration", "id": integration.id}
