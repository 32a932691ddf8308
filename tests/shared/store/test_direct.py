"""The direct client against botocore's own: the same answers, the same refusals, the same signatures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib3 import connection_from_url

from tests.support.environment import DEPLOYMENT
from tests.support.tables import free_port
from tollgate import aws, clock, ids
from tollgate.store.direct import DirectClient, _Signer

TABLE = DEPLOYMENT.tables["SandboxTable"].name
HEADERS = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.GetItem"}


@pytest.fixture
def ordinary(dynamodb_url: str) -> Any:
    return aws.session().create_client("dynamodb", endpoint_url=dynamodb_url, region_name="eu-central-1")


@pytest.fixture
def direct(ordinary: Any) -> DirectClient:
    return DirectClient(ordinary, Credentials("test", "test"))


@pytest.fixture
def pk() -> str:
    return f"DIRECT#{ids.new_uuid()}"


@contextmanager
def ordinary_calls(client: Any) -> Iterator[list[str]]:
    """The operations that botocore sends itself."""
    noted: list[str] = []

    def note(**event: Any) -> None:
        noted.append(event["operation_name"])

    client.meta.events.register("request-created.dynamodb", note)
    try:
        yield noted
    finally:
        client.meta.events.unregister("request-created.dynamodb", note)


def item(pk: str, sk: str = "#") -> dict[str, Any]:
    nested = {"M": {"B": {"S": "an attribute of this name"}, "raw": {"B": b"\x00\xff"}, "L": {"L": [{"B": b""}]}}}
    return {
        "pk": {"S": pk}, "sk": {"S": sk}, "B": {"B": bytes(range(256))}, "text": {"S": "é\u2028\U0001f4b3\"\\"},
        "number": {"N": str(2**53)}, "nothing": {"NULL": True}, "set": {"SS": ["a", "b"]}, "nested": nested,
    }  # fmt: skip


def key(pk: str, sk: str = "#") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def without_metadata(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_every_operation_answers_as_botocore_does(direct: DirectClient, ordinary: Any, pk: str) -> None:
    keys = {TABLE: {"Keys": [key(pk), key(pk, "2")], "ConsistentRead": True}}
    found = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": pk}}}
    change = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    with ordinary_calls(ordinary) as noted:
        direct.put_item(TableName=TABLE, Item=item(pk))
        direct.transact_write_items(TransactItems=[{"Put": {"TableName": TABLE, "Item": item(pk, "2")}}])
        read = [
            direct.get_item(TableName=TABLE, Key=key(pk)),
            direct.get_item(TableName=TABLE, Key=key(pk, "none")),
            direct.batch_get_item(RequestItems=keys),
            direct.query(TableName=TABLE, **found),
        ]
        assert noted == []
    assert read[0]["Item"] == item(pk)
    assert [without_metadata(each) for each in read] == [
        without_metadata(ordinary.get_item(TableName=TABLE, Key=key(pk))),
        without_metadata(ordinary.get_item(TableName=TABLE, Key=key(pk, "none"))),
        without_metadata(ordinary.batch_get_item(RequestItems=keys)),
        without_metadata(ordinary.query(TableName=TABLE, **found)),
    ]
    with ordinary_calls(ordinary) as noted:
        changed = direct.update_item(TableName=TABLE, Key=key(pk, "3"), ReturnValues="ALL_NEW", **change)
        assert changed["Attributes"] == {**key(pk, "3"), "n": {"N": "1"}}
        direct.delete_item(TableName=TABLE, Key=key(pk))
        assert noted == []
    assert "Item" not in ordinary.get_item(TableName=TABLE, Key=key(pk))


def test_refusals_are_botocores(direct: DirectClient, ordinary: Any, pk: str) -> None:
    direct.put_item(TableName=TABLE, Item=item(pk))
    put = {"TableName": TABLE, "Item": item(pk), "ConditionExpression": "attribute_not_exists(pk)"}
    put["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    calls = [(client.put_item, put) for client in (direct, ordinary)]
    calls += [(client.transact_write_items, {"TransactItems": [{"Put": put}]}) for client in (direct, ordinary)]
    caught: list[Any] = []
    with ordinary_calls(ordinary) as noted:
        for call, params in calls:
            with pytest.raises(direct.exceptions.ClientError) as refused:
                call(**params)
            caught.append(refused.value)
        assert noted == ["PutItem", "TransactWriteItems"]
    one, its_oracle, several, their_oracle = caught
    assert type(one) is type(its_oracle) is direct.exceptions.ConditionalCheckFailedException
    assert type(several) is type(their_oracle) is direct.exceptions.TransactionCanceledException
    assert one.response["Item"] == its_oracle.response["Item"] == item(pk)
    assert several.response["CancellationReasons"] == their_oracle.response["CancellationReasons"]
    assert several.response["CancellationReasons"][0]["Item"] == item(pk)


def test_no_connection_is_left_to_botocore(direct: DirectClient, ordinary: Any, pk: str) -> None:
    direct._pool = connection_from_url(f"http://127.0.0.1:{free_port()}", retries=False)
    with ordinary_calls(ordinary) as noted:
        direct.put_item(TableName=TABLE, Item=item(pk))
        assert direct.get_item(TableName=TABLE, Key=key(pk))["Item"] == item(pk)
    assert noted == ["PutItem", "GetItem"]


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, b'{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}'),
        (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}'),
        (400, b'{"__type": "com.amazon.coral.service#ExpiredTokenException"}'),
        (200, b'{"Item": {"pk"'),
        (502, b"<html>"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_left_to_botocore(
    direct: DirectClient, ordinary: Any, pk: str, status: int, content: bytes
) -> None:
    ordinary.put_item(TableName=TABLE, Item=item(pk))
    answers = [SimpleNamespace(status_code=status, content=content)]
    ordinary.meta.events.register("before-send.dynamodb.GetItem", lambda **_: answers.pop() if answers else None)
    with ordinary_calls(ordinary) as noted:
        assert direct.get_item(TableName=TABLE, Key=key(pk))["Item"] == item(pk)
    assert noted == ["GetItem"]


@pytest.mark.parametrize("token", [None, "a/session+token=="])
def test_signs_as_botocore_does(token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials, body = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token), b'{"TableName": "t"}'
    host = "dynamodb.eu-central-1.amazonaws.com"
    signer = _Signer("eu-central-1", host)
    for day in ("20261121T101112Z", "20261122T000000Z"):  # the key of a day does not outlive it
        moment = datetime.strptime(f"{day}+0000", "%Y%m%dT%H%M%SZ%z")
        monkeypatch.setattr(clock, "wall", lambda moment=moment: moment)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda moment=moment: moment)
        request = AWSRequest("POST", f"https://{host}/", headers=dict(HEADERS), data=body)
        SigV4Auth(credentials, "dynamodb", "eu-central-1").add_auth(request)
        made = signer.signed(credentials.get_frozen_credentials(), HEADERS, body)
        assert made == dict(request.headers.items())


def test_bytes_alone_are_put_into_text(direct: DirectClient, pk: str) -> None:
    with pytest.raises(TypeError, match="no place for object"):
        direct.put_item(TableName=TABLE, Item={**key(pk), "x": {"S": object()}})
