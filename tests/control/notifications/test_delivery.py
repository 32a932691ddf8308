"""What a receiver gets, when it gets it again, and in which order; against receivers that behave badly."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from control.notifications import due_worker
from control.notifications.clients import receiver
from tests.control.notifications.conftest import OK, Inbox, Shop, answering, sweep, work
from tests.shared.egress.peers import Visit
from tollgate import clock

DELAYS = (10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400)


def standard_verifier(hmac_key: str) -> Webhook:
    """As a consumer makes it: the secret in the standard's notation."""
    return Webhook("whsec_" + base64.b64encode(hmac_key.encode()).decode())


def hexadecimal(hmac_key: str, body: bytes) -> str:
    return hmac.new(hmac_key.encode(), body, hashlib.sha256).hexdigest()


class TestFirstAttempt:
    def test_is_made_at_once_and_is_what_the_reference_shows(self, shop: Shop, inbox: Inbox) -> None:
        token = {"id": "5d6b2c9a-9b0b-4b0c-8c7d-9e9d5d7e9d5d", "cardholder_name": "Zoë"}
        reference = shop.announce(token=token)
        assert work(reference) == []
        (delivery,) = inbox.deliveries
        assert list(delivery.json) == ["id", "created_at", "event_type", "token"]
        assert delivery.json == {
            "id": reference.sk.partition("#")[2],
            "created_at": reference.sk.partition("#")[0],
            "event_type": "token.created",
            "token": token,
        }
        assert delivery.headers["content-type"] == "application/json"
        assert inbox.peer.visits[0].request.startswith(b"POST /hooks?from=tollgate HTTP/1.1\r\n")
        assert shop.statuses() == ["delivered"]

    def test_is_signed_as_the_reference_says(self, shop: Shop, inbox: Inbox) -> None:
        work(shop.announce())
        (delivery,) = inbox.deliveries
        assert delivery.headers["x-hmac-signature"] == hexadecimal(shop.hmac_key, delivery.body)

    def test_is_signed_as_the_standard_says(self, shop: Shop, inbox: Inbox) -> None:
        work(shop.announce())
        (delivery,) = inbox.deliveries
        verifier = standard_verifier(shop.hmac_key)
        assert verifier.verify(delivery.body, delivery.headers) == delivery.json
        assert delivery.headers["webhook-id"] == delivery.json["id"]
        with pytest.raises(WebhookVerificationError):
            verifier.verify(delivery.body.replace(b"created", b"creatde"), delivery.headers)
        with pytest.raises(WebhookVerificationError):
            verifier.verify(json.dumps(delivery.json), delivery.headers)

    def test_carries_the_time_of_the_world_when_the_sandbox_clock_is_ahead(
        self, shop: Shop, inbox: Inbox, sandbox_ahead: None
    ) -> None:
        """A verifier compares with its own clock; a sandbox a month ahead must not make it refuse."""
        work(shop.announce())
        (delivery,) = inbox.deliveries
        standard_verifier(shop.hmac_key).verify(delivery.body, delivery.headers)
        assert delivery.json["created_at"] > (datetime.now(UTC) + timedelta(days=29)).isoformat()

    def test_numbers_events_of_an_account_from_one(
        self, shop: Shop, inbox: Inbox, make_shop: Callable[..., Shop]
    ) -> None:
        other = make_shop(f"{inbox.peer.url}/other")
        for each in (shop, shop, other, shop):
            work(each.announce())
        assert [each.headers["x-tollgate-sequence"] for each in inbox.deliveries] == ["1", "2", "1", "3"]

    def test_signs_with_the_account_s_own_key(self, shop: Shop, inbox: Inbox, make_shop: Callable[..., Shop]) -> None:
        other = make_shop(f"{inbox.peer.url}/other")
        work(other.announce())
        (delivery,) = inbox.deliveries
        assert delivery.headers["x-hmac-signature"] == hexadecimal(other.hmac_key, delivery.body)
        assert delivery.headers["x-hmac-signature"] != hexadecimal(shop.hmac_key, delivery.body)


class TestRotation:
    def test_signs_with_both_keys_for_the_grace_period(
        self, shop: Shop, inbox: Inbox, provision: Callable[..., dict[str, Any]], held_clock: Any
    ) -> None:
        rotated = provision("rotate_hmac_key", account_id=shop.account_id, grace_seconds=3600)
        assert rotated["former_key_valid_seconds"] == 3600
        fresh = rotated["vault"]["hmac_key"]
        work(shop.announce())
        held_clock.advance(seconds=3601)
        work(shop.announce())
        both, alone = inbox.deliveries
        keys = (fresh, shop.hmac_key)
        assert both.headers["x-hmac-signature"] == ",".join(hexadecimal(key, both.body) for key in keys)
        for key in keys:
            standard_verifier(key).verify(both.body, both.headers)
        assert alone.headers["x-hmac-signature"] == hexadecimal(fresh, alone.body)
        assert " " not in alone.headers["webhook-signature"]

    def test_keeps_one_former_key(self, shop: Shop, inbox: Inbox, provision: Callable[..., dict[str, Any]]) -> None:
        second = provision("rotate_hmac_key", account_id=shop.account_id)["vault"]["hmac_key"]
        third = provision("rotate_hmac_key", account_id=shop.account_id)["vault"]["hmac_key"]
        work(shop.announce())
        (delivery,) = inbox.deliveries
        expected = [hexadecimal(key, delivery.body) for key in (third, second)]
        assert delivery.headers["x-hmac-signature"].split(",") == expected

    def test_refuses_an_unknown_account_and_a_grace_beyond_a_month(
        self, provision: Callable[..., dict[str, Any]], shop: Shop
    ) -> None:
        unknown = provision("rotate_hmac_key", account_id="00000000-0000-4000-8000-000000000000")
        assert unknown["classifier"] == "NOT_FOUND"
        beyond = provision("rotate_hmac_key", account_id=shop.account_id, grace_seconds=30 * 24 * 3600 + 1)
        assert beyond["classifier"] == "VALIDATION_ERROR"


class TestRetries:
    @pytest.mark.parametrize("status", [201, 202, 204, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503])
    def test_follow_every_status_but_200(self, shop: Shop, inbox: Inbox, held_clock: Any, status: int) -> None:
        elsewhere = f"location: {inbox.peer.url}/elsewhere\r\n"
        inbox.answer(answering(status, elsewhere), OK)
        work(shop.announce())
        (pending,) = shop.log()
        assert (pending["status"], pending["attempt_count"]) == ("pending", 1)
        held_clock.advance(seconds=10)
        sweep()
        first, second = inbox.deliveries
        assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
        assert first.headers["x-tollgate-sequence"] == second.headers["x-tollgate-sequence"]
        assert all(b"/elsewhere HTTP" not in visit.request for visit in inbox.peer.visits)
        detail = shop.detail(pending["id"])
        assert [(each["status_code"], each["error"]) for each in detail["attempts"]] == [
            (status, "unexpected_status"),
            (200, None),
        ]
        assert detail["status"] == "delivered"
        assert detail["body"].encode() == first.body

    @pytest.mark.parametrize(
        ("script", "error"),
        [
            (lambda visit: visit.hang(), "timeout"),
            (lambda visit: visit.drip(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000), "timeout"),
            (lambda visit: visit.reset(), "unreadable_answer"),
            (lambda visit: None, "unreadable_answer"),
            (lambda visit: visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"), "unreadable_answer"),
            (lambda visit: visit.send(b"HTTP/1.1 200 OK\r\nx"), "unreadable_answer"),
            (lambda visit: visit.send(b"220 smtp.example ESMTP\r\n"), "unreadable_answer"),
            (lambda visit: visit.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000), "answer_too_large"),
        ],
        ids=["hangs", "drips", "resets", "hangs up", "dies in the body", "dies in the head", "babbles", "floods"],
    )
    def test_follow_receivers_that_misbehave(
        self,
        shop: Shop,
        inbox: Inbox,
        held_clock: Any,
        monkeypatch: pytest.MonkeyPatch,
        script: Callable[[Visit], None],
        error: str,
    ) -> None:
        monkeypatch.setattr(receiver, "DEADLINE_SECONDS", 0.4)
        inbox.answer(script, OK)
        work(shop.announce())
        held_clock.advance(seconds=10)
        sweep()
        (entry,) = shop.log()
        assert [each["error"] for each in shop.detail(entry["id"])["attempts"]] == [error, None]

    def test_come_after_ten_seconds_up_to_a_day_and_then_end(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(answering(500))
        work(shop.announce())
        for attempts, delay in enumerate(DELAYS, 1):
            (entry,) = shop.log()
            assert (entry["status"], entry["attempt_count"]) == ("pending", attempts)
            wait = datetime.fromisoformat(entry["next_attempt_at"]) - clock.now()
            assert timedelta(seconds=delay * 0.8) <= wait <= timedelta(seconds=delay)
            held_clock.at += wait - timedelta(microseconds=1)
            sweep()
            assert len(inbox.deliveries) == attempts
            held_clock.advance(microseconds=1)
            sweep()
            assert len(inbox.deliveries) == attempts + 1
        (entry,) = shop.log()
        assert (entry["status"], entry["attempt_count"], entry["next_attempt_at"]) == ("dead", 9, None)
        held_clock.advance(days=5)
        sweep()
        assert len(inbox.deliveries) == 9

    def test_are_spread(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(answering(500))
        work(*(shop.announce() for _ in range(10)))
        assert len({entry["next_attempt_at"] for entry in shop.log()}) == 10

    def test_stop_when_there_is_no_url_any_more(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(answering(500))
        work(shop.announce())
        shop.point_at(None)
        held_clock.advance(seconds=10)
        sweep()
        assert (shop.statuses(), len(inbox.deliveries)) == (["not_sent"], 1)


class TestTargets:
    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com/",
            "https://127.0.0.1/",
            "https://10.0.0.1/",
            "http://169.254.169.254/",
            "https://a.b:444/",
        ],
    )
    def test_are_refused_when_they_are_named(self, shop: Shop, url: str) -> None:
        answer = shop.provision("update_account", account_id=shop.account_id, notification_url=url)
        assert answer["classifier"] == "VALIDATION_ERROR"
        assert url not in json.dumps(answer)

    def test_are_looked_at_again_at_each_delivery(
        self, shop: Shop, inbox: Inbox, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was permitted at registration is not permitted for ever: a name can come to mean something else."""
        from control.notifications import worker
        from tollgate.egress import Egress

        monkeypatch.setattr(worker._dispatcher, "_receiver", receiver.Receiver(Egress()))
        work(shop.announce())
        (entry,) = shop.log()
        (attempt,) = shop.detail(entry["id"])["attempts"]
        assert (attempt["error"], attempt["status_code"]) == ("target_not_permitted", None)
        assert inbox.peer.dials == 0


class TestOrder:
    def test_a_later_event_waits_for_the_earlier_one(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(answering(500), answering(500), OK)
        work(shop.announce("token.created", "t1"), shop.announce("token.updated", "t1"))
        work(shop.announce("token.deleted", "t1"), shop.announce("token.created", "t2"))
        assert [each.json["event_type"] for each in inbox.deliveries] == ["token.created", "token.created"]
        held_clock.advance(seconds=10)
        sweep()
        about_t1 = [each.json["event_type"] for each in inbox.deliveries if each.json["token"]["id"] == "t1"]
        assert about_t1 == ["token.created", "token.created", "token.updated", "token.deleted"]
        assert set(shop.statuses()) == {"delivered"}

    def test_one_batch_is_delivered_in_order(self, shop: Shop, inbox: Inbox) -> None:
        types = ["token.created", *["token.updated"] * 5, "token.deleted"]
        work(*reversed([shop.announce(each, "t1") for each in types]))
        assert [each.json["event_type"] for each in inbox.deliveries] == types
        assert [int(each.headers["x-tollgate-sequence"]) for each in inbox.deliveries] == list(range(1, 8))

    def test_a_dead_one_lets_the_later_go(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(*[answering(500)] * 9, OK)
        work(shop.announce("token.created", "t1"))
        work(shop.announce("token.deleted", "t1"))
        for delay in DELAYS:
            assert shop.statuses() == ["pending", "pending"]
            held_clock.advance(seconds=delay)
            sweep()
        assert shop.statuses() == ["dead", "delivered"]

    def test_other_objects_do_not_wait(self, shop: Shop, inbox: Inbox) -> None:
        def hang_for_t1(visit: Visit) -> None:
            visit.send(answering(500) if b'"t1"' in visit.request else OK)

        inbox.answer(hang_for_t1)
        work(shop.announce("token.created", "t1"), shop.announce("token.created", "t2"))
        assert shop.statuses() == ["pending", "delivered"]


class TestTwoWorkers:
    def test_never_make_the_same_attempt(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(answering(500), OK)
        work(shop.announce())
        held_clock.advance(seconds=10)
        (entry,) = shop.log()
        with ThreadPoolExecutor(8) as pool:
            claims = list(pool.map(lambda _: due_worker._dispatcher.begin(shop.account_id, entry["id"]), range(8)))
        assert len([each for each in claims if each is not None]) == 1

    def test_sweeps_at_the_same_time_deliver_once(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(*[answering(500)] * 6, OK)
        work(*(shop.announce() for _ in range(6)))
        held_clock.advance(seconds=10)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: sweep(), range(4)))
        assert len(inbox.deliveries) == 12
        assert shop.statuses() == ["delivered"] * 6

    def test_a_lease_of_a_dead_worker_runs_out(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(answering(500), OK)
        work(shop.announce())
        held_clock.advance(seconds=10)
        (entry,) = shop.log()
        assert due_worker._dispatcher.begin(shop.account_id, entry["id"]) is not None  # and dies
        held_clock.advance(seconds=59)
        sweep()
        assert len(inbox.deliveries) == 1
        held_clock.advance(seconds=2)
        sweep()
        assert len(inbox.deliveries) == 2
        errors = [each["error"] for each in shop.detail(entry["id"])["attempts"]]
        assert errors == ["unexpected_status", "outcome_unknown", None]

    def test_a_moved_sandbox_clock_ends_no_lease(
        self, shop: Shop, inbox: Inbox, held_clock: Any, advance_sandbox: Callable[[int], None]
    ) -> None:
        inbox.answer(answering(500), OK)
        work(shop.announce())
        held_clock.advance(seconds=10)
        (entry,) = shop.log()
        assert due_worker._dispatcher.begin(shop.account_id, entry["id"]) is not None
        advance_sandbox(3600)
        sweep()
        assert len(inbox.deliveries) == 1

    def test_a_worker_that_comes_back_late_changes_nothing(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        inbox.answer(answering(500), OK)
        work(shop.announce())
        held_clock.advance(seconds=10)
        (entry,) = shop.log()
        late = due_worker._dispatcher.begin(shop.account_id, entry["id"])
        assert late is not None
        held_clock.advance(seconds=61)
        sweep()
        from control.notifications.models import Outcome

        party = due_worker._dispatcher.party(shop.account_id)
        due_worker._dispatcher.settle(late, Outcome(500, "unexpected_status", 1), party, go_on=False)
        assert shop.statuses() == ["delivered"]

    def test_attempts_that_never_end_are_given_up(self, shop: Shop, inbox: Inbox, held_clock: Any) -> None:
        """Something that kills its worker each time is not tried for ever."""
        inbox.answer(answering(500))
        work(shop.announce())
        held_clock.advance(seconds=10)
        (entry,) = shop.log()
        for _ in range(8):
            assert due_worker._dispatcher.begin(shop.account_id, entry["id"]) is not None
            held_clock.advance(seconds=61)
        sweep()
        assert (shop.statuses(), len(inbox.deliveries)) == (["dead"], 1)
