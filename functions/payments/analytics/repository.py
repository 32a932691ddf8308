"""Queries in DynamoDB, and the objects that they read: keys, items, conditions.

Access patterns (`pk`, `sk`; Q = `A<account>#analyticsQuery`):
    a query by its token                         `Q`,             `<token>`
    tokens in order of submission, counted       `Q#list`,        `<token>`
    the query of an external id                  `Q#externalId`,  `<digest of the external id>`
    spaces of the tenant; objects of a space     those of the engine

A token begins with the moment of submission, so its order is the list's. Everything of a query expires together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

from payments.analytics.errors import SettledBefore
from payments.analytics.models import Outcome, Query
from payments.engine.declarations import Resource
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.access import SPACE
from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction

_MEMBERS: Final = tuple(field.name for field in fields(Query))
_LARGEST_ID: Final = 10**16 - 1


class SubmittedBefore(Exception):
    """The external id was used before; `token` is that query's."""

    def __init__(self, token: str) -> None:
        super().__init__("submitted before")
        self.token = token


class QueryRepository:
    """Queries of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def insert(self, query: Query) -> None:
        """Raises:
        SubmittedBefore: the external id names another query of the account.
        """
        pk = _partition(query.account)
        transaction = Transaction(self._table.client)
        transaction.put(
            self._table, {**_item(query), "pk": pk, "sk": query.token}, condition="attribute_not_exists(pk)"
        )
        transaction.put(self._table, {"pk": f"{pk}#list", "sk": query.token, "expires": query.expires})
        claim = {"pk": f"{pk}#externalId", "sk": _digest(query.external_id), "token": query.token}
        transaction.put(
            self._table, {**claim, "expires": query.expires},
            condition="attribute_not_exists(pk) OR expires <= :now", values={":now": clock.epoch()},
            refusal=lambda item: SubmittedBefore(str(item["token"])),
        )  # fmt: skip
        transaction.commit()

    def find(self, account: int, token: str) -> Query | None:
        return _query(self._table.get(_partition(account), token))

    def find_external(self, account: int, external_id: str) -> Query | None:
        row = self._table.get(f"{_partition(account)}#externalId", _digest(external_id))
        return self.find(account, str(row["token"])) if row else None

    def tokens(self, account: int) -> list[str]:
        """The tokens of the account's queries, the latest first."""
        rows = self._table.query(f"{_partition(account)}#list", descending=True, project=("sk", "expires"))
        now = clock.epoch()
        return [str(row["sk"]) for row in rows if int(row["expires"]) > now]

    def find_many(self, account: int, tokens: Sequence[str]) -> list[Query]:
        """The queries of these tokens (at most 100), in that order."""
        pk = _partition(account)
        found = {item["sk"]: _query(item) for item in self._table.batch_get([(pk, token) for token in tokens])}
        return [query for query in map(found.get, tokens) if query is not None]

    # ------------------------------------------------------------------ states

    def begin(self, account: int, token: str) -> Query:
        """Note another attempt to carry a query out; answers it as it then is.

        Raises:
            SettledBefore: it has come to its end.
        """
        item = self._while_processing(account, token, "SET attempts = attempts + :one", {":one": 1})
        query = _query(item)
        if query is None:
            raise SettledBefore
        return query

    def settle(self, account: int, token: str, outcome: Outcome) -> None:
        """The end of a query that was carried out. Raises SettledBefore."""
        values = {f":{name}": value for name, value in asdict(outcome).items()}
        sets = ", ".join(f"#{name} = :{name}" for name in asdict(outcome))
        values[":state"] = "FAILED" if outcome.failure else "SUCCESS"
        names = {f"#{name}": name for name in asdict(outcome)}
        self._while_processing(account, token, f"SET #state = :state, {sets}", values, names)

    def cancel(self, account: int, token: str) -> None:
        """The end of a query that nobody wants any more. Raises SettledBefore."""
        self._while_processing(account, token, "SET #state = :state", {":state": "CANCELLED"})

    def count_download(self, account: int, token: str) -> None:
        """One more URL of the result."""
        self._table.update(_partition(account), token, "ADD downloads :one", values={":one": 1})

    def _while_processing(
        self, account: int, token: str, expression: str, values: dict[str, Any], names: dict[str, str] | None = None
    ) -> Item:
        try:
            return self._table.update(
                _partition(account), token, expression, condition="#state = :processing",
                values={**values, ":processing": "PROCESSING"}, names={**(names or {}), "#state": "state"},
            )  # fmt: skip
        except ConditionFailed:
            raise SettledBefore from None


class AccountObjects:
    """The objects that an account's queries read."""

    def __init__(self, table: Table) -> None:
        self._objects = Objects(table)

    def spaces(self, root: int) -> Iterator[Entity]:
        """All spaces of the tenant that has this root account."""
        return self._objects.walk(SPACE, f"A{root}", 0, _LARGEST_ID, False)

    def of(self, resource: Resource, space: int) -> Iterator[Entity]:
        """All objects of a kind in a space, or, for reference data, at all."""
        return self._objects.walk(resource, f"S{space}", 0, _LARGEST_ID, False)


def _partition(account: int) -> str:
    return f"A{account}#analyticsQuery"


def _digest(external_id: str) -> str:
    return hashlib.sha256(external_id.encode("utf-8", "surrogatepass")).hexdigest()


def _item(query: Query) -> Item:
    return {name: getattr(query, name) for name in _MEMBERS} | {
        "spaces": list(query.spaces),
        "tables": list(query.tables),
    }


def _query(item: Item | None) -> Query | None:
    """The query of an item; None for one that has expired and only waits to be removed."""
    if not item or int(item["expires"]) <= clock.epoch():
        return None
    members = {name: item[name] for name in _MEMBERS if name in item}
    return Query(**{**members, "spaces": tuple(item["spaces"]), "tables": tuple(item["tables"])})
