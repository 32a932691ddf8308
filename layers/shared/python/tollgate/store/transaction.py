"""All-or-nothing writes: the state, its counters, the idempotency answer and the outbox record together.

A transaction is built operation by operation, each with the failure it means when its condition does not hold, and
committed once. Conflicts with other writers and throttling had no effect, so they are retried with full jitter under
the same client request token; a lost reply is retried by botocore under that token too, and DynamoDB applies it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tollgate import clock, ids
from tollgate.errors import Contended, Failure
from tollgate.store.items import Item, dump, load
from tollgate.store.table import Table, key_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_OPERATIONS = 100
ATTEMPTS = 10
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.4
_RETRYABLE = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})

Refusal = Callable[[Item], Exception]
"""Makes the error that a failed condition means, from the item that stood there (empty when none did)."""


@dataclass(frozen=True, slots=True)
class _Operation:
    request: dict[str, Any]
    refusal: Refusal | None


class Transaction:
    """Collects up to 100 writes over any number of tables and commits them as one."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self._operations: list[_Operation] = []

    def __len__(self) -> int:
        return len(self._operations)

    def put(
        self,
        table: Table,
        item: Mapping[str, Any],
        *,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        """Write a whole item, where `condition` holds of what stands there."""
        self._add("Put", table, {"Item": dump(item)}, condition, values, refusal)

    def update(
        self,
        table: Table,
        pk: str,
        sk: str,
        expression: str,
        *,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        """Change an item by an update expression, where `condition` holds."""
        request = {"Key": key_of(pk, sk), "UpdateExpression": expression}
        self._add("Update", table, request, condition, values, refusal, names)

    def delete(
        self,
        table: Table,
        pk: str,
        sk: str,
        *,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        """Remove an item, where `condition` holds."""
        self._add("Delete", table, {"Key": key_of(pk, sk)}, condition, values, refusal)

    def check(
        self,
        table: Table,
        pk: str,
        sk: str,
        condition: str,
        *,
        values: Mapping[str, Any] | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        """Hold the whole transaction to a condition on an item it does not write."""
        self._add("ConditionCheck", table, {"Key": key_of(pk, sk)}, condition, values, refusal)

    def commit(self) -> None:
        """Apply everything, or nothing.

        Raises:
            Exception: what the first operation whose condition failed says it means.
            Contended: other writers kept winning; nothing was applied.
        """
        token = ids.new_uuid()
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(ATTEMPTS):
            if attempt:
                clock.pause(ids.uniform(0, pause))
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            try:
                self._client.transact_write_items(
                    TransactItems=[operation.request for operation in self._operations],  # type: ignore[misc]
                    ClientRequestToken=token,
                )
            except self._client.exceptions.TransactionCanceledException as cancelled:
                self._raise_refusal(cancelled.response.get("CancellationReasons", []), cancelled)
            except self._client.exceptions.TransactionInProgressException:
                continue
            else:
                return
        raise Contended

    def _add(  # noqa: PLR0917 -- the parts of one operation, all from the methods above
        self,
        kind: str,
        table: Table,
        request: dict[str, Any],
        condition: str | None,
        values: Mapping[str, Any] | None,
        refusal: Refusal | None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        if len(self._operations) == MAX_OPERATIONS:
            raise ValueError(f"a transaction takes at most {MAX_OPERATIONS} operations")
        request["TableName"] = table.name
        if condition:
            request["ConditionExpression"] = condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if values:
            request["ExpressionAttributeValues"] = dump(values)
        if names:
            request["ExpressionAttributeNames"] = dict(names)
        self._operations.append(_Operation({kind: request}, refusal))

    def _raise_refusal(self, reasons: list[Any], cancelled: Exception) -> None:
        """Raise what a failed condition means; return when the reasons only ask for another attempt."""
        for operation, reason in zip(self._operations, reasons, strict=False):
            if reason.get("Code") == "ConditionalCheckFailed":
                if operation.refusal is None:
                    raise Failure("a condition without a meaning failed") from cancelled
                raise operation.refusal(load(reason.get("Item", {}))) from None
        codes = {reason.get("Code", "None") for reason in reasons} - {"None"}
        if not codes or not codes <= _RETRYABLE:
            raise cancelled
