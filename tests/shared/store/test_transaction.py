"""All or nothing, what a refused condition means, and what happens when DynamoDB is contended or mute."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.environment import DEPLOYMENT
from tollgate import aws, clock
from tollgate.errors import Contended, NotFound
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import ATTEMPTS, MAX_OPERATIONS, Transaction


@pytest.fixture
def table() -> Table:
    return Table(DEPLOYMENT.tables["VaultTable"].name, aws.dynamodb())


@pytest.fixture
def pk() -> str:
    return f"TEST#{uuid.uuid4()}"


@pytest.fixture
def pauses() -> Iterator[list[float]]:
    waited: list[float] = []
    former = clock.use_pause(waited.append)
    yield waited
    clock.use_pause(former)


class Flaky:
    """A client whose transactions are cancelled with these reasons, one per call, before they come through."""

    def __init__(self, client: Any, *reasons: str) -> None:
        self._client = client
        self.exceptions = client.exceptions
        self.reasons = list(reasons)
        self.tokens: list[str] = []

    def transact_write_items(self, **request: Any) -> Any:
        self.tokens.append(request["ClientRequestToken"])
        if self.reasons:
            answer = {
                "Error": {"Code": "TransactionCanceledException", "Message": "-"},
                "CancellationReasons": [{"Code": "None"}, {"Code": self.reasons.pop(0)}],
            }
            raise self.exceptions.TransactionCanceledException(answer, "TransactWriteItems")
        return self._client.transact_write_items(**request)


def two_puts(client: Any, table: Table, pk: str) -> Transaction:
    transaction = Transaction(client)
    transaction.put(table, {"pk": pk, "sk": "1"})
    transaction.put(table, {"pk": pk, "sk": "2"})
    return transaction


def test_a_refused_condition_undoes_all_and_raises_what_it_means(table: Table, pk: str) -> None:
    table.put({"pk": pk, "sk": "2", "state": "taken"})
    transaction = Transaction(table.client)
    transaction.put(table, {"pk": pk, "sk": "1"})
    seen: list[Item] = []

    def refusal(item: Item) -> Exception:
        seen.append(item)
        return NotFound("gone")

    transaction.put(table, {"pk": pk, "sk": "2"}, condition="attribute_not_exists(pk)", refusal=refusal)
    with pytest.raises(NotFound, match="gone"):
        transaction.commit()
    assert seen == [{"pk": pk, "sk": "2", "state": "taken"}]
    assert table.get(pk, "1") is None


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_contention_is_retried_under_the_same_token(table: Table, pk: str, pauses: list[float], reason: str) -> None:
    client = Flaky(table.client, reason, reason, reason)
    two_puts(client, table, pk).commit()
    assert len(table.query(pk)) == 2
    assert len(client.tokens) == 4
    assert len(set(client.tokens)) == 1
    assert len(pauses) == 3


def test_endless_contention_ends_with_nothing_done(table: Table, pk: str, pauses: list[float]) -> None:
    client = Flaky(table.client, *["TransactionConflict"] * 50)
    with pytest.raises(Contended):
        two_puts(client, table, pk).commit()
    assert len(client.tokens) == ATTEMPTS
    assert max(pauses) <= 0.4
    assert table.query(pk) == []


def test_what_is_neither_condition_nor_contention_is_not_retried(table: Table, pk: str, pauses: list[float]) -> None:
    client = Flaky(table.client, "ValidationError")
    with pytest.raises(ClientError):
        two_puts(client, table, pk).commit()
    assert len(client.tokens) == 1


def test_a_lost_reply_is_sent_again_and_applied_once(table: Table, pk: str, pauses: list[float]) -> None:
    """The first call commits and its reply is replaced by a conflict, as after a broken connection."""
    table.put({"pk": pk, "sk": "n", "count": 0})

    class Lossy(Flaky):
        def transact_write_items(self, **request: Any) -> Any:
            self._client.transact_write_items(**request)
            return super().transact_write_items(**request)

    transaction = Transaction(Lossy(table.client, "TransactionConflict"))
    transaction.update(table, pk, "n", "SET #c = #c + :one", names={"#c": "count"}, values={":one": 1})
    transaction.commit()
    assert table.get(pk, "n") == {"pk": pk, "sk": "n", "count": 1}


def test_more_than_a_hundred_operations_are_refused_at_once(table: Table, pk: str) -> None:
    transaction = Transaction(table.client)
    for n in range(MAX_OPERATIONS):
        transaction.put(table, {"pk": pk, "sk": str(n)})
    with pytest.raises(ValueError, match="100"):
        transaction.put(table, {"pk": pk, "sk": "one more"})


def test_a_single_refused_write_carries_what_stood_there(table: Table, pk: str) -> None:
    table.put({"pk": pk, "sk": "1", "flag": True})
    with pytest.raises(ConditionFailed) as refused:
        table.put({"pk": pk, "sk": "1"}, unless_exists=True)
    assert refused.value.item["flag"] is True


def test_values_come_back_as_they_went_in(table: Table, pk: str) -> None:
    item = {
        "pk": pk, "sk": "1", "text": "ü\u2028", "large": 10**37, "negative": -1, "yes": True, "no": False,
        "bytes": b"\x00\xff",
        "list": [1, "a", None, {"b": [False]}], "set": {"x", "y"}, "empty": {},
    }  # fmt: skip
    table.put({**item, "absent": None})
    assert table.get(pk, "1") == item


@pytest.mark.parametrize("value", [1.5, object(), set()])
def test_a_value_without_a_safe_form_is_refused(table: Table, pk: str, value: Any) -> None:
    with pytest.raises(TypeError):
        table.put({"pk": pk, "sk": "1", "value": value})
