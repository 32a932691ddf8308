"""Notifications are forgotten after thirty days, with all that belongs to them, and the counts stay true."""

from __future__ import annotations

import re
from typing import Any

from tests.control.notifications.conftest import NOTIFICATIONS, Inbox, Shop, answering, due_rows, forget, sweep, work
from tollgate import aws
from tollgate.store.items import load


def traces_of(shop: Shop) -> list[dict[str, Any]]:
    """What is left of an account beside its endpoint, its counts and its attempts, which expire by themselves."""
    found = aws.dynamodb().scan(TableName=NOTIFICATIONS)["Items"]
    mine = [row for row in map(load, found) if shop.account_id in row["pk"] and not row["sk"].startswith("A#")]
    counts = re.compile(rf"LIST#{shop.account_id}#notifications(#[123])?|ENDPOINT#.*")
    return [row for row in mine if not counts.fullmatch(row["pk"])]


def test_old_ones_go_and_young_ones_stay(shop: Shop, held_clock: Any) -> None:
    work(*(shop.announce("token.created", f"old{n}") for n in range(5)))
    held_clock.advance(days=20)
    work(shop.announce("token.created", "young"))
    assert forget()["removed"] == 0
    held_clock.advance(days=10, seconds=1)
    assert forget()["removed"] == 5
    answer = shop.send("GET", "/notifications").json
    assert (answer["total_items"], [each["sequence"] for each in answer["data"]]) == (1, [6])
    assert shop.send("GET", "/notifications?status=delivered").json["total_items"] == 1
    assert shop.send("GET", "/notifications?subject=old1").json["data"] == []
    held_clock.advance(days=20)
    assert forget()["removed"] == 1
    assert traces_of(shop) == []
    held_clock.advance(days=31)
    assert forget()["removed"] == 0


def test_numbers_go_on(shop: Shop, inbox: Inbox, held_clock: Any) -> None:
    work(shop.announce())
    held_clock.advance(days=31)
    forget()
    work(shop.announce())
    assert [each.headers["x-tollgate-sequence"] for each in inbox.deliveries] == ["1", "2"]
    held_clock.advance(days=31)
    assert forget()["removed"] == 1


def test_what_was_held_back_for_a_month_goes_too(shop: Shop, inbox: Inbox, held_clock: Any) -> None:
    inbox.answer(answering(500))
    work(shop.announce("token.created", "t"))
    held_clock.advance(days=3)
    sweep()
    assert shop.endpoint()["state"] == "disabled"
    work(shop.announce("token.updated", "t"), shop.announce("token.created", "t2"))
    sweep()
    held_clock.advance(days=31)
    assert forget()["removed"] == 3
    assert traces_of(shop) == []
    assert due_rows(shop) == []


def test_more_than_a_page_goes_in_one_run(shop: Shop, held_clock: Any) -> None:
    for _ in range(11):
        work(*(shop.announce() for _ in range(10)))
    held_clock.advance(days=31)
    assert forget() == {"removed": 110, "left": 0}
    assert shop.send("GET", "/notifications").json["total_items"] == 0
