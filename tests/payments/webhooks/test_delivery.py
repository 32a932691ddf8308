"""From a change of an object to the listener's receiver: what it gets, when, in which order."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from control.notifications.clients import receiver
from payments import announcements
from payments.webhooks import feed_worker, sweep_worker
from tests.control.notifications.conftest import OK, Delivery, answering, sweep, work
from tests.payments.webhooks.conftest import REFUND, Shop
from tests.support.faults import deaths
from tests.support.session import HeldClock
from tollgate import aws

HEADER = re.compile(r"algorithm=SHA256withECDSA, keyId=([a-z0-9-]+), signature=([a-zA-Z0-9+/=]+)")
METHOD = announcements.ENTITIES["PaymentMethodConfiguration"]


@pytest.fixture
def verifier(shop: Shop) -> Callable[[Delivery], bool]:
    """As receivers check it; the vendor's own client does in tests/e2e/test_payment_webhooks.py."""

    def verify(got: Delivery) -> bool:
        header = HEADER.fullmatch(got.headers["x-signature"])
        assert header is not None
        answer = shop.call("GET", f"/encryption-keys/{header[1]}", space=None, headers={"accept": "text/plain"})
        assert (answer.status, answer.headers["content-type"]) == (200, "text/plain;charset=utf-8")
        key = serialization.load_der_public_key(base64.b64decode(answer.body, validate=True))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)
        try:
            key.verify(base64.b64decode(header[2], validate=True), got.body, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    return verify


class TestMessage:
    def test_says_which_object_and_nothing_of_it(self, shop: Shop) -> None:
        listener = shop.listen()
        changed = shop.change("FULFILL")
        (got,) = shop.deliver()
        assert got.json == {
            "entityId": changed, "eventId": got.json["eventId"], "listenerEntityId": 1472041829003,
            "listenerEntityTechnicalName": "Transaction", "spaceId": shop.merchant.space_id, "state": "FULFILL",
            "timestamp": got.json["timestamp"], "webhookListenerId": listener["id"],
        }  # fmt: skip
        assert got.body == json.dumps(got.json, separators=(",", ":"), sort_keys=True).encode()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", got.json["timestamp"])
        assert got.headers["content-type"] == "application/json"
        assert "x-hmac-signature" not in got.headers

    def test_without_signature_there_is_no_state(self, shop: Shop) -> None:
        shop.listen(enablePayloadSignatureAndState=False)
        shop.change("FULFILL")
        (got,) = shop.deliver()
        assert "x-signature" not in got.headers
        assert "state" not in got.json

    def test_is_signed_over_the_raw_body(self, shop: Shop, verifier: Callable[..., bool]) -> None:
        shop.listen()
        shop.change("FULFILL")
        (got,) = shop.deliver()
        assert verifier(got)
        assert not verifier(Delivery(got.headers, got.body.replace(b"FULFILL", b"DECLINE")))

    def test_a_new_key_signs_from_the_next_attempt_on_and_the_former_stays_readable(
        self, shop: Shop, verifier: Callable[..., bool], held_clock: HeldClock
    ) -> None:
        identity = shop.listen()["identity"]["id"]
        shop.inbox.answer(answering(500), OK)
        shop.change("FULFILL")
        shop.deliver()
        rotated = shop.call("POST", f"/identities/{identity}/rotate-key")
        assert (rotated.status, rotated.json["version"]) == (200, 2)
        held_clock.advance(seconds=10)
        sweep()
        before, after = shop.inbox.deliveries
        assert before.body == after.body
        keys = [re.search(r"keyId=([0-9a-f-]+),", each.headers["x-signature"]) for each in (before, after)]
        assert keys[0] is not None
        assert keys[1] is not None
        assert keys[0][1] != keys[1][1]
        assert verifier(before)
        assert verifier(after)


class TestWhoHears:
    def test_a_change_of_state_and_only_those_asked_for(self, shop: Shop) -> None:
        shop.listen(entityStates=["FULFILL", "FAILED"])
        shop.change("CONFIRMED", "PROCESSING", "FULFILL")
        shop.change("FULFILL", transition=False)
        shop.change("SUCCESSFUL", name="Refund")
        assert shop.states() == ["FULFILL"]
        assert shop.notes() == []

    def test_every_change(self, shop: Shop) -> None:
        shop.listen(notifyEveryChange=True, entityStates=["PENDING"])
        shop.change("PENDING", transition=False)
        shop.change("FULFILL", transition=False)
        assert shop.states() == ["PENDING"]

    def test_every_listener_of_the_kind_and_nobody_else(self, shop: Shop, make_shop: Callable[[], Shop]) -> None:
        url = shop.url()["id"]
        listeners = [shop.listen(url=url), shop.listen()]
        shop.listen(REFUND, url=url)
        make_shop().listen()
        shop.change("FULFILL")
        assert {each.json["webhookListenerId"] for each in shop.deliver()} == {each["id"] for each in listeners}

    @pytest.mark.parametrize("what", ["url", "listener", "url deleted", "listener deleted"])
    def test_an_inactive_one_is_silent_also_about_what_is_under_way(
        self, shop: Shop, what: str, held_clock: HeldClock
    ) -> None:
        listener = shop.listen()
        kind = "urls" if what.startswith("url") else "listeners"
        path = (
            f"/{kind}/{listener['url' if kind == 'urls' else 'id'] if kind == 'listeners' else listener['url']['id']}"
        )
        shop.inbox.answer(answering(503), OK)
        shop.change("PENDING")
        assert len(shop.deliver()) == 1
        if what.endswith("deleted"):
            assert shop.call("DELETE", path).status == 204
        else:
            assert shop.call("PATCH", path, {"version": 1, "state": "INACTIVE"}).status == 200
        shop.change("FULFILL")
        held_clock.advance(days=2)
        sweep()
        assert len(shop.deliver()) == 1
        if not what.endswith("deleted"):
            shop.call("PATCH", path, {"version": 2, "state": "ACTIVE"})
            shop.change("FAILED")
            assert shop.states()[1:] == ["FAILED"]

    def test_configurations_tell_through_their_own_door(self, shop: Shop) -> None:
        """Not one of ours: an object changes through its group's door."""
        from payments.gateway.handler import handler as gateway

        shop.listen(METHOD)
        body = {"dataCollectionType": "ONSITE", "paymentMethod": _any_method(shop, gateway), "state": "INACTIVE"}
        made = shop.merchant.call(gateway, "POST", "/payment/method-configurations", body).json
        shop.merchant.call(
            gateway, "PATCH", f"/payment/method-configurations/{made['id']}", {"version": 1, "name": "Card"}
        )
        shop.merchant.call(gateway, "DELETE", f"/payment/method-configurations/{made['id']}")
        mine = [each.json for each in shop.deliver() if each.json["entityId"] == made["id"]]
        assert [each["state"] for each in mine] == ["INACTIVE", "DELETED"]

    def test_the_tenant_s_vault_notifications_hear_nothing(self, shop: Shop, provision: Callable[..., Any]) -> None:
        account = shop.merchant.tenant
        told = provision("update_account", account_id=account, notification_url=shop.inbox.peer.url + "/vault")
        assert "notification_url" in told
        shop.listen()
        shop.change("FULFILL")
        shop.deliver()
        assert [visit.request.split(b" ")[1] for visit in shop.inbox.peer.visits] == [b"/hooks"]


def _any_method(shop: Shop, gateway: Any) -> int:
    return int(shop.merchant.call(gateway, "GET", "/payment/methods?limit=1", space=None).json["data"][0]["id"])


class TestOrder:
    def test_an_object_s_states_come_in_order_also_after_failures(self, shop: Shop, held_clock: HeldClock) -> None:
        shop.listen()
        shop.inbox.answer(answering(500), OK)
        number = shop.change("CONFIRMED", "PROCESSING")
        shop.change("FULFILL", number=number)
        assert shop.states() == ["CONFIRMED"]
        held_clock.advance(seconds=10)
        sweep()
        assert shop.states() == ["CONFIRMED", "CONFIRMED", "PROCESSING", "FULFILL"]

    def test_one_object_does_not_wait_for_another(self, shop: Shop) -> None:
        shop.listen()
        shop.inbox.answer(answering(500), OK)
        first, second = shop.change("FULFILL"), shop.change("FULFILL")
        assert {each.json["entityId"] for each in shop.deliver()} == {first, second}


class TestBadReceivers:
    @pytest.mark.parametrize(
        "script",
        [
            pytest.param(answering(301, "location: http://169.254.169.254/\r\n"), id="redirect"),
            pytest.param(answering(404), id="not found"),
            pytest.param(lambda visit: visit.reset(), id="dies"),
            pytest.param(lambda visit: visit.hang(), id="hangs"),
            pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n" + b"x" * 300_000, id="huge"),
            pytest.param(b"what?\r\n\r\n", id="no HTTP"),
        ],
    )
    def test_are_tried_again_with_the_same_message(
        self, shop: Shop, script: Any, held_clock: HeldClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(receiver, "DEADLINE_SECONDS", 0.3)
        shop.listen()
        shop.inbox.answer(script, answering(204))
        shop.change("FULFILL")
        (first,) = shop.deliver()
        held_clock.advance(seconds=9)
        if len(shop.inbox.deliveries) == 1:
            held_clock.advance(seconds=1)
            sweep()
        second = shop.inbox.deliveries[1]
        assert first.body == second.body
        held_clock.advance(days=3)
        sweep()
        assert len(shop.inbox.deliveries) == 2

    def test_one_that_was_given_up_hears_again_once_its_url_is_named_again(
        self, shop: Shop, held_clock: HeldClock
    ) -> None:
        url = shop.url()["id"]
        shop.listen(url=url)
        shop.inbox.answer(answering(500))
        for _ in range(4):  # days
            shop.change("FULFILL")
            shop.deliver()
            held_clock.advance(hours=24)
            sweep()
        tried = len(shop.inbox.deliveries)
        number = shop.change("FAILED")
        shop.inbox.answer(OK)
        held_clock.advance(hours=1)
        sweep()
        assert len(shop.deliver()) == tried
        assert shop.call("PATCH", f"/urls/{url}", {"version": 1}).status == 200
        sweep()
        assert number in [each.json["entityId"] for each in shop.inbox.deliveries[tried:]]


class TestOnce:
    def test_a_change_that_comes_again_is_told_once(self, shop: Shop) -> None:
        shop.listen()
        shop.change("FULFILL")
        notes = shop.notes()
        for _ in range(2):
            assert shop.feed(notes) == []
        messages = shop.outbox()
        assert len(messages) == 1
        assert work(*messages) == work(*messages) == []
        assert len(shop.inbox.deliveries) == 1

    def test_workers_side_by_side_tell_it_once(self, shop: Shop) -> None:
        shop.listen()
        shop.change("PENDING", "CONFIRMED", "PROCESSING")
        notes = shop.notes()
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: shop.feed(notes), range(4))) == [[]] * 4
        assert shop.states() == ["PENDING", "CONFIRMED", "PROCESSING"]

    def test_whoever_dies_while_handing_on_loses_and_doubles_nothing(self, shop: Shop) -> None:
        shop.listen()
        changed = [shop.change("FULFILL")]
        notes = [shop.notes()]
        for _ in deaths(aws.dynamodb(), lambda: shop.feed(notes[-1])):
            assert shop.feed(notes[-1]) == []
            changed.append(shop.change("FULFILL"))
            notes.append(shop.notes())
        assert sorted(each.json["entityId"] for each in shop.deliver()) == changed

    def test_what_cannot_be_handed_on_comes_back_with_all_after_it(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.listen()
        shop.change("PENDING", "CONFIRMED", "PROCESSING")
        announce = feed_worker._telling._announce

        def fail(change: Any, hearing: Any) -> int:
            if change.state == "CONFIRMED":
                raise OSError
            return announce(change, hearing)

        monkeypatch.setattr(feed_worker._telling, "_announce", fail)
        assert shop.feed() == ["1"]
        monkeypatch.undo()
        assert [row["state"] for row in shop.notes()] == ["CONFIRMED", "PROCESSING"]

    def test_what_the_stream_lost_is_found_minutes_later(self, shop: Shop, held_clock: HeldClock) -> None:
        shop.listen()
        shop.change("FULFILL")
        held_clock.advance(seconds=299)
        sweep_worker.handler({}, object())
        assert len(shop.notes()) == 1
        held_clock.advance(seconds=2)
        assert sweep_worker.handler({}, object())["messages"] >= 1
        assert shop.notes() == []
        assert shop.states() == ["FULFILL"]
