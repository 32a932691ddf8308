"""Handing changes on to who listens.

A note is removed in the transaction that announces it to every listener, so it is handed on once by whoever comes
first, and never lost. Each listener is a recipient of the notifications; its events carry the finished message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from payments.announcements import ENTITIES, Change
from payments.webhooks import rules
from payments.webhooks.errors import AlreadyTold
from payments.webhooks.models import Listening
from payments.webhooks.repository import WebhookRecords, number_before
from payments.webhooks.service.subscribing import listener_target
from tollgate import clock, events, ids
from tollgate.events import Event


@dataclass(slots=True)
class Told:
    """What became of a batch: messages made, and the place of the first change that could not be handed on, with the
    error; those after it were not tried."""

    messages: int = 0
    failed_at: int | None = None
    error: Exception | None = None
    unheard: list[Change] = field(default_factory=list)


class Telling:
    """Hands changes on."""

    def __init__(self, records: WebhookRecords) -> None:
        self._records = records

    def tell(self, changes: Sequence[Change]) -> Told:
        """Hand these on in their order. What nobody listens to is forgotten."""
        told, known = Told(), dict[tuple[str, str], list[Listening]]()
        for place, change in enumerate(changes):
            try:
                hearing = [each for each in self._listening(change, known) if each.hears(change)]
                if hearing:
                    told.messages += self._announce(change, hearing)
                else:
                    told.unheard.append(change)
            except Exception as error:  # whatever it is, what comes later does not go ahead of it
                told.failed_at, told.error = place, error
                break
        self._records.drop(told.unheard)
        return told

    def left_over(self, seconds: int) -> Iterator[tuple[list[Change], bool]]:
        """Per shard, notes that have lain for longer than these seconds, and whether there are more."""
        return self._records.left_over(number_before(seconds, clock.now()))

    def _listening(self, change: Change, known: dict[tuple[str, str], list[Listening]]) -> list[Listening]:
        scope, of = f"S{change.space_id}", (f"S{change.space_id}", change.name)
        if of not in known:
            known[of] = self._records.listening(scope, ENTITIES[change.name])
        return known[of]

    def _announce(self, change: Change, hearing: list[Listening]) -> int:
        transaction = self._records.begin()
        self._records.take(transaction, change)
        for each in hearing:
            recipient = listener_target(change.tenant, f"S{change.space_id}", each.listener_id).recipient
            event = Event(
                id=f"{change.number:016d}-{ids.new_uuid()}", account_id=recipient, type=f"payments.{change.name}",
                subject=change.subject, created_at=change.created_at, payload={}, body=rules.message(change, each),
            )  # fmt: skip
            events.put(transaction, self._records.table, event)
        try:
            transaction.commit()
        except AlreadyTold:
            return 0
        return len(hearing)
