"""Single-item reads and writes on one table, in Python values.

This and `tollgate.store.transaction` are where expressions meet the wire. Consistent reads are the rule: an answer that
follows a write must see it. A caller that can live with less says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tollgate.store.items import Item, dump, load

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH_GET_LIMIT = 100
_BATCH_ATTEMPTS = 5


class ConditionFailed(Exception):
    """A single conditional write was refused; `item` is what stood there (empty when nothing did)."""

    def __init__(self, item: Item) -> None:
        super().__init__("condition failed")
        self.item = item


class Table:
    """A table whose key is (`pk`, `sk`), seen through one client."""

    def __init__(self, name: str, client: DynamoDBClient) -> None:
        self.name = name
        self.client = client

    def get(self, pk: str, sk: str, *, consistent: bool = True) -> Item | None:
        found = self.client.get_item(TableName=self.name, Key=key_of(pk, sk), ConsistentRead=consistent).get("Item")
        return load(found) if found else None

    def batch_get(self, keys: Sequence[tuple[str, str]]) -> list[Item]:
        """Up to 100 items in one round trip, in no order; keys without an item are simply not in the answer."""
        if not keys:
            return []
        if len(keys) > BATCH_GET_LIMIT:
            raise ValueError("more keys than one batch takes")
        wanted: Any = {self.name: {"Keys": [key_of(pk, sk) for pk, sk in keys], "ConsistentRead": True}}
        found: list[Item] = []
        for _ in range(_BATCH_ATTEMPTS):
            answer = self.client.batch_get_item(RequestItems=wanted)
            found += [load(each) for each in answer.get("Responses", {}).get(self.name, [])]
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                return found
        raise TimeoutError("DynamoDB left keys unprocessed")

    def query(
        self,
        pk: str,
        *,
        low: str | None = None,
        high: str | None = None,
        prefix: str | None = None,
        limit: int | None = None,
        descending: bool = False,
        project: Sequence[str] = (),
        consistent: bool = True,
    ) -> list[Item]:
        """Items of one partition in key order: those in [low, high] or those that begin with `prefix`.

        Without `limit` it follows every page, so a caller bounds the range it asks for.
        """
        return list(
            self.scan_partition(
                pk, low=low, high=high, prefix=prefix, limit=limit, descending=descending, project=project,
                consistent=consistent,
            )
        )  # fmt: skip

    def scan_partition(
        self,
        pk: str,
        *,
        low: str | None = None,
        high: str | None = None,
        prefix: str | None = None,
        limit: int | None = None,
        descending: bool = False,
        project: Sequence[str] = (),
        consistent: bool = True,
    ) -> Iterator[Item]:
        """As `query`, one page of the wire at a time."""
        condition, values = _range(pk, low, high, prefix)
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not descending,
            "ConsistentRead": consistent,
        }
        if project:
            request["ExpressionAttributeNames"] = {f"#p{n}": name for n, name in enumerate(project)}
            request["ProjectionExpression"] = ", ".join(request["ExpressionAttributeNames"])
        remaining = limit
        while True:
            if remaining is not None:
                request["Limit"] = remaining
            page = self.client.query(**request)
            for each in page["Items"]:
                yield load(each)
            if remaining is not None:
                remaining -= len(page["Items"])
            last = page.get("LastEvaluatedKey")
            if not last or remaining == 0:
                return
            request["ExclusiveStartKey"] = last

    def put(self, item: Mapping[str, Any], *, unless_exists: bool = False) -> None:
        """Write a whole item.

        Raises:
            ConditionFailed: `unless_exists` and an item with this key is there.
        """
        extra: dict[str, Any] = {}
        if unless_exists:
            extra = {
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        with _refused_as_failed(self.client):
            self.client.put_item(TableName=self.name, Item=dump(item), **extra)

    def update(
        self,
        pk: str,
        sk: str,
        expression: str,
        *,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
        condition: str | None = None,
    ) -> Item:
        """One update expression; answers the item as it is afterwards.

        Raises:
            ConditionFailed: `condition` did not hold; carries the item as it was.
        """
        request: dict[str, Any] = {
            "TableName": self.name,
            "Key": key_of(pk, sk),
            "UpdateExpression": expression,
            "ReturnValues": "ALL_NEW",
        }
        if values:
            request["ExpressionAttributeValues"] = dump(values)
        if names:
            request["ExpressionAttributeNames"] = dict(names)
        if condition:
            request["ConditionExpression"] = condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        with _refused_as_failed(self.client):
            return load(self.client.update_item(**request).get("Attributes", {}))

    def delete(self, pk: str, sk: str) -> None:
        self.client.delete_item(TableName=self.name, Key=key_of(pk, sk))


@contextmanager
def _refused_as_failed(client: DynamoDBClient) -> Iterator[None]:
    """Turns botocore's refused condition into `ConditionFailed`."""
    try:
        yield
    except client.exceptions.ConditionalCheckFailedException as refused:
        old: Any = refused.response.get("Item", {})
        raise ConditionFailed(load(old)) from None


def key_of(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _range(pk: str, low: str | None, high: str | None, prefix: str | None) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {":pk": {"S": pk}}
    if prefix is not None:
        values[":prefix"] = {"S": prefix}
        return "pk = :pk AND begins_with(sk, :prefix)", values
    if low is not None:
        values[":low"] = {"S": low}
    if high is not None:
        values[":high"] = {"S": high}
    if low is not None and high is not None:
        return "pk = :pk AND sk BETWEEN :low AND :high", values
    if low is not None:
        return "pk = :pk AND sk >= :low", values
    if high is not None:
        return "pk = :pk AND sk <= :high", values
    return "pk = :pk", values
