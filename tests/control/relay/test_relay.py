"""From the stream to the queue: references in order, the first that was not taken, nothing of the content."""

from __future__ import annotations

import json
from typing import Any

import pytest

from control.relay.worker import handler
from tests.support.queues import FakeSqs


def records(count: int, table: str = "tollgate-VaultTable") -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventName": "INSERT",
                "eventSourceARN": f"arn:aws:dynamodb:eu-central-1:000000000000:table/{table}/stream/2026",
                "dynamodb": {
                    "Keys": {"pk": {"S": "OUTBOX#03"}, "sk": {"S": f"2026-06-01T12:00:00Z#{n}"}},
                    "NewImage": {"payload": {"S": "secret-content"}},
                    "SequenceNumber": str(1000 + n),
                },
            }
            for n in range(count)
        ]
    }


def test_hands_on_references_in_order_and_nothing_else(sqs: FakeSqs) -> None:
    assert handler(records(23), object()) == {"batchItemFailures": []}
    assert sqs.bodies() == [
        {"table": "tollgate-VaultTable", "pk": "OUTBOX#03", "sk": f"2026-06-01T12:00:00Z#{n}"} for n in range(23)
    ]
    assert "secret-content" not in json.dumps(sqs.sent)


@pytest.mark.parametrize(("refused", "first"), [({"4"}, "1004"), ({"7", "2"}, "1002")])
def test_names_the_first_that_the_queue_did_not_take(sqs: FakeSqs, refused: set[str], first: str) -> None:
    sqs.refuse = refused
    assert handler(records(15), object()) == {"batchItemFailures": [{"itemIdentifier": first}]}


def test_an_empty_batch_is_nothing(sqs: FakeSqs) -> None:
    assert handler({}, object()) == {"batchItemFailures": []}
    assert sqs.bodies() == []
