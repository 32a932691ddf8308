"""The delivery log over HTTP: what it shows, every filter, every refusal, tenancy; resend and replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from control.notifications.handler import handler
from control.notifications.rules import RETRY_SECONDS
from tests.control.notifications.conftest import OK, Inbox, Shop, answering, sweep, work
from tests.support.http import send
from tests.support.queues import FakeSqs

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ROUTES = (
    ("GET", "/notifications"),
    ("GET", f"/notifications/{UNKNOWN}"),
    ("POST", f"/notifications/{UNKNOWN}/resend"),
    ("POST", "/notifications/replay"),
    ("GET", "/notification-endpoint"),
    ("POST", "/notification-endpoint/enable"),
)


@pytest.fixture
def other(make_shop: Callable[..., Shop], inbox: Inbox) -> Shop:
    return make_shop(f"{inbox.peer.url}/other")


def resent(sqs: FakeSqs) -> list[str]:
    """Deliver what was asked for over the queue."""
    bodies = sqs.bodies()
    sqs.sent.clear()
    assert work(*bodies) == []
    return [each["notification_id"] for each in bodies]


class TestList:
    def test_shows_what_happened(self, shop: Shop, inbox: Inbox) -> None:
        work(shop.announce("token.created", "t1"))
        (entry,) = shop.send("GET", "/notifications").json["data"]
        (delivery,) = inbox.deliveries
        assert entry == {
            "id": delivery.json["id"],
            "event_type": "token.created",
            "subject": "t1",
            "sequence": 1,
            "created_at": delivery.json["created_at"],
            "queued_at": entry["queued_at"],
            "status": "delivered",
            "attempt_count": 1,
            "next_attempt_at": None,
            "delivered_at": entry["delivered_at"],
        }
        assert entry["created_at"] <= entry["queued_at"] <= entry["delivered_at"]

    def test_has_pages_newest_first_and_totals(self, shop: Shop) -> None:
        work(*(shop.announce() for _ in range(5)))
        answer = shop.send("GET", "/notifications?limit=2&page=2").json
        assert [each["sequence"] for each in answer["data"]] == [3, 2]
        four = {"current_page": 2, "page_size": 2, "total_items": 5, "total_pages": 3}
        assert answer["pagination"] == four
        assert {name: answer[name] for name in four} == four

    def test_filters(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(answering(500), OK)
        work(shop.announce("token.created", "t1"))
        held_clock.advance(minutes=1)
        work(shop.announce("token.created", "t2"), shop.announce("token.deleted", "t2"))
        held_clock.advance(minutes=1)
        work(shop.announce("report.created", "r1"))
        moments = {entry["sequence"]: quote(entry["queued_at"]) for entry in shop.log()}

        def found(query: str) -> list[int]:
            answer = shop.send("GET", f"/notifications?{query}")
            assert answer.json["total_items"] == len(answer.json["data"])
            return sorted(each["sequence"] for each in answer.json["data"])

        assert found("status=pending") == [1]
        assert found("status=delivered") == [2, 3, 4]
        assert found("status=pending,delivered") == [1, 2, 3, 4]
        assert found("status=dead") == []
        assert found("event_type=token.created") == [1, 2]
        assert found("event_type=token.deleted,report.created") == [3, 4]
        assert found("event_type=nothing.known") == []
        assert found("status=delivered&event_type=token.created") == [2]
        assert found("subject=t2") == [2, 3]
        assert found("subject=t2&event_type=token.deleted") == [3]
        assert found("subject=t2&status=pending") == []
        assert found("subject=unknown") == []
        assert found(f"from={moments[2]}") == [2, 3, 4]
        assert found(f"from={moments[2]}&to={moments[3]}") == [2, 3]
        assert found(f"subject=t1&from={moments[2]}") == []
        assert found(f"subject=t1&to={moments[2]}") == [1]

    @pytest.mark.parametrize(
        ("query", "path"),
        [
            ("limit=0", "query.limit"),
            ("limit=501", "query.limit"),
            ("page=0", "query.page"),
            ("status=lost", "query.status"),
            ("status=", "query.status"),
            ("event_type=", "query.event_type"),
            ("event_type=a,,b", "query.event_type"),
            ("event_type=" + ",".join("abcdefghijklmnopqrstu"), "query.event_type"),
            ("subject=", "query.subject"),
            ("subject=" + "x" * 65, "query.subject"),
            ("from=yesterday", "query.from"),
            ("from=2026-01-02&to=2026-01-01", "query.from"),
            ("status=dead&status=dead", "query.status"),
        ],
    )
    def test_refuses_nonsense_with_its_path(self, shop: Shop, query: str, path: str) -> None:
        answer = shop.send("GET", f"/notifications?{query}")
        assert (answer.status, answer.paths()) == (422, [path])

    def test_shows_nothing_of_others(self, shop: Shop, other: Shop) -> None:
        work(shop.announce("token.created", "t1"))
        assert other.send("GET", "/notifications").json["total_items"] == 0
        assert other.send("GET", "/notifications?subject=t1").json["data"] == []


class TestDetail:
    def test_shows_attempts_and_the_body_as_sent(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        secret = b"HTTP/1.1 500 X\r\nx-secret: of-the-receiver\r\ncontent-length: 15\r\n\r\nof-the-receiver"
        inbox.answer(secret, OK)
        work(shop.announce())
        (entry,) = shop.log()
        detail = shop.detail(entry["id"].upper())
        assert detail["body"].encode() == inbox.deliveries[0].body
        (attempt,) = detail["attempts"]
        assert (attempt["number"], attempt["status_code"], attempt["error"]) == (1, 500, "unexpected_status")
        assert 0 <= attempt["duration_ms"] < 10_000
        assert {name: detail[name] for name in entry} == entry
        assert "of-the-receiver" not in str(detail)

    def test_hides_a_foreign_one(self, shop: Shop, other: Shop) -> None:
        work(shop.announce())
        (entry,) = shop.log()
        foreign, absent = (
            other.send("GET", f"/notifications/{entry['id']}"),
            other.send("GET", f"/notifications/{UNKNOWN}"),
        )
        assert (foreign.status, foreign.body) == (404, absent.body)

    @pytest.mark.parametrize("id_", ["1", "%00", "x" * 3000, "..%2f", "%ff%fe"])
    def test_is_404_for_what_is_no_id(self, shop: Shop, id_: str) -> None:
        assert shop.send("GET", f"/notifications/{id_}").status == 404


class TestResend:
    def test_sends_the_same_again(self, shop: Shop, inbox: Inbox, sqs: FakeSqs) -> None:
        work(shop.announce())
        (entry,) = shop.log()
        answer = shop.send("POST", f"/notifications/{entry['id']}/resend")
        assert (answer.status, answer.json["status"], answer.json["id"]) == (200, "pending", entry["id"])
        assert resent(sqs) == [entry["id"]]
        first, second = inbox.deliveries
        assert (first.body, first.headers["x-tollgate-sequence"]) == (
            second.body,
            second.headers["x-tollgate-sequence"],
        )
        (entry,) = shop.log()
        assert (entry["status"], entry["attempt_count"]) == ("delivered", 2)

    def test_revives_a_dead_one_with_a_whole_schedule(
        self, shop: Shop, inbox: Inbox, sqs: FakeSqs, held_clock: Any
    ) -> None:
        inbox.answer(answering(500))
        work(shop.announce())
        for seconds in RETRY_SECONDS:
            held_clock.advance(seconds=seconds)
            sweep()
        (entry,) = shop.log()
        assert entry["status"] == "dead"
        assert shop.send("POST", f"/notifications/{entry['id']}/resend").status == 200
        resent(sqs)
        assert shop.statuses() == ["pending"]
        inbox.answer(OK)
        held_clock.advance(seconds=10)
        sweep()
        assert shop.statuses() == ["delivered"]

    def test_tries_a_pending_one_now(self, shop: Shop, inbox: Inbox, sqs: FakeSqs) -> None:
        inbox.answer(answering(500), OK)
        work(shop.announce())
        (entry,) = shop.log()
        shop.send("POST", f"/notifications/{entry['id']}/resend")
        resent(sqs)
        assert shop.statuses() == ["delivered"]
        assert sweep()["delivered"] == 0

    def test_does_not_let_one_jump_the_queue(self, shop: Shop, inbox: Inbox) -> None:
        inbox.answer(answering(500))
        work(shop.announce("token.created", "t"), shop.announce("token.deleted", "t"))
        waiting = shop.log()[1]
        answer = shop.send("POST", f"/notifications/{waiting['id']}/resend")
        assert (answer.status, answer.json["classifier"]) == (409, "CONFLICT")

    def test_delivers_even_if_the_message_is_lost(
        self, shop: Shop, inbox: Inbox, sqs: FakeSqs, held_clock: Any
    ) -> None:
        work(shop.announce())
        (entry,) = shop.log()
        shop.send("POST", f"/notifications/{entry['id']}/resend")
        sqs.sent.clear()
        sweep()
        assert len(inbox.deliveries) == 2

    def test_needs_an_endpoint(self, make_shop: Callable[..., Shop]) -> None:
        shop = make_shop(None)
        work(shop.announce())
        (entry,) = shop.log()
        answer = shop.send("POST", f"/notifications/{entry['id']}/resend")
        assert (answer.status, answer.json["message"]) == (409, "The account has no notification URL")

    def test_hides_a_foreign_one(self, shop: Shop, other: Shop, sqs: FakeSqs) -> None:
        work(shop.announce())
        (entry,) = shop.log()
        assert other.send("POST", f"/notifications/{entry['id']}/resend").status == 404
        assert sqs.bodies() == []


class TestReplay:
    def test_sends_a_time_range_again_with_the_same_ids(
        self, shop: Shop, inbox: Inbox, sqs: FakeSqs, held_clock: Any
    ) -> None:
        for _ in range(4):
            work(shop.announce())
            held_clock.advance(minutes=1)
        moments = [entry["queued_at"] for entry in shop.log()]
        answer = shop.send("POST", "/notifications/replay", json_body={"from": moments[1], "to": moments[2]})
        assert answer.status == 200
        assert (answer.json["resent"], answer.json["skipped"]) == (2, 0)
        assert answer.json["pagination"]["total_items"] == 2
        before = inbox.ids
        assert resent(sqs) == before[1:3]
        assert sorted(inbox.ids[4:]) == sorted(before[1:3])
        assert {each.body for each in inbox.deliveries[4:]} == {each.body for each in inbox.deliveries[1:3]}

    def test_is_bounded_and_goes_on_page_by_page(self, shop: Shop, inbox: Inbox, sqs: FakeSqs) -> None:
        for _ in range(11):
            work(*(shop.announce() for _ in range(10)))
        whole = {"from": "2000-01-01", "to": "2999-12-31"}
        pages = [shop.send("POST", "/notifications/replay", json_body={**whole, "page": n}).json for n in (1, 2, 3)]
        assert [page["resent"] for page in pages] == [100, 10, 0]
        assert pages[0]["pagination"] == {
            "current_page": 1, "page_size": 100, "total_items": 110, "total_pages": 2,
        }  # fmt: skip
        assert len(sqs.bodies()) == 110

    def test_can_be_told_which(self, make_shop: Callable[..., Shop], inbox: Inbox, sqs: FakeSqs) -> None:
        shop = make_shop(None)
        work(shop.announce(), shop.announce())
        shop.point_at(inbox.peer.url)
        work(shop.announce())
        body = {"from": "2000-01-01", "to": "2999-12-31", "status": ["not_sent"]}
        assert shop.send("POST", "/notifications/replay", json_body=body).json["resent"] == 2
        resent(sqs)
        assert sorted(each.headers["x-tollgate-sequence"] for each in inbox.deliveries) == ["1", "2", "3"]
        assert shop.send("POST", "/notifications/replay", json_body=body).json["resent"] == 0

    def test_leaves_alone_what_is_on_its_way(self, shop: Shop, inbox: Inbox, sqs: FakeSqs) -> None:
        inbox.answer(answering(500))
        work(shop.announce())
        body = {"from": "2000-01-01", "to": "2999-12-31"}
        answer = shop.send("POST", "/notifications/replay", json_body=body).json
        assert (answer["resent"], answer["skipped"], sqs.bodies()) == (0, 1, [])

    @pytest.mark.parametrize(
        ("body", "paths"),
        [
            ({}, ["$.from", "$.to"]),
            ([], ["$"]),
            ({"from": 1, "to": "2026-01-01"}, ["$.from"]),
            ({"from": "yesterday", "to": "2026-01-01"}, ["$.from"]),
            ({"from": "2026-01-02", "to": "2026-01-01"}, ["$.from"]),
            ({"from": "2026-01-01", "to": "2026-01-01", "page": 0}, ["$.page"]),
            ({"from": "2026-01-01", "to": "2026-01-01", "page": True}, ["$.page"]),
            ({"from": "2026-01-01", "to": "2026-01-01", "page": "1"}, ["$.page"]),
            ({"from": "2026-01-01", "to": "2026-01-01", "status": []}, ["$.status"]),
            ({"from": "2026-01-01", "to": "2026-01-01", "status": "dead"}, ["$.status"]),
            ({"from": "2026-01-01", "to": "2026-01-01", "status": ["pending"]}, ["$.status"]),
            ({"from": "2026-01-01", "to": "2026-01-01", "status": [["dead"]]}, ["$.status"]),
        ],
    )
    def test_refuses_nonsense_with_its_path(self, shop: Shop, body: Any, paths: list[str]) -> None:
        answer = shop.send("POST", "/notifications/replay", json_body=body)
        assert (answer.status, answer.paths()) == (422, paths)

    def test_needs_an_endpoint(self, make_shop: Callable[..., Shop]) -> None:
        body = {"from": "2026-01-01", "to": "2026-01-01"}
        assert make_shop(None).send("POST", "/notifications/replay", json_body=body).status == 409

    def test_reaches_nothing_of_others(self, shop: Shop, other: Shop, sqs: FakeSqs) -> None:
        work(shop.announce())
        body = {"from": "2000-01-01", "to": "2999-12-31"}
        assert other.send("POST", "/notifications/replay", json_body=body).json["pagination"]["total_items"] == 0
        assert sqs.bodies() == []


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_needs_a_credential(method: str, path: str) -> None:
    answer = send(handler, method, path, json_body={} if method == "POST" else None)
    assert (answer.status, answer.json["classifier"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/notifications", "GET"),
        ("/notifications/replay", "POST"),
        (f"/notifications/{UNKNOWN}", "GET"),
        (f"/notifications/{UNKNOWN}/resend", "POST"),
        ("/notification-endpoint", "GET"),
        ("/notification-endpoint/enable", "POST"),
    ],
)
def test_other_methods_are_refused_in_the_family_s_words(shop: Shop, path: str, allowed: str) -> None:
    answer = shop.send("DELETE", path)
    assert (answer.status, answer.headers["allow"], answer.json["classifier"]) == (405, allowed, "METHOD_NOT_ALLOWED")
