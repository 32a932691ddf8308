"""What the owner of an account can do with queries: submit, look, wait, fetch, cancel. Carries none out.

A query reads the resources that its user may read in the account, in those spaces of the account and of the accounts
below it in which the user may read all of them; both are fixed when it is submitted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from payments.analytics.clients.orders import OrderQueue
from payments.analytics.clients.results import ResultStore
from payments.analytics.errors import QueryNotFound, SettledBefore, StateInvalid, TooManySpaces
from payments.analytics.models import GIVEN_UP_AFTER, KEPT, MOST_SPACES, Order, Outcome, Query, age
from payments.analytics.repository import AccountObjects, QueryRepository, SubmittedBefore
from payments.analytics.rules.tables import tables
from tollgate import clock, ids

WAIT_SECONDS: Final = 20
URL_SECONDS: Final = 300
ASK_AGAIN_AFTER: Final = 5
_PAUSE_SECONDS: Final = 1
_ORDERED_AGAIN_AFTER: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the account, the root of its tenant, and what its user may do. `may_in_space` takes a permission and a
    space and knows the spaces of other accounts to be closed."""

    account: int
    root: int
    may: Callable[[str], bool]
    may_in_space: Callable[[str, int], bool]


class QueryService:
    """Queries of accounts."""

    def __init__(
        self, repository: QueryRepository, objects: AccountObjects, results: ResultStore, orders: OrderQueue
    ) -> None:
        self._repository = repository
        self._objects = objects
        self._results = results
        self._orders = orders

    def submit(self, asker: Asker, external_id: str, sql: str) -> str:
        """Have a query carried out; answers its token. An external id that was used answers that query's.

        Raises:
            TooManySpaces, Unavailable.
        """
        now = clock.now()
        readable = {name: each.permission_to("read") for name, each in tables().items()}
        readable = {name: permission for name, permission in readable.items() if asker.may(permission)}
        query = Query(
            asker.account, ids.new_ordered_uuid(now), external_id, sql, clock.iso(now),
            self._spaces(asker, {"analytics.submit", *readable.values()}), tuple(readable),
            int((now + KEPT).timestamp()),
        )  # fmt: skip
        try:
            self._repository.insert(query)
        except SubmittedBefore as before:
            return before.token
        self._orders.send(Order(query.account, query.token))
        return query.token

    def page(self, account: int, offset: int, limit: int) -> tuple[list[Query], int]:
        """Some queries, the latest first, and how many there are."""
        tokens = self._repository.tokens(account)
        found = self._repository.find_many(account, tokens[offset : offset + limit])
        return [_as_it_stands(each) for each in found], len(tokens)

    def by_token(self, account: int, token: str) -> Query:
        """Raises QueryNotFound."""
        return _found(self._repository.find(account, token) if ids.is_uuid(token) else None)

    def by_external_id(self, account: int, external_id: str) -> Query:
        """Raises QueryNotFound."""
        return _found(self._repository.find_external(account, external_id))

    def waited_for(self, query: Query) -> Query:
        """The query as it is when it has come to an end, or after some waiting.

        One that nobody has begun for a while is ordered once more: its order may never have left.
        """
        if query.state == "PROCESSING" and query.attempts == 0 and age(query) > _ORDERED_AGAIN_AFTER:
            self._orders.send(Order(query.account, query.token))
        for _ in range(WAIT_SECONDS // _PAUSE_SECONDS):
            if query.state != "PROCESSING":
                break
            clock.pause(_PAUSE_SECONDS)
            query = self.by_token(query.account, query.token)
        if query.state == "FAILED" and _is_given_up(query):
            self._give_up(query)
        return query

    def result_url(self, query: Query) -> str | None:
        """Where the result can be fetched for five minutes; None where it has no rows. Every URL is counted.

        Raises:
            StateInvalid: the query has no result (yet).
        """
        if query.state != "SUCCESS":
            raise StateInvalid("The query has not been carried out")
        self._repository.count_download(query.account, query.token)
        return self._results.download_url(query.object, URL_SECONDS, f"{query.token}.csv") if query.object else None

    def cancel(self, query: Query) -> None:
        """Raises:
        StateInvalid: the query has come to its end.
        """
        try:
            self._repository.cancel(query.account, query.token)
        except SettledBefore:
            raise StateInvalid("The query has come to its end") from None

    def _give_up(self, query: Query) -> None:
        try:
            self._repository.settle(query.account, query.token, Outcome(failure=query.failure))
        except SettledBefore:
            return

    def _spaces(self, asker: Asker, permissions: Collection[str]) -> tuple[int, ...]:
        """The spaces in which the user has all of these permissions, so that no table shows more than a request."""
        found = [
            each.id
            for each in self._objects.spaces(asker.root)
            if all(asker.may_in_space(permission, each.id) for permission in permissions)
        ]
        if len(found) > MOST_SPACES:
            raise TooManySpaces
        return tuple(found)


def _found(query: Query | None) -> Query:
    if query is None:
        raise QueryNotFound
    return _as_it_stands(query)


def _as_it_stands(query: Query) -> Query:
    """The query as it is shown: one in work for too long has failed, whether anybody has written that down or not."""
    if query.state == "PROCESSING" and age(query) > GIVEN_UP_AFTER:
        return replace(query, state="FAILED", failure=_GIVEN_UP)
    return query


_GIVEN_UP: Final = "The query was not carried out in time; submit it again"


def _is_given_up(query: Query) -> bool:
    return query.failure == _GIVEN_UP
