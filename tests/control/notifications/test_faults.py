"""A cloud that fails for a while: every call of a run is refused once, or its answer gets lost, and nobody dies.

The worker goes on with the rest of its batch; what it could not do is done when the queue or the schedule comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from control.notifications.models import Reference
from tests.control.notifications.conftest import Inbox, Shop, sweep, work
from tollgate import aws

MOST_CALLS = 60


@contextmanager
def failing_at(call: int, moment: str) -> Iterator[list[int]]:
    """The `call`-th call of DynamoDB fails before it is made (`before-send`) or after it had its effect."""
    left = [call]

    def on_call(**_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise EndpointConnectionError(endpoint_url="https://dynamodb.invalid")

    events = aws.dynamodb().meta.events
    name = f"{moment}.dynamodb.*"
    events.register(name, on_call)
    try:
        yield left
    finally:
        events.unregister(name, on_call)


def batch(references: list[Reference]) -> list[str]:
    """One batch; a function that ends in an error gets all of its messages back."""
    try:
        return work(*references)
    except EndpointConnectionError:
        return [f"m{n}" for n in range(len(references))]


@pytest.mark.parametrize("moment", ["before-send", "after-call"])
def test_every_event_arrives_whichever_call_fails(
    make_shop: Callable[..., Shop], inbox: Inbox, held_clock: Any, moment: str
) -> None:
    for call in range(2, MOST_CALLS):  # the first call reads the sandbox clock, before there is a batch
        shop = make_shop(f"{inbox.peer.url}/{call}")
        references = [shop.announce("token.created", "t"), shop.announce("token.deleted", "t"), shop.announce()]
        with failing_at(call, moment) as left:
            came_back = batch(references)
        held_clock.advance(seconds=61)
        assert work(*(references[int(name[1:])] for name in came_back)) == [], call
        held_clock.advance(seconds=61)
        sweep()
        log = shop.log()
        assert [(entry["sequence"], entry["status"]) for entry in log] == [
            (1, "delivered"), (2, "delivered"), (3, "delivered"),
        ], call  # fmt: skip
        assert shop.not_taken() == [], call
        if left[0] > 0:
            assert call > 8
            return
    raise AssertionError("a run makes more calls than that?")
