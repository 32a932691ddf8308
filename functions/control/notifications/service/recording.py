"""Makes outbox records notifications: numbered, in order per object, each exactly once.

A record is removed in the transaction that makes its notification, so of any number of workers that were handed it one
succeeds and the others find it gone. The first attempt begins with that same transaction: the worker that recorded
holds the lease.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from control.notifications import rules
from control.notifications.errors import AlreadyTaken, Overtaken, Unreadable
from control.notifications.models import Endpoint, Notification, Reference, stamp
from control.notifications.repository.endpoints import EndpointRepository
from control.notifications.repository.notifications import NotificationRepository
from control.notifications.repository.outbox import Outbox, event_of
from control.notifications.service.targets import Targets
from control.provisioning.public import NotificationTarget
from tollgate import clock, ids
from tollgate.errors import Contended
from tollgate.events import Event

MOST_TOGETHER = 12
"""Events of one transaction: each takes up to seven of its hundred operations, the account's own rows the rest."""

LEASE = timedelta(seconds=60)
"""Longer than the longest run of a worker: what it holds when it dies is free again soon after, and never before."""

_ATTEMPTS = 25
_PAUSE_MILLISECONDS = 40

_Announced = tuple[Reference, Event]


@dataclass(slots=True)
class Taken:
    """What became of references: notifications in hand, and references to come back to, each with its error."""

    in_hand: list[Notification] = field(default_factory=list)
    failed: dict[Reference, Exception] = field(default_factory=dict)


class Recorder:
    """Takes over what was announced."""

    def __init__(
        self,
        notifications: NotificationRepository,
        endpoints: EndpointRepository,
        outbox: Outbox,
        targets: Targets,
    ) -> None:
        self._notifications = notifications
        self._endpoints = endpoints
        self._outbox = outbox
        self._targets = targets

    def take(self, references: Sequence[Reference], report: Callable[[Exception], None]) -> Taken:
        """Record what these name and what was announced before it of the same objects.

        One record that cannot be taken keeps none of the others from being taken.
        """
        taken = Taken()
        events = self._read(references, taken)
        for account_id in dict.fromkeys(event.account_id for event in events.values()):
            mine = [(ref, event) for ref, event in events.items() if event.account_id == account_id]
            mine.sort(key=_moment)
            for first in range(0, len(mine), MOST_TOGETHER):
                self._take_together(account_id, mine[first : first + MOST_TOGETHER], taken, report)
        return taken

    def _read(self, references: Sequence[Reference], taken: Taken) -> dict[Reference, Event]:
        events: dict[Reference, Event] = {}
        for reference, item in self._outbox.read(references).items():
            event = event_of(item)
            if event is None:
                taken.failed[reference] = Unreadable("an outbox record cannot be understood")
                continue
            events[reference] = event
            if not event.type.endswith(rules.CREATION):  # before its creation there is nothing of an object
                events |= self._earlier(reference, event)
        return events

    def _earlier(self, reference: Reference, event: Event) -> dict[Reference, Event]:
        found = self._outbox.earlier(reference, event).items()
        return {each: earlier for each, item in found if (earlier := event_of(item)) is not None}

    def _take_together(
        self, account_id: str, announced: Sequence[_Announced], taken: Taken, report: Callable[[Exception], None]
    ) -> None:
        try:
            taken.in_hand += self._record(account_id, announced)
        except Exception as error:  # whatever it is, it must not take the others with it
            report(error)
            if len(announced) == 1:
                taken.failed[announced[0][0]] = error
                return
            for each in announced:
                # What comes later of an object does not go ahead of what could not be taken.
                if not any(event.subject == each[1].subject and ref in taken.failed for ref, event in announced):
                    self._take_together(account_id, [each], taken, report)
                else:
                    taken.failed[each[0]] = error

    def _record(self, account_id: str, announced: Sequence[_Announced]) -> list[Notification]:
        """One transaction: numbers, notifications, lanes, lists, and the outbox records gone."""
        target = self._targets.require(account_id)
        for _ in range(_ATTEMPTS):
            endpoint = self._endpoints.find(account_id)
            subjects = {event.subject for _, event in announced} if target.url else set()
            tails = self._notifications.tails(account_id, subjects)
            made = self._made(endpoint, target, [event for _, event in announced], tails)
            try:
                self._commit(endpoint, announced, made, tails)
            except AlreadyTaken:
                there = self._outbox.read([reference for reference, _ in announced])
                announced = [each for each in announced if each[0] in there]
                if not announced:
                    return []
            except Overtaken:
                clock.pause(ids.uniform(0, _PAUSE_MILLISECONDS) / 1000)
            else:
                return [each for each in made if each.leased_until is not None]
        raise Contended

    def _commit(
        self,
        endpoint: Endpoint,
        announced: Sequence[_Announced],
        made: Sequence[Notification],
        tails: Mapping[str, int],
    ) -> None:
        transaction = self._notifications.begin()
        for reference, _ in announced:
            self._outbox.remove(transaction, reference)
        self._notifications.insert(transaction, endpoint, made, tails)
        if any(each.parked for each in made):
            self._endpoints.hold(transaction, endpoint.account_id)
        transaction.commit()

    def _made(
        self, endpoint: Endpoint, target: NotificationTarget, events: Sequence[Event], tails: Mapping[str, int]
    ) -> list[Notification]:
        """Numbered notifications, each in its place: in hand, parked, waiting, or not to be sent at all."""
        queued_at = max(stamp(clock.now()), endpoint.last_at)
        disabled = rules.is_disabled(endpoint, target.url_set_at)
        busy = set(tails)
        made = []
        for number, event in enumerate(events, endpoint.last_sequence + 1):
            fresh = _fresh(event, number, queued_at)
            if target.url is None:
                fresh = replace(fresh, status="not_sent", in_lane=False)
            elif disabled and event.subject not in busy:
                fresh = replace(fresh, parked=True)
            elif event.subject not in busy:
                fresh = in_hand(fresh)
            busy.add(event.subject)
            made.append(fresh)
        return made


def in_hand(notification: Notification) -> Notification:
    """With an attempt begun by this worker, the first of a round."""
    return replace(
        notification,
        attempts=notification.attempts + 1,
        tries=1,
        due_at=stamp(clock.now()),
        leased_until=stamp(clock.wall() + LEASE),
    )


def _fresh(event: Event, sequence: int, queued_at: str) -> Notification:
    return Notification(
        id=event.id,
        account_id=event.account_id,
        event_type=event.type,
        subject=event.subject,
        sequence=sequence,
        created_at=event.created_at,
        queued_at=queued_at,
        body=rules.body_of(event),
        status="pending",
        in_lane=True,
    )


def _moment(announced: _Announced) -> tuple[str, bool, str]:
    """By when it was announced; where two moments are the same, a creation comes first."""
    reference, event = announced
    return event.created_at, not event.type.endswith(rules.CREATION), reference.sk
