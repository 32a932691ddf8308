"""What can be done with webhooks: they are made, changed, listed, deleted.

A webhook, who wants which events, and where its notifications go change in one transaction. Delivery itself is the
notifications' (`control.notifications`): signatures, retries, order and giving up are theirs, for both families alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from control.notifications.public import Subscription, Subscriptions
from risk.webhooks.errors import Overtaken, TooManyWebhooks, WebhookNotFound
from risk.webhooks.models import (
    MOST_WEBHOOKS,
    SHOWN_OF_KEY,
    CreateWebhook,
    NewWebhookView,
    UpdateWebhook,
    Webhook,
    WebhookView,
    in_order,
    new_view,
    view,
)
from risk.webhooks.repository import WebhookRepository
from tollgate import clock, ids
from tollgate.egress import Egress, TargetRefused
from tollgate.errors import Contended, Fault, Invalid
from tollgate.store.transaction import Transaction

_ATTEMPTS = 10
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


class WebhookService:
    """Use cases of the webhook resource."""

    def __init__(self, repository: WebhookRepository, subscriptions: Subscriptions, egress: Egress) -> None:
        self._repository = repository
        self._subscriptions = subscriptions
        self._egress = egress

    def create(self, account_id: str, wanted: CreateWebhook) -> NewWebhookView:
        """A new webhook, with the key that its notifications are signed with.

        Raises:
            Invalid: the URL is none that notifications may be sent to.
            TooManyWebhooks: the account has as many as it may.
        """
        self._check(wanted.url)
        now, key = clock.now(), ids.new_secret()
        stamp, shown = now.strftime(_STAMP), f"{key[:SHOWN_OF_KEY]}xxxxx"
        webhook = Webhook(
            ids.new_ordered_uuid(now), account_id, wanted.url, in_order(wanted.events), shown, stamp, stamp
        )

        def add(transaction: Transaction) -> None:
            self._repository.put(transaction, webhook, is_new=True)
            self._subscriptions.insert(transaction, _subscription(webhook), webhook.url, key)

        self._change(webhook, webhook.events, add)
        return new_view(webhook, key)

    def require(self, account_id: str, webhook_id: str) -> Webhook:
        """A webhook of the account, or WebhookNotFound."""
        webhook = self._repository.find(account_id, webhook_id.lower()) if ids.is_uuid(webhook_id) else None
        if webhook is None:
            raise WebhookNotFound
        return webhook

    def page(self, account_id: str, after: str | None, limit: int) -> tuple[list[WebhookView], str | None]:
        found, last = self._repository.page(account_id, after, limit)
        return [view(webhook) for webhook in found], last

    def update(self, before: Webhook, wanted: UpdateWebhook) -> WebhookView:
        """Change what is given.

        Raises:
            Invalid: the URL is none that notifications may be sent to.
            WebhookNotFound: it was deleted meanwhile.
        """
        nulled = [name for name in sorted(wanted.model_fields_set) if getattr(wanted, name) is None]
        if nulled:
            raise Invalid([Fault(f"$.{name}", "must not be null") for name in nulled])
        changes: dict[str, Any] = {"updated_at": clock.now().strftime(_STAMP)}
        if wanted.url is not None:
            self._check(wanted.url)
            changes["url"] = wanted.url
        if wanted.events is not None:
            changes["events"] = in_order(wanted.events)
        after = replace(before, **changes)

        def write(transaction: Transaction) -> None:
            self._repository.put(transaction, after, is_new=False)
            if wanted.url is not None:
                self._subscriptions.point_at(transaction, _subscription(after), after.url)

        self._change(after, after.events, write)
        return view(after)

    def delete(self, webhook: Webhook) -> None:
        """From the next decision on it hears of nothing, and what is under way is not sent."""

        def remove(transaction: Transaction) -> None:
            self._repository.remove(transaction, webhook.account_id, webhook.id)
            self._subscriptions.remove(transaction, _subscription(webhook))

        self._change(webhook, (), remove)

    def _change(self, webhook: Webhook, events: tuple[str, ...], write: Callable[[Transaction], None]) -> None:
        """Commit `write`, with a webhook that from now on wants these events."""
        for _ in range(_ATTEMPTS):
            before = self._repository.index(webhook.account_id)
            recipient = _subscription(webhook).recipient
            wanted: dict[str, list[str]] = {
                event: [each for each in recipients if each != recipient]
                for event, recipients in before.get("wanted", {}).items()
            }
            others = {each for recipients in wanted.values() for each in recipients}
            if len(others) >= MOST_WEBHOOKS:
                raise TooManyWebhooks
            for event in events:
                wanted.setdefault(event, []).append(recipient)
            transaction = self._repository.begin()
            write(transaction)
            self._repository.put_index(transaction, webhook.account_id, before, {e: r for e, r in wanted.items() if r})
            try:
                transaction.commit()
            except Overtaken:
                continue
            return
        raise Contended

    def _check(self, url: str) -> None:
        """The same guard as at each delivery, so that a target that can never be reached is refused at once."""
        try:
            self._egress.admit(url)
        except TargetRefused:
            raise Invalid.at("$.url", "is not a target that notifications may be sent to") from None


def _subscription(webhook: Webhook) -> Subscription:
    return Subscription(webhook.account_id, webhook.id)
