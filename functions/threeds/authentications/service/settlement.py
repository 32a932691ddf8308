"""Moves authentications from one state to the next: by an answer, by a result, by the clock.

Each move is one transaction: the record, its place in the list and in the order of what is due, the series it belongs
to, the idempotency answer, and the announcement of its end. A move that another writer has overtaken is looked at
again. It needs no key, but for the token data of a completed authentication, which its maker hands in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from threeds.authentications.errors import AuthenticationChanged, AuthenticationNotFound
from threeds.authentications.models import SUBSEQUENT_OF, Authentication, public_event, view
from threeds.authentications.repository import AuthenticationRepository, Due
from threeds.authentications.rules import outcomes
from threeds.authentications.rules.outcomes import Transition
from tollgate import clock, events
from tollgate.errors import Contended
from tollgate.http.message import encode
from tollgate.store.idempotency import NOT_CLAIMED, Once
from tollgate.store.transaction import Transaction

_ATTEMPTS = 5

TokenDataOf = Callable[[Authentication], str | None]
"""Makes `encrypted_token_data` of a completed authentication."""


class Settlement:
    """The one way in which an authentication changes."""

    def __init__(self, repository: AuthenticationRepository, token_data_of: TokenDataOf = lambda _: None) -> None:
        self._repository = repository
        self._token_data_of = token_data_of

    def move(self, before: Authentication, transition: Transition, once: Once = NOT_CLAIMED) -> Authentication:
        """Apply a transition to the authentication as it now stands, and make what comes of it the request's answer.

        Raises:
            Contended: other writers kept winning.
        """
        for _ in range(_ATTEMPTS):
            after = transition(before, clock.now())
            if after is not before and after.status == "COMPLETED":
                after = replace(after, encrypted_token_data=self._token_data_of(after))
            transaction = self._repository.begin()
            once.remember(transaction, encode(view(after)))
            if after is not before:
                self._repository.replace(transaction, before, after)
                self.conclude(transaction, after)
            try:
                if len(transaction):
                    transaction.commit()
            except AuthenticationChanged:
                before = self._require(before)
                continue
            return after
        raise Contended

    def conclude(self, transaction: Transaction, after: Authentication) -> None:
        """What goes with the end of an authentication: its series, and the announcement."""
        if after.step != "finished":
            return
        if after.status == "COMPLETED" and after.type in SUBSEQUENT_OF:
            self._repository.open_series(transaction, after)
        if after.is_requestor_initiated:
            self._repository.end_turn(transaction, after)
        self.announce(transaction, after)

    def announce(self, transaction: Transaction, after: Authentication) -> None:
        """Have the account hear of its end, unless another family asked for it, which tells of what it made of it."""
        if after.reference is not None:
            return
        events.announce(
            transaction,
            self._repository.table,
            account_id=after.account_id,
            event_type=f"authentication.{after.status.lower()}",
            subject=after.id,
            payload=public_event(after),
        )

    # ------------------------------------------------------------------ by the clock

    def overdue(self) -> Iterator[Callable[[], int]]:
        """What is past its time now, each as what settles it and answers how many that were."""
        for due in self._repository.due(outcomes.stamp(clock.now())):
            yield partial(self._settle, due)

    def count_overdue(self) -> int:
        """How much is past its time (a lower bound when there are thousands)."""
        return self._repository.count_due(outcomes.stamp(clock.now()))

    def _settle(self, due: Due) -> int:
        record = self._repository.find(due.account_id, due.authentication_id)
        if record is None or record.due is None or not due.sk.startswith(f"{record.due}#"):
            self._repository.forget_due(due)
            return 0
        with contextlib.suppress(AuthenticationNotFound):
            return int(self.move(record, outcomes.overdue).step == "finished")
        return 0

    def _require(self, before: Authentication) -> Authentication:
        record = self._repository.find(before.account_id, before.id)
        if record is None:
            raise AuthenticationNotFound
        return record
