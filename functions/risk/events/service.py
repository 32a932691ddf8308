"""Takes lifecycle events: the only place that sequences reading the decision, the blacklist and writing.

An event, its place in the decision, the state of the payment and what it puts on the blacklist commit together. Its id
follows from all that it says, so the same event sent again, after a lost answer say, finds itself and changes nothing.
Backends are told when it is stored; if that did not come to its end, the next time the event is sent tells them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from risk import records
from risk.blacklist.public import BlacklistService, NewEntry, Overtaken
from risk.credentials import Masker
from risk.decisions.public import DecisionNotFound, DecisionRecord, DecisionRepository, EventsMoved
from risk.events import rules
from risk.events.errors import AlreadyKnown, EventNotFound, TooManyEvents
from risk.events.models import (
    LARGEST_DATA_BYTES,
    MOST_EVENTS,
    BackendNotification,
    CreateEvent,
    EventView,
    LifecycleEvent,
    entry,
    view,
)
from risk.events.repository import EventRepository
from risk.integrations.public import Message, NotificationView, Notifier
from risk.rules import POPULATE_ON
from risk.rulesets.public import RulesetService
from tollgate import clock, ids
from tollgate.auth.instances import Instance
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Contended, Invalid
from tollgate.http.message import encode

MOST_ENTRIES_TOGETHER: Final = 30
"""Blacklist entries of the event's own transaction, of up to three operations each; further ones go before it."""

_ATTEMPTS: Final = 25
_PAUSE_MILLISECONDS: Final = 50


class EventService:
    """Use cases of lifecycle events."""

    def __init__(
        self,
        repository: EventRepository,
        decisions: DecisionRepository,
        rulesets: RulesetService,
        blacklist: BlacklistService,
        keyring: Keyring,
        notifier: Notifier,
    ) -> None:
        self._repository = repository
        self._decisions = decisions
        self._rulesets = rulesets
        self._blacklist = blacklist
        self._keyring = keyring
        self._notifier = notifier

    def record(self, instance: Instance, wanted: CreateEvent) -> EventView:
        """Take an event.

        Raises:
            Invalid: it lies in the future, or its data is too large.
            DecisionNotFound: it is about no decision of the account.
            TooManyEvents, Contended: nothing was changed.
        """
        decision = self._decision(instance.account_id, wanted.decision_id)
        event = self._event(instance.account_id, wanted)
        for _ in range(_ATTEMPTS):
            known = self._repository.find(event.account_id, event.id)
            if known is not None:
                return self._told(instance, decision, known)
            try:
                self._commit(decision, event)
            except (AlreadyKnown, EventsMoved, Overtaken):
                clock.pause(ids.uniform(0, _PAUSE_MILLISECONDS) / 1000)
                decision = self._decision(instance.account_id, wanted.decision_id)
            else:
                return self._told(instance, decision, event)
        raise Contended

    def read(self, instance: Instance, event_id: str) -> EventView:
        """An event of the account, or EventNotFound."""
        known = ids.is_uuid(event_id)
        event = self._repository.find(instance.account_id, event_id.lower()) if known else None
        if event is None:
            raise EventNotFound
        return self._shown(event) if instance.is_connect else view(event, connect=False)

    def _decision(self, account_id: str, decision_id: str) -> DecisionRecord:
        decision = self._decisions.find(account_id, decision_id)
        if decision is None:
            raise DecisionNotFound
        return decision

    def _event(self, account_id: str, wanted: CreateEvent) -> LifecycleEvent:
        now = clock.now()
        if wanted.occurred_at > now + rules.AHEAD:
            raise Invalid.at("$.occurred_at", "must not be more than 5 minutes in the future")
        data = rules.kept(wanted.data, Masker(self._keyring, account_id))
        if len(encode(data)) > LARGEST_DATA_BYTES:
            raise Invalid.at("$.data", f"must have at most {LARGEST_DATA_BYTES} bytes")
        said = {"type": wanted.type, "decision_id": wanted.decision_id, "occurred_at": clock.iso(wanted.occurred_at)}
        content = encode([*said.values(), rules.sorted_members(data)])
        event_id = records.event_id(self._keyring, account_id, content)
        return LifecycleEvent(id=event_id, account_id=account_id, processed_at=clock.iso(now), data=data, **said)  # type: ignore[arg-type]

    def _commit(self, decision: DecisionRecord, event: LifecycleEvent) -> None:
        if len(decision.events) >= MOST_EVENTS:
            raise TooManyEvents
        entries = self._entries(decision, event.type)
        for new in entries[MOST_ENTRIES_TOGETHER:]:
            self._blacklist.add(event.account_id, new)
        transaction = self._repository.begin()
        self._repository.insert(transaction, event)
        added = entry(event)
        state = rules.payment_state(decision.payment_state, [*decision.events, added])
        self._decisions.append_event(transaction, decision, added, state)
        for new in entries[:MOST_ENTRIES_TOGETHER]:
            self._blacklist.join(transaction, event.account_id, new)
        transaction.commit()

    def _entries(self, decision: DecisionRecord, event_type: str) -> list[NewEntry]:
        """By the ruleset that decides now: what an operator has switched on counts for all that is reported later."""
        if event_type not in POPULATE_ON:
            return []
        active = self._rulesets.active(decision.account_id, decision.inputs["context"])
        found = rules.condemned(active.rules, event_type, decision.inputs) if active else []
        return [NewEntry(*each, source_decision_id=decision.id) for each in found]

    def _told(self, instance: Instance, decision: DecisionRecord, event: LifecycleEvent) -> EventView:
        """The event, its backends told (each of them once, whatever happens to the answer)."""
        if not instance.is_connect:
            return view(event, connect=False)
        if event.notifications is None:
            body = {"type": event.type, "occurred_at": event.occurred_at, "data": event.data}
            message = Message(event.account_id, event.decision_id, event.id, f"notify.{event.type}", body)
            event = replace(event, notifications=_told_as(self._notifier.tell(message, decision.backend_results)))
            self._repository.note_told(event, event.notifications or [])
        return self._shown(event)

    def _shown(self, event: LifecycleEvent) -> EventView:
        """With what is known by now of the backends that had not answered."""
        told = event.notifications or []
        if any(each["status"] == "pending" for each in told):
            known = self._notifier.outcomes(event.account_id, event.decision_id, event.id)
            later = {each["backend"]: each for each in _told_as(known.values())}
            told = [later.get(each["backend"], each) for each in told]
        return view(replace(event, notifications=told), connect=True)


def _told_as(views: Iterable[NotificationView]) -> list[BackendNotification]:
    return [{"backend": each["backend"], "status": each["status"], "error": each["error"]} for each in views]
