"""What time brings: parked notifications go on once their endpoint is back, old ones are forgotten."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import timedelta

from control.notifications.errors import Changed
from control.notifications.models import RETENTION_DAYS, Notification, stamp
from control.notifications.repository.endpoints import EndpointRepository
from control.notifications.repository.notifications import NotificationRepository
from control.notifications.service.dispatching import Dispatcher
from tollgate import clock
from tollgate.store.listing import Selection

MOST_RESUMED = 200
MOST_ACCOUNTS = 500
_PAGE = 100


@dataclass(slots=True)
class Kept:
    """What a run of the retention did, for metrics: notifications removed, accounts with more to remove."""

    removed: int = 0
    left: int = 0


class Upkeep:
    """Work of the schedules, bounded per run; the next run goes on."""

    def __init__(
        self, notifications: NotificationRepository, endpoints: EndpointRepository, dispatcher: Dispatcher
    ) -> None:
        self._notifications = notifications
        self._endpoints = endpoints
        self._dispatcher = dispatcher

    # ------------------------------------------------------------------ resuming

    def resume(self) -> int:
        """Make due what was parked for endpoints that are enabled again; answers how many."""
        return sum(self._resume(account_id, mark) for account_id, mark in self._endpoints.held())

    def _resume(self, account_id: str, mark: str) -> int:
        party = self._dispatcher.party(account_id)
        if party.target.url is not None and party.disabled:
            return 0
        parked = self._notifications.parked(account_id, MOST_RESUMED)
        resumed = sum(self._unpark(each) for each in parked)
        if len(parked) < MOST_RESUMED:
            self._endpoints.release(account_id, mark)
        return resumed

    def _unpark(self, parked: Notification) -> bool:
        transaction = self._notifications.begin()
        after = replace(parked, parked=False, due_at=stamp(clock.now()), tries=0)
        self._notifications.change(transaction, parked, after)
        try:
            transaction.commit()
        except Changed:
            return False
        return True

    # ------------------------------------------------------------------ forgetting

    def forget(self, seconds: int) -> Kept:
        """Remove what was queued longer ago than notifications are kept, oldest first, for at most `seconds`."""
        kept, deadline = Kept(), time.monotonic() + seconds
        cutoff = stamp(clock.now() - timedelta(days=RETENTION_DAYS))
        for former, account_id in self._endpoints.with_old_ones(cutoff, MOST_ACCOUNTS):
            oldest, removed = former, 1
            while removed and oldest <= cutoff and time.monotonic() < deadline:
                removed, oldest = self._forget_page(account_id, cutoff)
                kept.removed += removed
            kept.left += oldest <= cutoff
            self._endpoints.look_again(account_id, former, oldest)
        return kept

    def _forget_page(self, account_id: str, cutoff: str) -> tuple[int, str]:
        """Remove some of an account's oldest; answers how many, and when the oldest was queued that may be left."""
        found, _ = self._notifications.page(account_id, Selection(limit=_PAGE, page=1, descending=False))
        old = [each for each in found if each.queued_at <= cutoff]
        removed = sum(self._remove(each) for each in old)
        if len(old) == _PAGE or removed < len(old):
            return removed, cutoff
        newer = found[len(old) :]
        return removed, newer[0].queued_at if newer else stamp(clock.now())

    def _remove(self, old: Notification) -> bool:
        """Forget one; a pending one is given up first, so that what waits behind it goes on."""
        if old.status == "pending":
            given_up = self._give_up(old)
            if given_up is None:
                return False
            old = given_up
        transaction = self._notifications.begin()
        self._notifications.remove(transaction, old)
        try:
            transaction.commit()
        except Changed:
            return False
        return True

    def _give_up(self, pending: Notification) -> Notification | None:
        """End a pending notification, as it is by now; None when another worker was first."""
        fresh = self._notifications.find(pending.account_id, pending.id)
        if fresh is not None and fresh.status == "pending":
            self._dispatcher.give_up(fresh, self._dispatcher.party(fresh.account_id))
            fresh = self._notifications.find(fresh.account_id, fresh.id)
        return fresh if fresh is not None and fresh.status != "pending" else None
