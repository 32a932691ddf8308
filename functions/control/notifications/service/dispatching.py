"""Delivers: makes attempts side by side, settles each as it ends, goes on to the next one of the same object.

An attempt is begun (counted, leased) before it is made and settled under the version that began it, so of two workers
one makes it and a worker that comes back late changes nothing. Only the requests themselves run on threads. What fails
on our side is reported and left: the notification stays due, its lease runs out, and a sweep tries it again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from control.notifications import rules
from control.notifications.clients.receiver import Receiver
from control.notifications.errors import Changed, Overtaken
from control.notifications.models import Attempt, Endpoint, Notification, Outcome, Status, stamp
from control.notifications.repository.endpoints import EndpointRepository
from control.notifications.repository.notifications import NotificationRepository
from control.notifications.service.recording import LEASE, in_hand
from control.notifications.service.targets import Targets
from control.provisioning.public import NotificationTarget
from tollgate import clock, ids
from tollgate.errors import Contended

SIDE_BY_SIDE = 16
"""Attempts that one run makes at a time."""

MOST_PER_SHARD = 1000
"""Due rows that one run reads of each of the sixteen shards."""

MOST_TRIES = len(rules.RETRY_SECONDS) + 1
_ATTEMPTS = 10

Report = Callable[[Exception], None]


@dataclass(slots=True)
class Tally:
    """What a run did, for metrics."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0
    parked: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Party:
    """An account's endpoint as a run sees it."""

    endpoint: Endpoint
    target: NotificationTarget

    @property
    def disabled(self) -> bool:
        return rules.is_disabled(self.endpoint, self.target.url_set_at)


class Dispatcher:
    """Makes attempts."""

    def __init__(
        self,
        notifications: NotificationRepository,
        endpoints: EndpointRepository,
        targets: Targets,
        receiver: Receiver,
    ) -> None:
        self._notifications = notifications
        self._endpoints = endpoints
        self._targets = targets
        self._receiver = receiver

    def run(self, begun: Sequence[Notification], due: Iterable[tuple[str, str]], seconds: int, report: Report) -> Tally:
        """Make the attempts that are begun, then those that are due ((account, id), in this order), and whatever
        these let go ahead. No attempt is begun after `seconds`; what is then left is counted and stays due."""
        run = _Run(self, report, seconds)
        run.go(deque(begun), iter(due))
        return run.tally

    def due(self) -> Iterator[tuple[str, str]]:
        """What is due now, (account, id), accounts taking turns."""
        return rules.fairly(list(self._notifications.due(stamp(clock.now()), MOST_PER_SHARD)))

    # ------------------------------------------------------------------ one notification

    def party(self, account_id: str) -> Party:
        return Party(self._endpoints.find(account_id), self._targets.require(account_id))

    def begin(self, account_id: str, notification_id: str) -> Notification | None:
        return self._notifications.claim(account_id, notification_id, stamp(clock.wall() + LEASE))

    def post(self, notification: Notification, target: NotificationTarget) -> Callable[[], Outcome]:
        """The attempt, ready to be made on a thread."""
        headers = rules.headers(target.keys, notification, clock.wall(), target.sign)
        url, body = str(target.url), notification.body.encode()
        return lambda: self._receiver.post(url, headers, body, target.accepts)

    def settle(
        self, done: Notification, outcome: Outcome, party: Party, go_on: bool
    ) -> tuple[Status, Notification | None]:
        """Store how an attempt ended; answers the new state and the one that comes next, begun, if `go_on`."""
        at = clock.now()
        attempt = Attempt(done.attempts, stamp(at), outcome)
        if outcome.error is None:
            after = self._ended(done, "delivered", delivered_at=stamp(at))
        else:
            again = rules.next_attempt_at(done.tries, at, round(ids.uniform(rules.LEAST, rules.WHOLE)))
            after = self._ended(done, "dead") if again is None else replace(done, due_at=again, leased_until=None)
        return after.status, self.store(done, after, party, attempt, go_on)

    def park(self, notification_id: str, account_id: str) -> bool:
        """Hold a due notification back until its endpoint is enabled."""
        notification = self._notifications.find(account_id, notification_id)
        if notification is None or notification.due_at is None or _is_leased(notification):
            return False
        transaction = self._notifications.begin()
        after = replace(notification, due_at=None, leased_until=None, parked=True)
        self._notifications.change(transaction, notification, after)
        self._endpoints.hold(transaction, account_id)
        try:
            transaction.commit()
        except Changed:
            return False
        return True

    def withdraw(self, notification_id: str, account_id: str, party: Party) -> None:
        """There is no URL to send a due notification to any more; it stays in the log."""
        notification = self._notifications.find(account_id, notification_id)
        if notification is not None and notification.due_at is not None and not _is_leased(notification):
            self.store(notification, self._ended(notification, "not_sent"), party, None, go_on=False)

    def give_up(self, notification: Notification, party: Party) -> None:
        """End a pending notification without another attempt."""
        self.store(notification, self._ended(notification, "dead"), party, None, go_on=False)

    def store(
        self, before: Notification, after: Notification, party: Party, attempt: Attempt | None, go_on: bool
    ) -> Notification | None:
        """Commit a change and, where it ends a turn, let the next of the same object go ahead, in one transaction.

        A lease that was lost meanwhile makes this a change of nothing.
        """
        is_last = True  # of its object, most often; if it is not, closing the lane is refused and costs one more turn
        for _ in range(_ATTEMPTS):
            transaction = self._notifications.begin()
            self._notifications.change(transaction, before, after, attempt)
            started = None
            if before.in_lane and not after.in_lane:
                waiting = None if is_last else self._notifications.next_in_lane(before)
                if waiting is None:
                    self._notifications.close_lane(transaction, before)
                else:
                    started = _moved_up(waiting, party, go_on)
                    self._notifications.change(transaction, waiting, started, refused=Overtaken)
                    if started.parked:
                        self._endpoints.hold(transaction, before.account_id)
            try:
                transaction.commit()
            except Overtaken:
                is_last = False
            except Changed:
                return None
            else:
                return replace(started, version=started.version + 1) if started and started.leased_until else None
        raise Contended

    def note_health(self, party: Party, outcome: Outcome) -> Party:
        """The party after an attempt; the endpoint is disabled after days of failure."""
        before = party.endpoint
        if outcome.error is not None:
            is_late = rules.is_late(before, clock.now())
            pending_since = self._notifications.pending_since(before) if is_late else None
            after = rules.after_failure(before, party.target.url_set_at, clock.now(), pending_since)
        elif before.failing_since is None and before.disabled_at is None:
            return party
        else:
            after = rules.after_success(before)
        self._endpoints.note_health(before, after)
        return replace(party, endpoint=after)

    @staticmethod
    def _ended(before: Notification, status: Status, delivered_at: str | None = None) -> Notification:
        return replace(
            before,
            status=status,
            due_at=None,
            leased_until=None,
            parked=False,
            in_lane=False,
            delivered_at=delivered_at or before.delivered_at,
        )


class _Run:
    """One run: attempts under way, and what the run knows of the accounts it meets."""

    def __init__(self, dispatcher: Dispatcher, report: Report, seconds: int) -> None:
        self.tally = Tally()
        self._dispatcher = dispatcher
        self._report = report
        self._deadline = time.monotonic() + seconds
        self._parties: dict[str, Party] = {}
        self._under_way: dict[Future[Outcome], Notification] = {}

    def go(self, begun: deque[Notification], due: Iterator[tuple[str, str]]) -> None:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            while True:
                self._fill(pool, begun, due)
                if not self._under_way:
                    break
                finished, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
                for each in finished:
                    following = self._settle(self._under_way.pop(each), each)
                    if following is not None:
                        begun.append(following)
        self.tally.left = len(begun) + sum(1 for _ in due)

    def _fill(self, pool: ThreadPoolExecutor, begun: deque[Notification], due: Iterator[tuple[str, str]]) -> None:
        while len(self._under_way) < SIDE_BY_SIDE:
            if begun:
                notification: Notification | None = begun.popleft()
            elif self._has_time() and (row := next(due, None)) is not None:
                notification = self._begin(*row)
            else:
                return
            if notification is not None:
                self._submit(pool, notification)

    def _submit(self, pool: ThreadPoolExecutor, notification: Notification) -> None:
        try:
            party = self._party(notification.account_id)
            if notification.tries > MOST_TRIES:  # attempts that began and never came to an end
                self._dispatcher.give_up(notification, party)
                self.tally.dead += 1
                return
            self._under_way[pool.submit(self._dispatcher.post(notification, party.target))] = notification
        except Exception as error:
            self._report(error)

    def _begin(self, account_id: str, notification_id: str) -> Notification | None:
        try:
            party = self._party(account_id)
            if party.target.url is None:
                self._dispatcher.withdraw(notification_id, account_id, party)
            elif party.disabled:
                self.tally.parked += self._dispatcher.park(notification_id, account_id)
            else:
                return self._dispatcher.begin(account_id, notification_id)
        except Exception as error:
            self._report(error)
        return None

    def _settle(self, notification: Notification, finished: Future[Outcome]) -> Notification | None:
        try:
            outcome = finished.result()
            party = self._dispatcher.note_health(self._party(notification.account_id), outcome)
            self._parties[notification.account_id] = party
            status, following = self._dispatcher.settle(notification, outcome, party, self._has_time())
        except Exception as error:
            self._report(error)
            return None
        self.tally.delivered += status == "delivered"
        self.tally.failed += outcome.error is not None
        self.tally.dead += status == "dead"
        return following

    def _party(self, account_id: str) -> Party:
        if account_id not in self._parties:
            self._parties[account_id] = self._dispatcher.party(account_id)
        return self._parties[account_id]

    def _has_time(self) -> bool:
        return time.monotonic() < self._deadline


def _moved_up(waiting: Notification, party: Party, go_on: bool) -> Notification:
    """Whose turn it is: in hand at once, due for the next sweep, or held back with its endpoint."""
    if party.disabled:
        return replace(waiting, parked=True)
    return in_hand(waiting) if go_on else replace(waiting, due_at=stamp(clock.now()))


def _is_leased(notification: Notification) -> bool:
    return notification.leased_until is not None and notification.leased_until > stamp(clock.wall())
