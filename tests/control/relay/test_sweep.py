"""What was lost between an outbox and its consumer is announced again, within bounds, until somebody takes it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from control.relay import repository, sweep_worker
from tests.support.environment import DEPLOYMENT
from tests.support.queues import FakeSqs
from tollgate import aws, clock, events, sandbox_clock
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

VAULT = DEPLOYMENT.tables["VaultTable"].name


@pytest.fixture(autouse=True)
def _empty_outbox(held_clock: Any) -> Iterator[None]:
    """Other tests announce too."""
    sandbox_clock.refresh()
    clear()
    yield
    clear()


def clear() -> None:
    for name in sweep_worker._settings.outbox_tables:
        table = Table(name, aws.dynamodb())
        for shard in range(events.SHARDS):
            for row in table.query(f"{events.PREFIX}{shard:02d}", project=("pk", "sk")):
                table.delete(row["pk"], row["sk"])


def announce(subject: str | None = None) -> str:
    """Answers the event's id."""
    transaction = Transaction(aws.dynamodb())
    event = events.announce(
        transaction, Table(VAULT, aws.dynamodb()), account_id="a", event_type="token.created",
        subject=subject or str(uuid.uuid4()), payload={"token": {}},
    )  # fmt: skip
    transaction.commit()
    return event.id


def sweep() -> dict[str, int]:
    return sweep_worker.handler({}, object())


def announced_again(sqs: FakeSqs) -> set[str]:
    return {each["sk"].partition("#")[2] for each in sqs.bodies()}


def test_finds_what_is_older_than_five_minutes(sqs: FakeSqs, held_clock: Any) -> None:
    old = {announce() for _ in range(20)}
    held_clock.advance(minutes=5, seconds=1)
    announce()
    assert sweep() == {"announced": 20, "left": 0}
    assert announced_again(sqs) == old
    assert all(set(each) == {"table", "pk", "sk"} and each["table"] == VAULT for each in sqs.bodies())


def test_leaves_young_ones_alone(sqs: FakeSqs, held_clock: Any) -> None:
    announce()
    held_clock.advance(minutes=4, seconds=58)
    assert sweep() == {"announced": 0, "left": 0}
    assert sqs.bodies() == []


def test_repeats_until_it_is_taken(sqs: FakeSqs, held_clock: Any) -> None:
    announce()
    held_clock.advance(minutes=6)
    assert [sweep()["announced"] for _ in range(2)] == [1, 1]
    clear()
    assert sweep()["announced"] == 0


def test_is_bounded_and_says_so(sqs: FakeSqs, held_clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "MOST_PER_SHARD", 5)
    ids = [announce("same") for _ in range(7) if not held_clock.advance(microseconds=1)]
    held_clock.advance(minutes=6)
    assert sweep() == {"announced": 5, "left": 1}
    assert announced_again(sqs) == set(ids[:5])


def test_counts_what_the_queue_did_not_take(sqs: FakeSqs, held_clock: Any) -> None:
    for _ in range(3):
        announce("same")
    held_clock.advance(minutes=6)
    sqs.refuse = {"1"}
    assert sweep()["announced"] == 2
    assert sweep()["announced"] == 3


def test_follows_the_sandbox_clock(sqs: FakeSqs, held_clock: Any) -> None:
    announce()
    table = Table(DEPLOYMENT.tables["SandboxTable"].name, aws.dynamodb())
    before = table.get(*sandbox_clock.KEY) or {"offset_seconds": 0}
    try:
        sandbox_clock.advance(table, 301)
        assert sweep()["announced"] == 1
    finally:
        table.put({"pk": sandbox_clock.KEY[0], "sk": sandbox_clock.KEY[1], "offset_seconds": before["offset_seconds"]})
        clock.set_offset(before["offset_seconds"])
