"""What a backend gets to see of a decision: what rules see, without metadata and without card number.

Credential details come as they are kept (mask, fingerprint, scheme, expiry). The caller's passthrough goes to the
backend that it names and to no other. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from risk.fields import NoField, field_at, value_at
from risk.integrations.models import Backend, Integration

_GROUPS: Final = ("customer", "transaction", "device", "billing", "shipping", "items", "airline")


def assess_body(decision_id: str, context: Mapping[str, Any], passthrough: Mapping[str, Any] | None) -> dict[str, Any]:
    """The body of `assess`."""
    kind = context["credential_type"]
    details = context.get("credential", {}).get(kind, {})
    body: dict[str, Any] = {
        "decision_id": decision_id,
        "context": context["context"],
        "credential": {
            **details,
            "type": kind,
            "fingerprint": context["credential_fingerprint"],
            "masked": context["masked_credential"],
        },
    }
    body |= {name: context[name] for name in _GROUPS if name in context}
    if "payment_type" in context:
        body["payment_type"] = context["payment_type"]
    if passthrough:
        body["passthrough"] = dict(passthrough)
    return body


def missing_fields(required: tuple[str, ...], context: Mapping[str, Any]) -> list[str]:
    """Which of the fields that a backend requires the decision does not have; metadata counts as not there."""
    return [path for path in required if not _is_there(path, context)]


def _is_there(path: str, context: Mapping[str, Any]) -> bool:
    try:
        field = field_at(path)
    except NoField:
        return False
    return field.steps[0] != "metadata" and value_at(context, field) is not None


def described(integration: Integration, backend_id: str | None) -> Backend | None:
    """What discovery found out about a backend; without an id about the only one that can assess."""
    known = integration.backends or ()
    if backend_id is not None:
        return next((each for each in known if each.id == backend_id), None)
    able = [each for each in known if each.enabled and "assess" in each.actions]
    return able[0] if len(able) == 1 else None


def passthrough_for(name: str, passthrough: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What the caller sends along to the backend: keyed by its id, or by its name in rules."""
    given = passthrough or {}
    found = given.get(name, given.get(name.partition("/")[2] or name))
    return found if isinstance(found, Mapping) else None


def split(name: str) -> tuple[str, str | None]:
    """`link-prod/acme` → the integration's slug and the backend's id."""
    slug, _, backend_id = name.partition("/")
    return slug, backend_id or None
