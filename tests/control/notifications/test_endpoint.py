"""An endpoint that fails for days is disabled, what happens meanwhile is kept, and afterwards everything goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.control.notifications.conftest import OK, Inbox, Shop, answering, rows_of, sweep, work

STEPS = (10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400)


def fail_for_three_days(shop: Shop, inbox: Inbox, held_clock: Any) -> None:
    """One event after another fails until the endpoint is given up."""
    inbox.answer(answering(500))
    work(shop.announce("token.created", "early"))
    for step in STEPS:
        held_clock.advance(seconds=step)
        sweep()
    work(shop.announce("token.created", "late"))
    for step in STEPS:
        held_clock.advance(seconds=step)
        sweep()
        if shop.endpoint()["state"] == "disabled":
            return
    raise AssertionError("the endpoint is still enabled")


@pytest.fixture
def disabled(shop: Shop, inbox: Inbox, held_clock: Any) -> Shop:
    fail_for_three_days(shop, inbox, held_clock)
    return shop


def test_is_enabled_while_it_works(shop: Shop, inbox: Inbox) -> None:
    work(shop.announce())
    assert shop.endpoint() == {
        "url": f"{inbox.peer.url}/hooks?from=tollgate",
        "state": "enabled",
        "last_sequence": 1,
        "failing_since": None,
        "disabled_at": None,
    }


def test_says_since_when_it_fails_and_forgets_it_with_a_delivery(shop: Shop, inbox: Inbox, held_clock: Any) -> None:
    inbox.answer(answering(500), answering(500), OK)
    work(shop.announce())
    since = shop.endpoint()["failing_since"]
    assert since is not None
    held_clock.advance(seconds=10)
    sweep()
    assert shop.endpoint()["failing_since"] == since
    held_clock.advance(seconds=60)
    sweep()
    assert shop.endpoint()["failing_since"] is None


def test_is_not_disabled_before_three_days(shop: Shop, inbox: Inbox, held_clock: Any) -> None:
    inbox.answer(answering(500))
    work(shop.announce())
    for step in STEPS:
        held_clock.advance(seconds=step)
        sweep()
    assert shop.endpoint()["state"] == "enabled"
    assert shop.statuses() == ["dead"]


def test_is_disabled_after_three_days_and_then_left_in_peace(disabled: Shop, inbox: Inbox, held_clock: Any) -> None:
    attempts = len(inbox.deliveries)
    assert disabled.endpoint()["disabled_at"] is not None
    work(disabled.announce(), disabled.announce("token.updated", "t"), disabled.announce("token.deleted", "t"))
    held_clock.advance(days=2)
    sweep()
    sweep()
    assert len(inbox.deliveries) == attempts
    assert disabled.statuses() == ["dead", "dead", *["pending"] * 3]
    assert [entry["next_attempt_at"] for entry in disabled.log()] == [None] * 5


def test_is_disabled_when_a_retry_fails_three_days_later(shop: Shop, inbox: Inbox, held_clock: Any) -> None:
    """As in a sandbox whose clock jumps."""
    inbox.answer(answering(500))
    work(shop.announce())
    held_clock.advance(days=3)
    sweep()
    assert shop.endpoint()["state"] == "disabled"


def test_is_disabled_even_if_something_new_fails_first(shop: Shop, inbox: Inbox, held_clock: Any) -> None:
    inbox.answer(answering(500))
    work(shop.announce())
    held_clock.advance(days=3)
    work(shop.announce())
    assert shop.endpoint()["state"] == "disabled"


def test_a_first_failure_after_a_quiet_week_disables_nothing(shop: Shop, inbox: Inbox, held_clock: Any) -> None:
    inbox.answer(answering(500))
    work(shop.announce())
    for step in STEPS:
        held_clock.advance(seconds=step)
        sweep()
    held_clock.advance(days=7)
    work(shop.announce())
    assert shop.endpoint()["state"] == "enabled"


@pytest.mark.parametrize("how", ["by the call", "by naming the URL again"])
def test_goes_on_in_order_when_it_is_enabled(disabled: Shop, inbox: Inbox, held_clock: Any, how: str) -> None:
    work(disabled.announce("token.created", "t"), disabled.announce("token.updated", "t"))
    sweep()
    before = len(inbox.deliveries)
    inbox.answer(OK)
    held_clock.advance(seconds=1)
    if how == "by the call":
        answer = disabled.send("POST", "/notification-endpoint/enable")
        assert (answer.status, answer.json["state"]) == (200, "enabled")
    else:
        disabled.point_at(f"{inbox.peer.url}/better")
    assert disabled.endpoint()["state"] == "enabled"
    work(disabled.announce("token.deleted", "t"))
    sweep()
    types = [each.json["event_type"] for each in inbox.deliveries[before:] if each.json["token"]["id"] == "t"]
    assert types == ["token.created", "token.updated", "token.deleted"]
    assert disabled.statuses() == ["dead", "dead", *["delivered"] * 3]
    assert rows_of(f"PARKED#{disabled.account_id}") == []
    assert [row for row in rows_of("HELD") if row["sk"] == disabled.account_id] == []
    assert disabled.endpoint()["failing_since"] is None


def test_that_fails_again_gets_another_three_days(disabled: Shop, inbox: Inbox, held_clock: Any) -> None:
    held_clock.advance(seconds=1)
    disabled.point_at(f"{inbox.peer.url}/better")
    sweep()
    work(disabled.announce())
    assert disabled.endpoint()["state"] == "enabled"
    held_clock.advance(days=3)
    sweep()
    assert disabled.endpoint()["state"] == "disabled"


def test_cannot_be_enabled_where_there_is_none(make_shop: Callable[..., Shop]) -> None:
    answer = make_shop(None).send("POST", "/notification-endpoint/enable")
    assert (answer.status, answer.json["classifier"]) == (409, "CONFLICT")


def test_enabling_one_that_works_changes_nothing(shop: Shop) -> None:
    before = shop.endpoint()
    assert shop.send("POST", "/notification-endpoint/enable").json == before


def test_that_is_taken_away_while_disabled_ends_what_was_held_back(
    disabled: Shop, inbox: Inbox, held_clock: Any
) -> None:
    work(disabled.announce("token.created", "t"), disabled.announce("token.updated", "t"))
    held_clock.advance(seconds=1)
    disabled.point_at(None)
    sweep()
    sweep()
    assert disabled.statuses()[2] == "not_sent"
    assert rows_of(f"PARKED#{disabled.account_id}") == []


def test_parked_ones_can_not_be_resent_but_are_found(disabled: Shop) -> None:
    work(disabled.announce())
    sweep()
    entry = disabled.log()[-1]
    answer = disabled.send("POST", f"/notifications/{entry['id']}/resend")
    assert answer.status == 409
    assert "enable" in answer.json["message"]
