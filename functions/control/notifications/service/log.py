"""The delivery log, as its owner reads it and sends out of it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from control.notifications import rules
from control.notifications.clients.deliveries import Deliveries
from control.notifications.errors import (
    Changed,
    EndpointDisabled,
    NoEndpoint,
    NotificationNotFound,
    WaitsItsTurn,
)
from control.notifications.models import (
    MOST_REPLAYED,
    STATUSES,
    AttemptView,
    Endpoint,
    EndpointView,
    Notification,
    NotificationDetail,
    NotificationView,
    stamp,
    view,
)
from control.notifications.repository import keys
from control.notifications.repository.endpoints import EndpointRepository
from control.notifications.repository.notifications import ATTEMPTS_SHOWN, NotificationRepository
from control.notifications.service.targets import Targets
from control.provisioning.public import NotificationTarget
from tollgate import clock, ids
from tollgate.errors import Contended
from tollgate.store.listing import Selection

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Filter:
    """Which notifications to show, beside page and time; None means any."""

    statuses: frozenset[str] | None = None
    event_types: frozenset[str] | None = None
    subject: str | None = None


class DeliveryLog:
    """Use cases of the account that is notified."""

    def __init__(
        self,
        notifications: NotificationRepository,
        endpoints: EndpointRepository,
        targets: Targets,
        deliveries: Deliveries,
    ) -> None:
        self._notifications = notifications
        self._endpoints = endpoints
        self._targets = targets
        self._deliveries = deliveries

    # ------------------------------------------------------------------ reading

    def page(self, account_id: str, selection: Selection, chosen: Filter) -> tuple[list[NotificationView], int]:
        """A page of the log, and how many match in all."""
        if chosen.subject is not None:
            return self._page_of_subject(account_id, selection, chosen)
        found, total = self._notifications.page(account_id, self._narrowed(account_id, selection, chosen))
        return [view(each) for each in found], total

    def read(self, account_id: str, notification_id: str) -> NotificationDetail:
        """One notification with its attempts.

        Raises:
            NotificationNotFound: not there, or another account's.
        """
        found = self._require(account_id, notification_id)
        attempts = _with_lost_ones(found, self._notifications.attempts(found))
        return {**view(found), "body": found.body, "attempts": attempts}

    def endpoint(self, account_id: str) -> EndpointView:
        """Where notifications go, and how that is going."""
        endpoint, target = self._party(account_id)
        disabled = rules.is_disabled(endpoint, target.url_set_at)
        return {
            "url": target.url,
            "state": "none" if target.url is None else "disabled" if disabled else "enabled",
            "last_sequence": endpoint.last_sequence,
            "failing_since": endpoint.failing_since,
            "disabled_at": endpoint.disabled_at if disabled else None,
        }

    # ------------------------------------------------------------------ sending again

    def enable(self, account_id: str) -> EndpointView:
        """Take a disabled endpoint back into service; what was held back follows within a minute.

        Raises:
            NoEndpoint: there is none.
        """
        endpoint, target = self._party(account_id)
        if target.url is None:
            raise NoEndpoint
        if endpoint.disabled_at is not None:
            self._endpoints.note_health(endpoint, rules.after_success(endpoint))
        return self.endpoint(account_id)

    def resend(self, account_id: str, notification_id: str) -> NotificationView:
        """Send a notification now: again if it is done, ahead of its time if it is due later.

        Raises:
            NotificationNotFound, NoEndpoint, EndpointDisabled, WaitsItsTurn: nothing was changed.
        """
        self._require_endpoint(account_id)
        for _ in range(_ATTEMPTS):
            found = self._require(account_id, notification_id)
            if found.status == "pending" and found.due_at is None and not found.parked:
                raise WaitsItsTurn
            again = self._reopen(found)
            if again is not None:
                self._deliveries.start(account_id, [again.id])
                return view(again)
        raise Contended

    def replay(self, account_id: str, selection: Selection, statuses: frozenset[str] | None) -> tuple[int, int, int]:
        """Send a page of a time range again, oldest first; answers how many were, how many are pending anyhow, and
        how many the range has.

        Raises:
            NoEndpoint, EndpointDisabled: nothing was changed.
        """
        self._require_endpoint(account_id)
        narrowed = self._narrowed(account_id, replace(selection, limit=MOST_REPLAYED), Filter(statuses))
        found, total = self._notifications.page(account_id, narrowed)
        reopened = [again for each in found if each.status != "pending" and (again := self._reopen(each))]
        self._deliveries.start(account_id, [each.id for each in reopened])
        return len(reopened), len(found) - len(reopened), total

    def _reopen(self, found: Notification) -> Notification | None:
        """Make a notification due now, in a new round if it was done; None when another writer was first."""
        now = stamp(clock.now())
        if found.leased_until is not None and found.leased_until > stamp(clock.wall()):
            return found  # an attempt is being made this moment
        is_done = found.status != "pending"
        after = replace(found, status="pending", due_at=now, parked=False, tries=0 if is_done else found.tries)
        transaction = self._notifications.begin()
        self._notifications.change(transaction, found, after)
        try:
            transaction.commit()
        except Changed:
            return None
        return after

    # ------------------------------------------------------------------ parts

    def _require(self, account_id: str, notification_id: str) -> Notification:
        is_id = ids.is_uuid(notification_id)
        found = self._notifications.find(account_id, notification_id.lower()) if is_id else None
        if found is None:
            raise NotificationNotFound
        return found

    def _party(self, account_id: str) -> tuple[Endpoint, NotificationTarget]:
        return self._endpoints.find(account_id), self._targets.require(account_id)

    def _require_endpoint(self, account_id: str) -> None:
        endpoint, target = self._party(account_id)
        if target.url is None:
            raise NoEndpoint
        if rules.is_disabled(endpoint, target.url_set_at):
            raise EndpointDisabled

    def _narrowed(self, account_id: str, selection: Selection, chosen: Filter) -> Selection:
        """The selection with facets: the list is counted by state and event type together."""
        if chosen.statuses is None and chosen.event_types is None:
            return selection
        types = chosen.event_types or self._endpoints.find(account_id).event_types
        facets = {keys.facet(status, each) for status in chosen.statuses or STATUSES for each in types}
        return replace(selection, facets=frozenset(facets))

    def _page_of_subject(
        self, account_id: str, selection: Selection, chosen: Filter
    ) -> tuple[list[NotificationView], int]:
        """Those of one object are few, so they are read, filtered and cut here."""
        all_of_it = self._notifications.of_subject(account_id, str(chosen.subject))
        kept = [view(each) for each in all_of_it if _matches(each, selection, chosen)]
        if selection.descending:
            kept.reverse()
        start = (selection.page - 1) * selection.limit
        return kept[start : start + selection.limit], len(kept)


def _matches(found: Notification, selection: Selection, chosen: Filter) -> bool:
    return (
        (chosen.statuses is None or found.status in chosen.statuses)
        and (chosen.event_types is None or found.event_type in chosen.event_types)
        and _is_between(found.queued_at, selection.created_from, selection.created_to)
    )


def _is_between(at: str, low: datetime | None, high: datetime | None) -> bool:
    return (low is None or at >= stamp(low)) and (high is None or at <= stamp(high))


def _with_lost_ones(found: Notification, ended: Sequence[AttemptView]) -> list[AttemptView]:
    """The latest attempts. One that began and never ended (its worker died) has no record: nobody knows its outcome."""
    by_number = {each["number"]: each for each in ended}
    running = found.attempts if found.leased_until is not None else None
    return [
        by_number.get(number) or _unended(number, is_running=number == running)
        for number in range(max(1, found.attempts + 1 - ATTEMPTS_SHOWN), found.attempts + 1)
    ]


def _unended(number: int, *, is_running: bool) -> AttemptView:
    error = None if is_running else "outcome_unknown"
    return {"number": number, "at": None, "status_code": None, "duration_ms": None, "error": error}
