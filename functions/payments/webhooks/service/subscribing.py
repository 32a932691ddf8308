"""Webhook URLs and listeners: what they do beyond the engine.

Where messages go is told to the notifications (`control.notifications`) in the transaction that changes it: a target
per active URL, and one per active listener that goes by way of its URL. So an inactive URL silences its listeners, and
each listener has an order, a health and retries of its own. Numbers, retries and giving up are the notifications'.
"""

from __future__ import annotations

from typing import Any, Final

from control.notifications.public import Subscription, Subscriptions
from payments.announcements import ENTITIES
from payments.engine import catalogue
from payments.engine.errors import StateInvalid
from payments.engine.fields import OneOf
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.engine.service import Change, Hooks, ResourceService
from payments.resources.webhooks import WEBHOOK_IDENTITY, WEBHOOK_LISTENER, WEBHOOK_URL
from payments.webhooks.errors import TooManyListeners
from payments.webhooks.repository import MOST_LISTENERS, WebhookRecords
from payments.webhooks.service.identities import Identities, signer_of
from tollgate.egress import Egress, TargetRefused
from tollgate.errors import Invalid

ACTIVE: Final = "ACTIVE"
DELETED: Final = "DELETED"
_BEGINNINGS: Final = ("CREATE", ACTIVE, "INACTIVE")
_KINDS: Final = {number: name for name, number in ENTITIES.items()}


class _StatefulHooks(Hooks):
    """What URLs and listeners have in common: a state to begin with, and none to come back from."""

    def creating(self, change: Change) -> None:
        change.values.setdefault("state", ACTIVE)
        _check_state(change.values["state"])

    def updating(self, change: Change) -> None:
        if _before(change).state == DELETED:
            raise StateInvalid
        if change.values.get("state", ACTIVE) is None:
            raise Invalid.at("state", "must not be cleared")
        _check_state(change.values.get("state", ACTIVE))


class UrlHooks(_StatefulHooks):
    """Of webhook URLs: the target follows."""

    def __init__(self, subscriptions: Subscriptions, egress: Egress) -> None:
        self._subscriptions = subscriptions
        self._egress = egress

    def creating(self, change: Change) -> None:
        super().creating(change)
        change.values["applicationManaged"] = False
        self._check_target(change.values.get("url"))
        self._point(change, change.values)

    def updating(self, change: Change) -> None:
        super().updating(change)
        if "url" in change.values:
            self._check_target(change.values["url"])
        self._point(change, {**_before(change).values, **change.values})

    def deleting(self, change: Change) -> None:
        self._point(change, {**_before(change).values, "state": DELETED})

    def _point(self, change: Change, values: dict[str, Any]) -> None:
        """Naming a URL again, with whatever update, takes one back into service that was given up."""
        target = _url(change.context, change.id)
        if values.get("state") == ACTIVE and values.get("url"):
            self._subscriptions.put_url(change.transaction, target, values["url"])
        else:
            self._subscriptions.remove(change.transaction, target)

    def _check_target(self, url: str | None) -> None:
        """The same guard as at each delivery, so that a target that can never be reached is refused at once."""
        if url is None:
            return
        try:
            self._egress.check(url)
        except TargetRefused:
            raise Invalid.at("url", "is not a target that webhooks may be sent to") from None


class ListenerHooks(_StatefulHooks):
    """Of webhook listeners: they are found by what they listen to, and their targets follow."""

    def __init__(self, records: WebhookRecords, subscriptions: Subscriptions, identities: Identities) -> None:
        self._records = records
        self._subscriptions = subscriptions
        self._identities = identities

    def creating(self, change: Change) -> None:
        super().creating(change)
        values = change.values
        values.setdefault("enablePayloadSignatureAndState", True)
        values.setdefault("notifyEveryChange", False)
        values.setdefault("entityStates", [])
        _check_entity(values["entity"])
        _check_states(values["entity"], values["entityStates"])
        url = change.objects.find(WEBHOOK_URL, change.scope, values["url"]["id"])
        if url is not None and url.state == DELETED:
            raise Invalid.at("url", "names an object that is deleted")
        values.setdefault("identity", {"id": self._identities.require_default(change.context)})
        self._follow(change, values, was_active=False)

    def updating(self, change: Change) -> None:
        super().updating(change)
        before = _before(change)
        values = {**before.values, **change.values}
        _check_states(values["entity"], values.get("entityStates") or [])
        self._follow(change, values, was_active=before.state == ACTIVE)

    def deleting(self, change: Change) -> None:
        before = _before(change)
        self._follow(change, {**before.values, "state": DELETED}, was_active=before.state == ACTIVE)

    def _follow(self, change: Change, values: dict[str, Any], *, was_active: bool) -> None:
        target, entity = listener_target(change.context.tenant, change.scope, change.id), values["entity"]
        if values["state"] != ACTIVE:
            self._records.fall_silent(change.transaction, change.scope, change.id, entity)
            self._subscriptions.remove(change.transaction, target)
            return
        if not was_active and self._records.is_full(change.scope, entity):
            raise TooManyListeners(MOST_LISTENERS)
        is_signed = bool(values.get("enablePayloadSignatureAndState"))
        signer = signer_of(change.context, values["identity"]["id"]) if is_signed else None
        self._records.listen(change.transaction, change.scope, change.id, values)
        self._subscriptions.put_way(change.transaction, target, _url(change.context, values["url"]["id"]), signer)


class WebhookService:
    """Webhooks of spaces."""

    def __init__(self, objects: Objects, subscriptions: Subscriptions, egress: Egress) -> None:
        records = WebhookRecords(objects.table)
        self.identities = Identities(objects, records, subscriptions)
        self.urls = ResourceService(WEBHOOK_URL, objects, UrlHooks(subscriptions, egress))
        self.listeners = ResourceService(
            WEBHOOK_LISTENER, objects, ListenerHooks(records, subscriptions, self.identities)
        )
        self.known_identities = ResourceService(WEBHOOK_IDENTITY, objects)


def listener_target(tenant: str, scope: str, listener_id: int) -> Subscription:
    """The recipient that a listener is to the notifications."""
    return Subscription(tenant, f"{scope}-listener-{listener_id}")


def _url(context: Context, url_id: int) -> Subscription:
    return Subscription(context.tenant, f"{context.place.scope_of(WEBHOOK_URL)}-url-{url_id}")


def _before(change: Change) -> Entity:
    if change.before is None:
        raise ValueError("there is nothing to change")
    return change.before


def _check_state(state: str) -> None:
    if state not in _BEGINNINGS:
        raise Invalid.at("state", f"must be one of {', '.join(_BEGINNINGS)}")


def _check_entity(number: int) -> None:
    if number not in _KINDS:
        raise Invalid.at("entity", "is not the number of a kind of objects that can be listened to")


def _check_states(entity: int, states: list[str]) -> None:
    """States that no object of the kind ever has would make a listener that never hears anything."""
    resource = catalogue.find(_KINDS[entity])
    field = resource.by_name.get("state") if resource else None
    if field is None or not isinstance(field.type, OneOf):
        return
    for n, state in enumerate(states):
        if state not in field.type.values:
            raise Invalid.at(f"entityStates[{n}]", f"must be one of {', '.join(field.type.values)}")
