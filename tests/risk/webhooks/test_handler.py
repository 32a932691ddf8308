"""Webhooks over HTTP, and what arrives at one: signed, in order, tried again, for whom it is meant."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from control.notifications import due_worker, worker
from control.notifications.clients.receiver import Receiver
from risk.webhooks import handler as door
from tests.control.notifications.conftest import Inbox, answering, messages
from tests.risk.instances import Instance, MakeInstance, condition, leaf
from tests.shared.egress.peers import Peer
from tests.support import faults
from tests.support.environment import DEPLOYMENT
from tollgate import aws, events
from tollgate.egress import Egress
from tollgate.store.table import Table

RISK = DEPLOYMENT.tables["RiskTable"].name
ALL = ["decision.allow", "decision.block", "decision.review", "decision.provisional"]
LATE = ["decision.async.allow", "decision.async.block", "decision.async.review"]
TARGET = "/api/admin/webhooks"


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """A receiver that every door may reach."""
    made = Inbox()
    with Peer(made.play) as peer:
        made.peer = peer
        egress = Egress({peer.listed})
        for deliverer in (worker, due_worker):
            monkeypatch.setattr(deliverer._dispatcher, "_receiver", Receiver(egress))
        monkeypatch.setattr(door._service, "_egress", egress)
        yield made


def make(instance: Instance, inbox: Inbox, *wanted: str, path: str = "hooks") -> dict[str, Any]:
    body = {"url": f"{inbox.peer.url}/{path}", "events": list(wanted or ALL)}
    answer = instance.send("POST", TARGET, json_body=body)
    assert answer.status == 201, answer.body
    return dict(answer.json)


def outbox(instance: Instance) -> list[dict[str, str]]:
    """References to what the account's decisions announced, oldest first."""
    rows = [row for shard in range(events.SHARDS) for row in Table(RISK, aws.dynamodb()).query(f"OUTBOX#{shard:02d}")]
    mine = [row for row in rows if row["account_id"].startswith(instance.account_id)]
    return [{"table": RISK, "pk": row["pk"], "sk": row["sk"]} for row in sorted(mine, key=lambda row: str(row["sk"]))]


def deliver(instance: Instance) -> None:
    found = outbox(instance)
    for first in range(0, len(found), 10):
        assert worker.handler(messages(*found[first : first + 10]), object()) == {"batchItemFailures": []}


class TestResource:
    def test_shows_its_key_once(self, instance: Instance, inbox: Inbox) -> None:
        made = make(instance, inbox, "decision.block", "decision.allow", "decision.block", *LATE)
        assert set(made) == {"id", "url", "events", "hmac_key", "inserted_at", "updated_at"}
        assert made["events"] == ["decision.allow", "decision.block", *LATE]
        shown = {name: value for name, value in made.items() if name != "hmac_key"}
        shown["masked_hmac_key"] = f"{made['hmac_key'][:5]}xxxxx"
        assert instance.send("GET", f"{TARGET}/{made['id']}").json == shown
        assert instance.send("GET", TARGET).json == {"data": [shown], "links": {"next": None}}
        row = Table(RISK, aws.dynamodb()).get(f"WEBHOOK#{instance.account_id}", made["id"])
        assert made["hmac_key"] not in json.dumps(row)

    def test_changes_what_is_given(self, instance: Instance, inbox: Inbox) -> None:
        made = make(instance, inbox)
        target = f"{TARGET}/{made['id']}"
        changed = instance.send("PATCH", target, json_body={"events": ["decision.review"]}).json
        assert (changed["events"], changed["url"]) == (["decision.review"], made["url"])
        url = f"{inbox.peer.url}/elsewhere"
        assert instance.send("PATCH", target, json_body={"url": url}).json["url"] == url
        assert instance.send("GET", target).json["events"] == ["decision.review"]

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"url": None}, "$.url"),
            ({"url": "ftp://shop.example"}, "$.url"),
            ({"url": "http://shop.example/hooks"}, "$.url"),
            ({"url": "https://169.254.169.254/latest"}, "$.url"),
            ({"url": "https://user:secret@shop.example/"}, "$.url"),
            ({"url": "https://localhost/x"}, "$.url"),
            ({"events": None}, "$.events"),
            ({"events": []}, "$.events"),
            ({"events": "decision.allow"}, "$.events"),
            ({"events": ["decision.allow", "decision.nothing"]}, "$.events[1]"),
            ({"events": ["decision.allow"] * 51}, "$.events"),
        ],
    )
    def test_refuses_with_the_path(self, instance: Instance, inbox: Inbox, changes: dict[str, Any], path: str) -> None:
        made = make(instance, inbox)
        body = {"url": f"{inbox.peer.url}/hooks", "events": ALL} | changes
        for answer in (
            instance.send("POST", TARGET, json_body=body),
            instance.send("PATCH", f"{TARGET}/{made['id']}", json_body=changes),
        ):
            assert (answer.status, answer.paths()) == (422, [path])

    def test_is_nobody_elses(self, instance: Instance, inbox: Inbox, make_instance: MakeInstance) -> None:
        made, other = make(instance, inbox), make_instance()
        target = f"{TARGET}/{made['id']}"
        assert other.send("GET", TARGET).json["data"] == []
        assert other.send("PATCH", target, json_body={"events": 1}).status == 404
        assert other.send("GET", target).status == other.send("DELETE", target).status == 404

    def test_there_are_ten_at_most_however_many_ask(self, instance: Instance, inbox: Inbox) -> None:
        body = {"url": f"{inbox.peer.url}/hooks", "events": ALL}
        for _ in range(7):
            make(instance, inbox)
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: instance.send("POST", TARGET, json_body=body), range(6)))
        assert sorted(each.status for each in answers) == [201] * 3 + [409] * 3
        assert len(instance.send("GET", TARGET).json["data"]) == 10
        last = instance.send("GET", f"{TARGET}?limit=9").json
        assert last["links"]["next"].startswith("https://risk.example/api/admin/webhooks?after=")


class TestDelivery:
    def test_tells_who_wants_to_hear_of_it(self, instance: Instance, inbox: Inbox) -> None:
        instance.activate(condition("big", leaf("$.transaction.amount", "gt", 100), "BLOCK"))
        one = make(instance, inbox, "decision.block", path="one")
        make(instance, inbox, "decision.allow", path="other")
        decided = instance.decide().json
        deliver(instance)
        (delivery,) = inbox.deliveries
        assert set(delivery.json) == {"id", "created_at", "event_type", "decision_id"}
        assert (delivery.json["event_type"], delivery.json["decision_id"]) == ("decision.block", decided["id"])
        signature = hmac.new(one["hmac_key"].encode(), delivery.body, hashlib.sha256).hexdigest()
        assert delivery.headers["x-hmac-signature"] == signature
        assert delivery.headers["x-tollgate-sequence"] == "1"
        assert outbox(instance) == []

    def test_tells_each_of_several_once_under_its_own_key(self, instance: Instance, inbox: Inbox) -> None:
        made = [make(instance, inbox, path=f"hook{n}") for n in range(3)]
        instance.decide()
        references = outbox(instance)
        for _ in range(2):  # the queue may bring a message twice
            worker.handler(messages(*references), object())
        signed = {
            hmac.new(each["hmac_key"].encode(), delivery.body, hashlib.sha256).hexdigest()
            for each in made
            for delivery in inbox.deliveries
        }
        assert len(inbox.deliveries) == 3
        assert {each.headers["x-hmac-signature"] for each in inbox.deliveries} <= signed
        assert len({each.headers["x-hmac-signature"] for each in inbox.deliveries}) == 3

    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_every_success_acknowledges(self, instance: Instance, inbox: Inbox, status: int, held_clock: Any) -> None:
        make(instance, inbox)
        inbox.answer(answering(status))
        instance.decide()
        deliver(instance)
        held_clock.advance(hours=1)
        due_worker.handler({}, object())
        assert len(inbox.deliveries) == 1

    @pytest.mark.parametrize("status", [301, 400, 410, 500])
    def test_anything_else_is_tried_again(self, instance: Instance, inbox: Inbox, status: int, held_clock: Any) -> None:
        make(instance, inbox)
        inbox.answer(answering(status), answering(204))
        instance.decide()
        deliver(instance)
        held_clock.advance(seconds=11)
        due_worker.handler({}, object())
        first, second = inbox.deliveries
        assert first.body == second.body

    def test_one_that_fails_holds_up_no_other(self, instance: Instance, inbox: Inbox) -> None:
        def refuse_the_broken(visit: Any) -> None:
            visit.send(answering(500 if b"/broken" in visit.request.split(b"\r\n")[0] else 200))

        inbox.answer(refuse_the_broken)
        make(instance, inbox, path="broken")
        make(instance, inbox, path="good")
        for _ in range(3):
            instance.decide()
        deliver(instance)
        good = [each for each in inbox.peer.visits if b"/good" in each.request.split(b"\r\n")[0]]
        assert len(good) == 3

    def test_a_deleted_one_hears_no_more(self, instance: Instance, inbox: Inbox, held_clock: Any) -> None:
        made = make(instance, inbox)
        inbox.answer(answering(500))
        instance.decide()
        deliver(instance)
        instance.decide()
        assert instance.send("DELETE", f"{TARGET}/{made['id']}").status == 204
        assert instance.send("GET", f"{TARGET}/{made['id']}").status == 404
        instance.decide()
        deliver(instance)
        held_clock.advance(hours=1)
        due_worker.handler({}, object())
        assert len(inbox.deliveries) == 1

    def test_a_changed_one_hears_at_its_new_place(self, instance: Instance, inbox: Inbox, held_clock: Any) -> None:
        made = make(instance, inbox)
        inbox.answer(answering(500), answering(200))
        instance.decide()
        deliver(instance)
        instance.send("PATCH", f"{TARGET}/{made['id']}", json_body={"url": f"{inbox.peer.url}/new"})
        held_clock.advance(seconds=11)
        due_worker.handler({}, object())
        assert b"/new" in inbox.peer.visits[-1].request.split(b"\r\n")[0]

    def test_is_announced_with_the_decision_or_not_at_all(self, instance: Instance, inbox: Inbox) -> None:
        make(instance, inbox)
        instance.decide()
        before = len(outbox(instance))
        for death in faults.deaths(aws.dynamodb(), instance.decide):
            after = len(outbox(instance))
            expected = death.moment == "after" and death.operation == "TransactWriteItems"
            assert after - before == int(expected)
            before = after


def test_a_death_leaves_a_webhook_whole_or_none(instance: Instance, inbox: Inbox) -> None:
    for _ in faults.deaths(aws.dynamodb(), lambda: make(instance, inbox)):
        there = instance.send("GET", TARGET).json["data"]
        wanted = Table(RISK, aws.dynamodb()).get(f"WEBHOOKS#{instance.account_id}", "#") or {"wanted": {}}
        recipients = {each for recipients in wanted["wanted"].values() for each in recipients}
        assert recipients == {f"{instance.account_id}/{each['id']}" for each in there}
        for each in there:
            assert instance.send("DELETE", f"{TARGET}/{each['id']}").status == 204
