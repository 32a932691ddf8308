"""Tells backends that took part in a decision what became of it.

A notification is written down with the change that it is about, as work that is in hand; then it is made at once, and
what came of it is kept. A backend that gives no answer is told again, later each time, with the same reference, for a
day; what it did with an earlier attempt is for it to know. Told is only who said something of the decision.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal

from risk.credentials import Masker
from risk.integrations.clients.link import UNSUPPORTED
from risk.integrations.errors import WorkTaken
from risk.integrations.models import Call, NotificationView, Reply, Work
from risk.integrations.repository import WorkRepository
from risk.integrations.service.connections import Connection, Connections, Directory
from tollgate import clock, ids
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Contended
from tollgate.store.transaction import Transaction

AT_ONCE_MS: Final = 6000
"""For all notifications of one change together, made while the caller waits."""

PAUSES_SECONDS: Final = (60, 300, 1800, 7200, 21_600, 57_600)
"""Until the next attempt, after the first, the second and so on; none follows the last but one."""

MOST_AT_ONCE: Final = 20
_ATTEMPTS: Final = 5
_NOT_SUPPORTED: Final = frozenset({UNSUPPORTED, "backend_capability_disabled"})

Done = Literal["done", "waiting", "given up"]


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told. `subject` is the id of the event or of the decision that was resolved; `action` is
    `notify.<kind>`; `body` what the action takes beside `decision_id` and the backend's own reference."""

    account_id: str
    decision_id: str
    subject: str
    action: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a message: per backend, skipped or failed at once, or work to do."""

    views: tuple[NotificationView, ...]
    work: tuple[Work, ...]


class Notifier:
    """Tells the backends of all accounts."""

    def __init__(self, directory: Directory, repository: WorkRepository, keyring: Keyring) -> None:
        self._directory = directory
        self._repository = repository
        self._keyring = keyring

    # ------------------------------------------------------------------ with the change

    def plan(self, message: Message, results: Sequence[Mapping[str, Any]]) -> Plan:
        """Who is to be told, given the `backend_results` of the decision. Writes nothing and tells nobody."""
        left = _time_left()
        connections = Connections(self._directory, message.account_id, left)
        views: list[NotificationView] = []
        work: list[Work] = []
        for backend, reference in _participants(results):
            connection = connections.to(backend, message.action)
            if isinstance(connection, str):
                views.append(_view(backend, connection))
            else:
                work.append(self._work(message, backend, reference))
                views.append({"backend": backend, "status": "pending", "error": None})
        return Plan(tuple(views), tuple(work))

    def _work(self, message: Message, backend: str, reference: str | None) -> Work:
        body = Masker(self._keyring, message.account_id).value(dict(message.body))
        details = {
            "action": message.action, "backend": backend, "reference": reference, "subject": message.subject,
            "body": body,
        }  # fmt: skip
        due = clock.epoch() + PAUSES_SECONDS[0]
        return Work(ids.new_uuid(), message.account_id, message.decision_id, "notify", due, 1, details)

    def write(self, transaction: Transaction, plan: Plan) -> None:
        """Write down, with the change, that the backends are being told.

        Raises (at commit):
            WorkTaken: of this subject one of them was told, or is being told, already.
        """
        for work in plan.work:
            self._repository.put(transaction, work)
            self._repository.note_begun(transaction, work)

    def tell(self, message: Message, results: Sequence[Mapping[str, Any]]) -> list[NotificationView]:
        """Plan, write down and deliver, for a change that is committed; each backend is told of a subject once,
        however often this is called."""
        for _ in range(_ATTEMPTS):
            known = self._repository.outcomes(message.account_id, message.decision_id, message.subject)
            plan = self.plan(message, [each for each in results if each["backend"] not in known])
            transaction = self._repository.begin()
            self.write(transaction, plan)
            try:
                if len(transaction):
                    transaction.commit()
            except WorkTaken:
                continue
            return [*known.values(), *self.deliver(plan)]
        raise Contended

    # ------------------------------------------------------------------ after it

    def deliver(self, plan: Plan) -> list[NotificationView]:
        """Make the calls that were written down; answers what is known then, in the order of the plan."""
        if not plan.work:
            return list(plan.views)
        left = _time_left()
        connections = Connections(self._directory, plan.work[0].account_id, left)
        calls = [self._prepared(connections, work, left) for work in plan.work]
        with ThreadPoolExecutor(min(len(calls), MOST_AT_ONCE)) as pool:
            replies = list(pool.map(lambda call: call(), calls))
        outcomes = {
            work.details["backend"]: self._settle(work, reply) for work, reply in zip(plan.work, replies, strict=True)
        }
        return [outcomes.get(view["backend"], view) for view in plan.views]

    def carry_out(self, work: Work) -> Done:
        """One more attempt at work that is begun."""
        left = _time_left()
        reply = self._prepared(Connections(self._directory, work.account_id, left), work, left)()
        outcome = self._settle(work, reply)
        if outcome["status"] == "pending":
            return "waiting"
        return "given up" if outcome["error"] == "gave_up" else "done"

    def outcomes(self, account_id: str, decision_id: str, subject: str) -> dict[str, NotificationView]:
        """What became of telling backends about a subject, by backend, as far as it is known."""
        return self._repository.outcomes(account_id, decision_id, subject)

    def _prepared(self, connections: Connections, work: Work, left: Callable[[], int]) -> Callable[[], Reply]:
        details = work.details
        connection = connections.to(details["backend"], details["action"])
        if isinstance(connection, str):
            error = connection
            return lambda: Reply(error)
        reference = f"{details['subject']}/{details['action']}/{details['backend']}"
        body = {"id": details["subject"], "decision_id": work.decision_id, **details["body"]}
        if details["reference"] is not None:
            body["backend_reference"] = details["reference"]
        return lambda: _invoke(connection, details["action"], reference, body, left())

    def _settle(self, work: Work, reply: Reply) -> NotificationView:
        """Keep what came of an attempt; without an answer the row stays and falls due."""
        backend = work.details["backend"]
        if reply.is_transient and work.attempts < len(PAUSES_SECONDS):
            return {"backend": backend, "status": "pending", "error": reply.error}
        view = _view(backend, "gave_up" if reply.is_transient else reply.error)
        transaction = self._repository.begin()
        self._repository.finish(transaction, work)
        self._repository.note_outcome(transaction, work, view)
        with contextlib.suppress(WorkTaken):  # somebody else has told it meanwhile, and kept what came of that
            transaction.commit()
        return view


def pause_before(attempts: int) -> int:
    """Seconds from the beginning of the `attempts`-th attempt to the next one."""
    return PAUSES_SECONDS[min(attempts, len(PAUSES_SECONDS)) - 1]


def _invoke(connection: Connection, action: str, reference: str, body: Mapping[str, Any], left_ms: int) -> Reply:
    time_out = min(connection.integration.timeout_ms, left_ms)
    if time_out <= 0:
        return Reply("timeout", is_transient=True)
    return connection.link.invoke(Call(action, connection.backend_id, reference, body, time_out))


def _view(backend: str, error: str | None) -> NotificationView:
    if error is None:
        return {"backend": backend, "status": "delivered", "error": None}
    if error in _NOT_SUPPORTED:
        return {"backend": backend, "status": "skipped", "error": None}
    return {"backend": backend, "status": "failed", "error": error}


def _participants(results: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str | None]]:
    """Who said something of the decision, once each, and by which reference they know it."""
    seen: set[str] = set()
    for each in results:
        if each.get("error") is not None or each["backend"] in seen:
            continue
        seen.add(each["backend"])
        reference = (each.get("raw_response") or {}).get("backend_reference")
        yield each["backend"], reference if isinstance(reference, str) else None


def _time_left() -> Callable[[], int]:
    started = time.monotonic_ns()
    return lambda: AT_ONCE_MS - (time.monotonic_ns() - started) // 1_000_000
