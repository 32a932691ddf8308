"""Whatever is killed at whatever call: nothing is lost, nothing is made twice, numbers keep no gap, counts stay true.

Each scene is played once per call of DynamoDB, killed before it and after it; then what the cloud does by itself is
done (the queue brings the messages again, leases run out, the schedule runs), and everything has to be as it should.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from control.notifications import due_worker
from control.notifications.models import Reference
from tests.control.notifications.conftest import (
    OK,
    Inbox,
    Shop,
    answering,
    drop_rows,
    due_rows,
    forget,
    rows_of,
    sweep,
    work,
)
from tests.support.faults import deaths
from tests.support.queues import FakeSqs
from tollgate import aws

Make = Callable[[], Shop]


@pytest.fixture
def make(make_shop: Callable[..., Shop], inbox: Inbox) -> Make:
    return lambda: make_shop(f"{inbox.peer.url}/hooks")


def announced(shop: Shop) -> list[Reference]:
    return [
        shop.announce("token.created", "t"),
        shop.announce("token.updated", "t"),
        shop.announce("token.created", "u"),
    ]


def make_due_attempts(shop: Shop) -> None:
    """What a sweep does when it has read what is due: everything that an account announced."""
    due = [(shop.account_id, each.sk.partition("#")[2]) for each in shop.announced]
    due_worker._dispatcher.run((), due, 20, raise_it)


def raise_it(error: Exception) -> None:
    raise error


def run_out_of_leases(held_clock: Any) -> None:
    held_clock.advance(seconds=61)


def deliveries_to(shop: Shop, inbox: Inbox) -> list[Any]:
    known = {entry["id"] for entry in shop.log()}
    return [each for each in inbox.deliveries if each.json["id"] in known]


def check(shop: Shop, inbox: Inbox, death: object, *, expected: int = 3) -> None:
    log = shop.log()
    assert [entry["sequence"] for entry in log] == list(range(1, expected + 1)), death
    assert [entry["status"] for entry in log] == ["delivered"] * expected, death
    assert shop.send("GET", "/notifications?status=delivered&limit=1").json["total_items"] == expected, death
    assert shop.not_taken() == [], death
    deliveries = deliveries_to(shop, inbox)
    assert {each.json["id"] for each in deliveries} == {entry["id"] for entry in log}, death
    assert len({each.body for each in deliveries}) == expected, death
    about_t = list(dict.fromkeys(each.json["event_type"] for each in deliveries if each.json["token"]["id"] == "t"))
    assert about_t == ["token.created", "token.updated"][: len(about_t)], death
    for pk in (f"LANE#{shop.account_id}#t", f"LANE#{shop.account_id}#u", f"PARKED#{shop.account_id}"):
        assert rows_of(pk) == [], death
    assert due_rows(shop) == [], death


def test_of_a_worker(make: Make, inbox: Inbox, held_clock: Any) -> None:
    shop = make()
    references = announced(shop)
    seen = 0
    for death in deaths(aws.dynamodb(), lambda: work(*references)):  # noqa: B023 -- the scene of each round
        seen += 1
        run_out_of_leases(held_clock)
        assert work(*references) == []
        sweep()
        check(shop, inbox, death)
        shop = make()
        references = announced(shop)
    check(shop, inbox, "alive")
    assert seen > 20


def test_of_a_worker_whose_receiver_fails(make: Make, inbox: Inbox, held_clock: Any) -> None:
    shop = make()
    references = announced(shop)
    inbox.answer(answering(500), OK)
    for death in deaths(aws.dynamodb(), lambda: work(*references)):  # noqa: B023 -- the scene of each round
        run_out_of_leases(held_clock)
        work(*references)
        sweep()
        held_clock.advance(minutes=2)
        sweep()
        check(shop, inbox, death)
        shop = make()
        references = announced(shop)
        inbox.answer(answering(500), OK)


def test_of_a_sweep(make: Make, inbox: Inbox, held_clock: Any) -> None:
    def failed_once() -> Shop:
        made = make()
        inbox.answer(answering(500), answering(500), OK)
        assert work(*announced(made)) == []
        assert made.statuses() == ["pending"] * 3
        held_clock.advance(seconds=10)
        return made

    shop = failed_once()
    for death in deaths(aws.dynamodb(), lambda: make_due_attempts(shop)):  # noqa: B023 -- the scene of each round
        run_out_of_leases(held_clock)
        sweep()
        check(shop, inbox, death)
        shop = failed_once()
    check(shop, inbox, "alive")


def test_of_a_sweep_that_resumes(make: Make, inbox: Inbox, held_clock: Any) -> None:
    def held_back() -> Shop:
        made = make()
        inbox.answer(answering(500))
        assert work(made.announce("token.created", "t")) == []
        held_clock.advance(days=3)
        sweep()
        assert made.endpoint()["state"] == "disabled"
        assert work(made.announce("token.updated", "t"), made.announce("token.created", "u")) == []
        held_clock.advance(days=1)
        sweep()
        inbox.answer(OK)
        assert made.send("POST", "/notification-endpoint/enable").status == 200
        return made

    shop = held_back()
    for death in deaths(aws.dynamodb(), due_worker._upkeep.resume):
        run_out_of_leases(held_clock)
        sweep()
        check(shop, inbox, death)
        shop = held_back()
    sweep()
    check(shop, inbox, "alive")


def test_of_a_sweep_that_parks(make: Make, inbox: Inbox, held_clock: Any) -> None:
    def disabled() -> Shop:
        made = make()
        inbox.answer(answering(500))
        assert work(*announced(made)) == []
        held_clock.advance(days=3)
        sweep()
        assert made.endpoint()["state"] == "disabled"
        held_clock.advance(days=1)
        return made

    shop = disabled()
    for death in deaths(aws.dynamodb(), lambda: make_due_attempts(shop)):  # noqa: B023 -- the scene of each round
        run_out_of_leases(held_clock)
        sweep()
        assert len(rows_of(f"PARKED#{shop.account_id}")) == 2, death
        inbox.answer(OK)
        shop.point_at(f"{inbox.peer.url}/better")
        sweep()
        check(shop, inbox, death)
        shop = disabled()


def test_of_a_resend(make: Make, inbox: Inbox, held_clock: Any, sqs: FakeSqs) -> None:
    def delivered() -> Shop:
        made = make()
        work(*announced(made))
        sqs.sent.clear()
        return made

    shop = delivered()
    (path,) = {f"/notifications/{entry['id']}/resend" for entry in shop.log()[:1]}
    for death in deaths(aws.dynamodb(), lambda: shop.send("POST", path)):  # noqa: B023 -- the scene of each round
        again = shop.send("POST", path)
        assert again.status == 200, death
        work(*sqs.bodies())
        run_out_of_leases(held_clock)
        sweep()
        check(shop, inbox, death)
        shop = delivered()
        path = f"/notifications/{shop.log()[0]['id']}/resend"


def test_of_the_retention(make: Make, inbox: Inbox, held_clock: Any) -> None:
    def old() -> Shop:
        drop_rows()  # of the scene before, whose account would be looked at again and again
        made = make()
        work(*announced(made))
        held_clock.advance(days=31)
        return made

    shop = old()
    for death in deaths(aws.dynamodb(), forget):
        forget()
        answer = shop.send("GET", "/notifications?status=delivered").json
        assert (answer["total_items"], answer["data"]) == (0, []), death
        for subject in ("t", "u"):
            assert rows_of(f"SUBJECT#{shop.account_id}#{subject}") == [], death
        held_clock.advance(days=31)
        work(shop.announce())
        held_clock.advance(days=31)
        assert forget()["removed"] >= 1, death
        shop = old()
