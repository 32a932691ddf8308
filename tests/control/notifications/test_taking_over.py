"""From the outbox to the log: redelivery, reordering, poison, parallel workers; numbers without a gap."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from control.notifications import rules, worker
from control.notifications.models import Reference
from control.relay import worker as relay
from tests.control.notifications.conftest import (
    OK,
    VAULT,
    Inbox,
    Shop,
    answering,
    due_rows,
    failed,
    messages,
    outbox_of,
    rows_of,
    take_all,
    work,
)
from tests.support.queues import FakeSqs
from tollgate import aws, events
from tollgate.events import Event
from tollgate.store.table import Table
from vault.tokens.handler import handler as tokens

CARD = {"account_number": "4242424242424242", "expiry_month": 4, "expiry_year": 2033, "security_code": "737"}


def sequences(shop: Shop) -> list[int]:
    return sorted(entry["sequence"] for entry in shop.log())


def put_record(shop: Shop, **changes: Any) -> Reference:
    """An outbox record that somebody wrote wrong."""
    reference = shop.announce()
    table = Table(VAULT, aws.dynamodb())
    item = {**(table.get(reference.pk, reference.sk) or {}), **changes}
    table.put({name: value for name, value in item.items() if value is not None})
    return reference


class TestOnce:
    def test_the_record_is_gone_when_the_notification_is_there(self, shop: Shop) -> None:
        reference = shop.announce()
        assert outbox_of(shop.account_id) == [reference]
        work(reference)
        assert outbox_of(shop.account_id) == []
        assert len(shop.log()) == 1

    def test_a_message_twice_changes_nothing(self, shop: Shop, inbox: Inbox) -> None:
        reference = shop.announce()
        assert work(reference, reference) == []
        assert work(reference) == []
        assert (len(shop.log()), len(inbox.deliveries)) == (1, 1)

    def test_many_workers_with_the_same_message_make_one_notification(self, shop: Shop, inbox: Inbox) -> None:
        references = [shop.announce() for _ in range(4)]
        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(lambda _: work(*references), range(6))) == [[]] * 6
        assert (sequences(shop), len(inbox.deliveries)) == ([1, 2, 3, 4], 4)

    def test_numbers_have_no_gap_however_many_workers(self, shop: Shop, inbox: Inbox) -> None:
        references = [shop.announce() for _ in range(60)]
        batches = [references[first : first + 5] for first in range(0, 60, 5)]
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda batch: work(*batch), batches))
        again = [batch[int(name[1:])] for batch, names in zip(batches, answers, strict=True) for name in names]
        take_all(again)
        assert sequences(shop) == list(range(1, 61))
        assert sorted(int(each.headers["x-tollgate-sequence"]) for each in inbox.deliveries) == list(range(1, 61))
        assert shop.endpoint()["last_sequence"] == 60
        assert shop.send("GET", "/notifications?limit=1").json["total_items"] == 60
        assert outbox_of(shop.account_id) == []

    def test_a_mixed_batch_goes_to_each_account(self, shop: Shop, inbox: Inbox, make_shop: Callable[..., Shop]) -> None:
        other = make_shop(f"{inbox.peer.url}/other")
        work(shop.announce(), other.announce(), shop.announce())
        assert (sequences(shop), sequences(other)) == ([1, 2], [1])

    @pytest.mark.parametrize("outbox", worker._settings.outbox_tables)
    def test_every_table_s_outbox_is_read(self, shop: Shop, inbox: Inbox, outbox: str) -> None:
        first, second = (shop.announce(each, "o", outbox=outbox) for each in ("thing.created", "thing.changed"))
        assert work(second, first) == []
        assert [each.json["event_type"] for each in inbox.deliveries] == ["thing.created", "thing.changed"]
        assert shop.not_taken() == []

    def test_a_whole_token_comes_by_way_of_stream_and_queue(self, shop: Shop, inbox: Inbox, sqs: FakeSqs) -> None:
        token = shop.merchant.at(tokens).send("POST", "/cde-import", json_body=CARD).json
        shop.merchant.at(tokens).send("DELETE", f"/tokens/{token['id']}")
        keys = [{"pk": {"S": each.pk}, "sk": {"S": each.sk}} for each in outbox_of(shop.account_id)]
        relay.handler(
            {
                "Records": [
                    {
                        "eventSourceARN": f"arn:aws:dynamodb:eu-central-1:000000000000:table/{VAULT}/stream/x",
                        "dynamodb": {"Keys": each, "SequenceNumber": str(n)},
                    }
                    for n, each in enumerate(keys)
                ]
            },
            object(),
        )
        assert work(*sqs.bodies()) == []
        created, deleted = (each.json for each in inbox.deliveries)
        assert (created["event_type"], created["token"]) == ("token.created", token)
        assert deleted["event_type"] == "token.deleted"
        assert deleted["token"]["cardholder_name"] == "ANONYMIZED"
        assert {created["token"]["id"], deleted["token"]["id"]} == {token["id"]}


class TestReordering:
    def test_what_was_announced_before_is_taken_with_it(self, shop: Shop, inbox: Inbox) -> None:
        first, second, third = (
            shop.announce(each, "t1") for each in ("token.created", "token.updated", "token.deleted")
        )
        bystander = shop.announce("token.created", "t2")
        for each in (third, first, second, bystander):
            assert work(each) == []
        about = [(each.json["token"]["id"], each.json["event_type"]) for each in inbox.deliveries]
        assert about == [
            ("t1", "token.created"),
            ("t1", "token.updated"),
            ("t1", "token.deleted"),
            ("t2", "token.created"),
        ]
        assert [each.json["id"] for each in inbox.deliveries[:3]] == [
            e.sk.split("#")[1] for e in (first, second, third)
        ]

    @pytest.mark.parametrize("seed", range(5))
    def test_any_order_of_messages_keeps_the_order_per_object(self, shop: Shop, inbox: Inbox, seed: int) -> None:
        dice = random.Random(seed)
        references, expected = [], {}
        for number in range(12):
            subject = f"t{number % 3}"
            kind = "token.created" if number < 3 else "token.updated"
            references.append(shop.announce(kind, subject, token={"id": subject, "n": number}))
            expected.setdefault(subject, []).append(number)
        dice.shuffle(references)
        inbox.answer(*(dice.choice([OK, OK, answering(503)]) for _ in range(6)), OK)
        while references:
            batch = [references.pop() for _ in range(min(dice.randint(1, 4), len(references)))]
            assert work(*batch, dice.choice(batch)) == []
        delivered: dict[str, list[int]] = {subject: [] for subject in expected}
        for each in inbox.deliveries:
            about = each.json["token"]
            if about["n"] not in delivered[about["id"]]:
                delivered[about["id"]].append(about["n"])
        for subject, numbers in delivered.items():
            assert numbers == expected[subject][: len(numbers)]


class TestPoison:
    @pytest.mark.parametrize(
        "body",
        [
            "", "{", "[]", "null", "7", '"text"', "{}",
            {"table": VAULT}, {"table": VAULT, "pk": 1, "sk": "x"},
            {"table": "another-table", "pk": "OUTBOX#00", "sk": "x"},
            {"account_id": "a"}, {"account_id": "a", "notification_id": None},
        ],
    )  # fmt: skip
    def test_a_message_that_makes_no_sense_comes_back_alone(self, shop: Shop, inbox: Inbox, body: Any) -> None:
        assert work(shop.announce(), body, shop.announce()) == ["m1"]
        assert len(inbox.deliveries) == 2

    @pytest.mark.parametrize(
        "changes",
        [
            {"payload": "{"}, {"payload": "[]"}, {"payload": None}, {"account_id": None}, {"subject": None},
            {"type": 7}, {"id": ""}, {"account_id": "00000000-0000-4000-8000-000000000000"},
        ],
    )  # fmt: skip
    def test_a_record_that_makes_no_sense_keeps_no_other_from_going(
        self, shop: Shop, inbox: Inbox, changes: dict[str, Any]
    ) -> None:
        bad = put_record(shop, **changes)
        assert work(shop.announce(), bad, shop.announce()) == ["m1"]
        assert len(inbox.deliveries) == 2
        assert sequences(shop) == [1, 2]
        assert work(bad) == ["m0"]

    @pytest.fixture
    def unlucky(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """An object whose creation cannot be recorded."""
        body_of = rules.body_of

        def fail(event: Event) -> str:
            if (event.subject, event.type) == ("unlucky", "token.created"):
                raise OverflowError
            return body_of(event)

        monkeypatch.setattr(rules, "body_of", fail)
        return "unlucky"

    def test_a_record_that_cannot_be_recorded_comes_back_alone(self, shop: Shop, inbox: Inbox, unlucky: str) -> None:
        assert work(shop.announce(), shop.announce("token.created", unlucky), shop.announce()) == ["m1"]
        assert (len(inbox.deliveries), sequences(shop)) == (2, [1, 2])

    def test_nothing_of_an_object_goes_ahead_of_what_could_not_be_taken(
        self, shop: Shop, inbox: Inbox, unlucky: str
    ) -> None:
        first, second = shop.announce("token.created", unlucky), shop.announce("token.updated", unlucky)
        assert sorted(work(second, first)) == ["m0", "m1"]
        assert work(second) == ["m0"]
        assert inbox.deliveries == []

    def test_a_request_for_something_unknown_is_done_with(self, shop: Shop, inbox: Inbox) -> None:
        unknown = "00000000-0000-4000-8000-000000000000"
        assert work({"account_id": shop.account_id, "notification_id": unknown}) == []
        assert work({"account_id": unknown, "notification_id": unknown}) == []
        assert inbox.deliveries == []


class TestNoEndpoint:
    def test_events_are_kept_and_counted(self, make_shop: Callable[..., Shop], inbox: Inbox) -> None:
        shop = make_shop(None)
        work(shop.announce("token.created", "t"), shop.announce("token.deleted", "t"))
        assert shop.statuses() == ["not_sent", "not_sent"]
        assert shop.endpoint() == {
            "url": None, "state": "none", "last_sequence": 2, "failing_since": None, "disabled_at": None,
        }  # fmt: skip
        shop.point_at(inbox.peer.url)
        work(shop.announce("token.created", "t2"))
        assert [each.headers["x-tollgate-sequence"] for each in inbox.deliveries] == ["3"]

    def test_leaves_no_trace_of_an_order(self, make_shop: Callable[..., Shop], inbox: Inbox) -> None:
        shop = make_shop(None)
        work(shop.announce("token.created", "t"))
        assert rows_of(f"LANE#{shop.account_id}#t") == []


def test_what_is_delivered_leaves_only_the_log(shop: Shop) -> None:
    work(*(shop.announce(each, "t") for each in ("token.created", "token.updated", "token.deleted")))
    for pk in (f"LANE#{shop.account_id}#t", f"PARKED#{shop.account_id}"):
        assert rows_of(pk) == []
    assert due_rows(shop) == []


def test_shards_of_the_outbox_follow_the_object(shop: Shop) -> None:
    assert len({shop.announce("token.updated", "same").pk for _ in range(8)}) == 1
    assert len({shop.announce().pk for _ in range(64)}) > events.SHARDS // 2


def test_an_empty_batch_is_an_empty_answer() -> None:
    assert failed(worker.handler({}, object())) == []
    assert failed(worker.handler(messages(), object())) == []


def test_messages_of_the_relay_are_what_the_worker_reads(shop: Shop) -> None:
    reference = shop.announce()
    text = relay._reference(
        {
            "eventSourceARN": f"arn:aws:dynamodb:eu-central-1:000000000000:table/{VAULT}/stream/x",
            "dynamodb": {"Keys": {"pk": {"S": reference.pk}, "sk": {"S": reference.sk}}},
        }
    )
    assert json.loads(text) == reference._asdict()
