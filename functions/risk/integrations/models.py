"""Shapes of integrations ("Integrations" in the reference), and what goes between us and a Link instance.

An integration points at a Link instance; backends live there and are discovered. A rule names one as
`<slug>/<backend>`, or the only backend there is as `<slug>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypedDict

from pydantic import Field

from tollgate.models.fields import HttpUrl, RequestModel, Text

PROTOCOL: Final = "specter-v1"
ASSESS: Final = "assess"
DEFAULT_TIMEOUT_MS: Final = 5000
SHORTEST_TIMEOUT_MS: Final = 100
LONGEST_TIMEOUT_MS: Final = 10_000

Name = Annotated[str, Text(100)]
Description = Annotated[str, Text(500)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
TimeoutMs = Annotated[int, Field(ge=SHORTEST_TIMEOUT_MS, le=LONGEST_TIMEOUT_MS)]
AccessToken = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,4096}$")]


class CreateIntegration(RequestModel):
    """A new integration. `access_token` goes to Link as bearer token and is never shown again."""

    name: Name
    slug: Slug
    type: Literal["link"]
    base_url: HttpUrl
    description: Description | None = None
    enabled: bool = True
    timeout_ms: TimeoutMs = DEFAULT_TIMEOUT_MS
    access_token: AccessToken | None = None


class UpdateIntegration(RequestModel):
    """Members that are given take the place of the former ones; null unsets `description` and `access_token`. The slug
    and the type stay: rules refer to them."""

    name: Name = None  # type: ignore[assignment]
    base_url: HttpUrl = None  # type: ignore[assignment]
    description: Description | None = None
    enabled: bool = None  # type: ignore[assignment]
    timeout_ms: TimeoutMs = None  # type: ignore[assignment]
    access_token: AccessToken | None = None


class IntegrationView(TypedDict):
    """An integration. `access_token_set` says whether one is kept."""

    id: str
    name: str
    slug: str
    type: Literal["link"]
    base_url: str
    description: str | None
    enabled: bool
    timeout_ms: int
    access_token_set: bool
    inserted_at: str
    updated_at: str


class IntegrationLinks(TypedDict):
    next: str | None


class IntegrationPage(TypedDict):
    data: list[IntegrationView]
    links: IntegrationLinks


class BackendView(TypedDict):
    """A backend as Link describes it. `backend` is how rules name it; without the fields in `required_fields` it is not
    asked; `actions` are what it can do."""

    backend: str
    id: str
    name: str | None
    enabled: bool
    actions: list[str]
    required_fields: list[str]


class BackendList(TypedDict):
    data: list[BackendView]


@dataclass(frozen=True, slots=True)
class Backend:
    """What is known of a backend."""

    id: str
    name: str | None = None
    enabled: bool = True
    actions: tuple[str, ...] = (ASSESS,)
    required_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Integration:
    """A stored integration. `sealed` is the access token, `backends` what discovery found (None: nothing yet),
    `discover_after` (seconds since 1970) when to look again. `revision` guards every change."""

    id: str
    account_id: str
    slug: str
    name: str
    base_url: str
    inserted_at: str
    updated_at: str
    revision: int = 1
    type: Literal["link"] = "link"
    description: str | None = None
    enabled: bool = True
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    sealed: bytes | None = field(default=None, repr=False)
    backends: tuple[Backend, ...] | None = None
    discover_after: int = 0


def view(integration: Integration) -> IntegrationView:
    """The public form, member by member."""
    return {
        "id": integration.id,
        "name": integration.name,
        "slug": integration.slug,
        "type": integration.type,
        "base_url": integration.base_url,
        "description": integration.description,
        "enabled": integration.enabled,
        "timeout_ms": integration.timeout_ms,
        "access_token_set": integration.sealed is not None,
        "inserted_at": integration.inserted_at,
        "updated_at": integration.updated_at,
    }


def backend_view(integration: Integration, backend: Backend) -> BackendView:
    return {
        "backend": f"{integration.slug}/{backend.id}",
        "id": backend.id,
        "name": backend.name,
        "enabled": backend.enabled,
        "actions": list(backend.actions),
        "required_fields": list(backend.required_fields),
    }


# ------------------------------------------------------------------ between us and Link


@dataclass(frozen=True, slots=True)
class Call:
    """One invocation of an action. `reference` makes repetitions of it one to the backend."""

    action: str
    backend: str | None
    reference: str
    body: Mapping[str, Any] = field(repr=False)
    timeout_ms: int = DEFAULT_TIMEOUT_MS


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call. `error` is a word of ours (`docs/guides/risk-backends.md` lists them); `is_transient` says
    that the same call may succeed later, `raw` is the answer of an action that succeeded."""

    error: str | None = None
    is_transient: bool = False
    raw: dict[str, Any] | None = field(default=None, repr=False)
    latency_ms: int = 0
    execution_id: str | None = None
    timing: dict[str, int] | None = None


class NotificationView(TypedDict):
    """What became of telling a backend: delivered, skipped (it does not take this kind), failed, or pending (no answer
    yet; it is told again)."""

    backend: str
    status: Literal["delivered", "skipped", "failed", "pending"]
    error: str | None


WorkKind = Literal["assess", "notify"]


@dataclass(frozen=True, slots=True)
class Work:
    """Something that a backend is still to be asked or told. `details` of `notify`: action, backend, reference,
    subject, body. `due` in seconds since 1970; `attempts` counts those begun."""

    id: str
    account_id: str
    decision_id: str
    kind: WorkKind
    due: int
    attempts: int = 0
    details: dict[str, Any] = field(default_factory=dict, repr=False)
