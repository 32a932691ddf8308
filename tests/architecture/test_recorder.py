"""The recorder tells functions apart, sees through transactions and batches, and refuses what was not granted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from local import template
from tests.support.policies import Grant
from tests.support.recorder import Recorder, actions_of

TEMPLATE = """
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Shelf:
    Type: AWS::DynamoDB::Table
    Properties: {BillingMode: PAY_PER_REQUEST}
  Key:
    Type: AWS::KMS::Key
  Line:
    Type: AWS::SQS::Queue
  Library:
    Type: AWS::Serverless::Function
    Properties:
      Handler: sample_library.door.handler
      CodeUri: .
      Environment: {Variables: {LINE_URL: !Ref Line}}
      Policies:
        - Statement:
            - Effect: Allow
              Action: [dynamodb:GetItem, dynamodb:PutItem]
              Resource: !GetAtt Shelf.Arn
            - Effect: Allow
              Action: kms:Decrypt
              Resource: !GetAtt Key.Arn
            - Effect: Allow
              Action: sqs:SendMessage
              Resource: !GetAtt Line.Arn
"""
GET = {"TableName": "tollgate-Shelf", "Key": {"pk": {"S": "a"}}}


@pytest.fixture
def deployment(tmp_path: Path) -> template.Deployment:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, "utf-8")
    return template.load(path)


@pytest.fixture
def recorder(deployment: template.Deployment) -> Recorder:
    return Recorder(deployment)


@pytest.fixture
def door() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """The handler of the sample function: runs what it is given, as the door of the template."""
    module = ModuleType("sample_library.door")
    # The recorder goes by the names that a frame carries, so this has to be defined inside that module.
    exec("def handler(work):\n    return work()", module.__dict__)  # noqa: S102
    sys.modules[module.__name__] = module
    yield module.handler
    del sys.modules[module.__name__]


@pytest.fixture
def dynamodb(recorder: Recorder) -> Iterator[Any]:
    session = botocore.session.Session()
    recorder.watch(session)
    client = session.create_client("dynamodb", region_name="eu-central-1")
    with Stubber(client) as stub:
        stub.add_response("get_item", {}, GET)
        yield client


def test_call_of_a_door_is_noted(recorder: Recorder, dynamodb: Any, door: Any) -> None:
    door(lambda: dynamodb.get_item(**GET))
    assert recorder.used == {Grant("Library", "dynamodb:GetItem", "Shelf")}
    assert recorder.refused == []


def test_call_from_outside_is_nobodys(recorder: Recorder, dynamodb: Any) -> None:
    dynamodb.get_item(**GET)
    assert recorder.used == set()


def test_call_that_was_not_granted_is_denied(recorder: Recorder, dynamodb: Any, door: Any) -> None:
    with pytest.raises(ClientError, match="Library may not dynamodb:DeleteItem on Shelf"):
        door(lambda: dynamodb.delete_item(**GET))
    assert recorder.refused == [Grant("Library", "dynamodb:DeleteItem", "Shelf")]


def test_door_that_is_an_object(recorder: Recorder, dynamodb: Any) -> None:
    class App:
        def __call__(self, work: Callable[[], Any]) -> Any:
            return work()

    module = ModuleType("sample_library.door")
    sys.modules[module.__name__] = module
    app = App()
    module.__dict__["handler"] = app
    try:
        app(lambda: dynamodb.get_item(**GET))
    finally:
        del sys.modules[module.__name__]
    assert recorder.used == {Grant("Library", "dynamodb:GetItem", "Shelf")}


def test_stand_in_is_watched(recorder: Recorder, deployment: template.Deployment, door: Any) -> None:
    class Queues:
        sent = 0

        def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> str:  # noqa: N803
            self.sent += len(Entries)
            return QueueUrl

    queues = recorder.watched("sqs", Queues())
    url = deployment.environment("Library")["LINE_URL"]
    assert door(lambda: queues.send_message_batch(QueueUrl=url, Entries=[1, 2])) == url
    assert queues.sent == 2
    assert recorder.used == {Grant("Library", "sqs:SendMessage", "Line")}


def test_decryption_without_a_key_needs_the_action_on_some_key(recorder: Recorder, door: Any) -> None:
    door(lambda: recorder.note("kms", "Decrypt", {"CiphertextBlob": b""}))
    assert recorder.used == {Grant("Library", "kms:Decrypt", "Key")}
    with pytest.raises(ClientError):
        door(lambda: recorder.note("kms", "Encrypt", {"CiphertextBlob": b""}))


def test_grants_that_nobody_used(recorder: Recorder) -> None:
    used = {Grant("Library", "dynamodb:GetItem", "Shelf"), Grant("Library", "kms:Decrypt", "Key")}
    assert recorder.unused(used) == [
        Grant("Library", "dynamodb:PutItem", "Shelf"),
        Grant("Library", "sqs:SendMessage", "Line"),
    ]


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "a"}}, {"ConditionCheck": {"TableName": "b"}}]},
            [("dynamodb:PutItem", "a"), ("dynamodb:ConditionCheckItem", "b")],
        ),
        ("dynamodb", "BatchGetItem", {"RequestItems": {"a": {}}}, [("dynamodb:BatchGetItem", "a")]),
        ("dynamodb", "Query", {"TableName": "a", "IndexName": "i"}, [("dynamodb:Query", "a")]),
        ("lambda", "Invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", "f")]),
        (
            "kms",
            "ReEncrypt",
            {"CiphertextBlob": b"", "DestinationKeyId": "k"},
            [("kms:ReEncryptFrom", "any key"), ("kms:ReEncryptTo", "k")],
        ),
    ],
)
def test_actions(service: str, operation: str, params: Mapping[str, Any], expected: list[tuple[str, str]]) -> None:
    assert list(actions_of(service, operation, params)) == expected
