"""The life of a network token: from the import of a card to the deletion of the token, whatever fails on the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.http import Merchant
from tests.support.queues import FakeSqs
from tests.vault.network_tokens.conftest import TABLE, Shop, deliver, record_of
from tollgate import clock
from tollgate.errors import Unavailable, UpstreamTimeout
from vault.cards import Card
from vault.network_tokens import feed_worker, rules, worker
from vault.network_tokens.clients.simulator import Simulator
from vault.network_tokens.models import Enrolment, Outcome
from vault.tokenisation import SWEPT_AFTER_SECONDS
from vault.tokens.public import NewCard

FAILS, INACTIVE, SLOW = "4000000000000002", "4000000000009995", "4000000000000341"
WITH_NETWORK_TOKEN = ("4242424242424242", "5555555555554444", "378282246310005")
WITHOUT = ("6011111111111117", "30569309025904", "3566002020360505", "6200000000000005", "6759649826438453")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    made = Provider()
    monkeypatch.setattr(worker._service, "_provider", made)
    return made


class Provider(Simulator):
    """The simulator, remembering what it was asked, and failing when told to."""

    def __init__(self) -> None:
        self.enrolled: list[str] = []
        self.deleted: list[str] = []
        self.failures: list[Exception] = []
        self.before_answer: Callable[[], None] = lambda: None

    def enrol(self, enrolment: Enrolment) -> Outcome:
        self.enrolled.append(enrolment.id)
        self._fail()
        outcome = super().enrol(enrolment)
        self.before_answer()
        return outcome

    def delete(self, enrolment_id: str) -> None:
        self.deleted.append(enrolment_id)
        self._fail()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class TestFirstStatus:
    @pytest.mark.parametrize("number", WITH_NETWORK_TOKEN)
    def test_is_pending_where_one_is_to_be_had(self, shop: Shop, number: str) -> None:
        token = shop.token(number)
        assert token["network_token_status"] == "pending"
        assert [(work.kind, work.token_ids) for work in shop.work()] == [("enrol", (token["id"],))]

    @pytest.mark.parametrize("number", WITHOUT)
    def test_is_not_available_for_other_schemes(self, shop: Shop, number: str) -> None:
        assert shop.token(number)["network_token_status"] == "not_available"
        assert shop.work() == []

    def test_is_not_available_without_a_merchant(self, make_shop: Callable[..., Shop]) -> None:
        shop = make_shop(onboarded=False)
        assert shop.token()["network_token_status"] == "not_available"
        assert shop.work() == []

    def test_is_not_available_to_a_token_that_ends(self, shop: Shop) -> None:
        card = Card("4242424242424242", 4, 2033)
        made = worker._service._tokens.tokenise(shop.account_id, NewCard(card, expires_in=timedelta(seconds=60)))
        assert made["network_token_status"] == "not_available"
        assert shop.work() == []

    def test_of_a_batch_waits_in_one_row(self, shop: Shop) -> None:
        cards = [NewCard(Card(number, 4, 2033)) for number in (*WITH_NETWORK_TOKEN, *WITHOUT)]
        made = worker._service._tokens.tokenise_batch(shop.account_id, cards)
        (work,) = shop.work()
        assert work.token_ids == tuple(token.id for token in made[: len(WITH_NETWORK_TOKEN)])
        shop.run()
        assert [shop.status(token.id) for token in made] == ["active"] * 3 + ["not_available"] * 5


class TestProvisioning:
    @pytest.mark.parametrize(
        ("number", "status"),
        [*((number, "active") for number in WITH_NETWORK_TOKEN), (FAILS, "failed"), (INACTIVE, "inactive")],
    )
    def test_ends_as_the_provider_says_and_is_announced_once(self, shop: Shop, number: str, status: str) -> None:
        token = shop.token(number)
        shop.run()
        assert shop.status(token["id"]) == status
        assert shop.events(token["id"]) == [("token.created", "pending"), ("token.updated", status)]
        assert shop.work() == []

    @pytest.mark.parametrize(("bypassed", "status"), [(False, "inactive"), (True, "active")])
    def test_bypasses_identification_where_the_session_said_so(self, shop: Shop, bypassed: bool, status: str) -> None:
        new = NewCard(Card("4000000000000127", 4, 2033), bypass_identification=bypassed)
        token = worker._service._tokens.tokenise(shop.account_id, new)
        shop.run()
        assert shop.status(token["id"]) == status

    def test_shows_in_the_list_and_its_counts(self, shop: Shop) -> None:
        from vault.tokens.handler import handler as tokens_door

        token = shop.token()
        shop.run()
        listed = shop.caller.at(tokens_door).send("GET", "/tokens?network_token_status=active").json
        assert [each["id"] for each in listed["data"]] == [token["id"]]
        assert shop.caller.at(tokens_door).send("GET", "/tokens?network_token_status=pending").json["total_items"] == 0

    def test_survives_redelivery_reordering_and_simultaneous_workers(self, shop: Shop, provider: Provider) -> None:
        tokens = [shop.token() for _ in range(3)]
        messages = shop.stream()
        threads = [threading.Thread(target=deliver, args=(*reversed(messages), *messages)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        deliver(*messages)
        assert sorted(provider.enrolled) == sorted(token["id"] for token in tokens)
        for token in tokens:
            assert shop.events(token["id"]) == [("token.created", "pending"), ("token.updated", "active")]

    @pytest.mark.parametrize("failure", [UpstreamTimeout(), Unavailable()])
    def test_is_tried_again_by_the_sweep_after_a_failure(
        self, shop: Shop, provider: Provider, held_clock: Any, failure: Exception
    ) -> None:
        token = shop.token()
        provider.failures = [failure]
        shop.run()
        assert shop.status(token["id"]) == "pending"
        shop.sweep()
        assert shop.stream() == []
        held_clock.advance(seconds=rules.pause_before(1))
        shop.sweep()
        shop.run()
        assert shop.status(token["id"]) == "active"
        assert shop.work() == []

    def test_of_a_slow_card_succeeds_later(self, shop: Shop, held_clock: Any) -> None:
        token = shop.token(SLOW)
        shop.run()
        assert shop.status(token["id"]) == "pending"
        held_clock.advance(seconds=rules.pause_before(1))
        shop.sweep()
        shop.run()
        assert shop.status(token["id"]) == "active"

    def test_is_found_by_the_sweep_when_its_message_was_lost(self, shop: Shop, held_clock: Any) -> None:
        token = shop.token()
        lost = shop.stream()
        held_clock.advance(seconds=SWEPT_AFTER_SECONDS)
        shop.sweep()
        shop.run()
        assert shop.status(token["id"]) == "active"
        deliver(*lost)
        assert shop.events(token["id"]) == [("token.created", "pending"), ("token.updated", "active")]

    def test_waits_while_the_provider_has_not_decided(
        self, shop: Shop, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = shop.token()
        with monkeypatch.context() as undecided:
            undecided.setattr(worker._service._provider, "enrol", lambda _: Outcome("pending"))
            shop.run()
        assert (shop.status(token["id"]), len(shop.events(token["id"]))) == ("pending", 1)
        held_clock.advance(seconds=rules.pause_before(1))
        shop.sweep()
        shop.run()
        assert shop.status(token["id"]) == "active"

    def test_is_given_up_after_a_day_of_failures(self, shop: Shop, provider: Provider, held_clock: Any) -> None:
        token = shop.token()
        for attempt in range(1, rules.ATTEMPTS + 2):
            provider.failures = [UpstreamTimeout()]
            shop.run()
            held_clock.advance(seconds=rules.pause_before(attempt))
            shop.sweep()
        assert shop.status(token["id"]) == "failed"
        assert provider.enrolled == [token["id"]] * rules.ATTEMPTS
        provider.failures = []
        shop.run()
        assert provider.deleted == [token["id"]]
        assert shop.work() == []

    def test_goes_on_after_the_other_tokens_of_a_batch_are_settled(
        self, shop: Shop, provider: Provider, held_clock: Any
    ) -> None:
        cards = [NewCard(Card(number, 4, 2033)) for number in ("4242424242424242", SLOW, "5555555555554444")]
        made = worker._service._tokens.tokenise_batch(shop.account_id, cards)
        shop.run()
        assert [shop.status(token.id) for token in made] == ["active", "pending", "pending"]
        held_clock.advance(seconds=rules.pause_before(1))
        shop.sweep()
        shop.run()
        assert [shop.status(token.id) for token in made] == ["active"] * 3
        assert provider.enrolled == [made[0].id, made[1].id, made[1].id, made[2].id]

    def test_leaves_a_message_that_nobody_foresaw_to_the_queue(self, shop: Shop) -> None:
        token = shop.token()
        good = shop.stream()[0]
        records = [
            {"messageId": "poison", "body": "{"},
            {"messageId": "other", "body": '{"pk":1}'},
            {"messageId": "good", "body": good},
            {"messageId": "gone", "body": '{"pk":"NETWORK-TOKEN-WORK#00","sk":"0"}'},
        ]
        answer = worker.handler({"Records": records}, object())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "poison"}, {"itemIdentifier": "other"}]}
        assert shop.status(token["id"]) == "active"

    def test_without_a_provider_ends_as_not_available(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        from vault.network_tokens.clients.provider import NoProvider

        monkeypatch.setattr(worker._service, "_provider", NoProvider())
        token = shop.token()
        shop.run()
        assert shop.status(token["id"]) == "not_available"


class TestDeletion:
    def test_ends_the_network_token_too(self, shop: Shop, provider: Provider) -> None:
        token_id = shop.active_token()
        shop.delete(token_id)
        assert shop.events(token_id)[-1] == ("token.deleted", "deleted")
        assert TABLE.get(f"TOKEN#{shop.account_id}#{token_id}", "#").keys().isdisjoint({"card", "network_token"})  # type: ignore[union-attr]
        shop.run()
        assert provider.deleted == [token_id]
        assert shop.work() == []

    def test_is_not_told_to_the_provider_where_it_knows_nothing(
        self, make_shop: Callable[..., Shop], shop: Shop, provider: Provider
    ) -> None:
        without = make_shop(onboarded=False)
        token = without.token()
        without.delete(token["id"])
        assert without.work() == []
        assert without.events(token["id"])[-1] == ("token.deleted", "not_available")

    def test_is_told_again_until_it_is_heard(self, shop: Shop, provider: Provider, held_clock: Any) -> None:
        token_id = shop.active_token()
        shop.delete(token_id)
        provider.failures = [UpstreamTimeout()]
        shop.run()
        held_clock.advance(seconds=rules.pause_before(1))
        shop.sweep()
        shop.run()
        assert provider.deleted == [token_id, token_id]
        assert shop.work() == []

    def test_before_enrolment_leaves_nothing_at_the_provider(self, shop: Shop, provider: Provider) -> None:
        token = shop.token()
        shop.delete(token["id"])
        shop.run()
        assert provider.enrolled == []
        assert set(provider.deleted) == {token["id"]}
        assert shop.work() == []

    def test_during_enrolment_leaves_nothing_at_the_provider(self, shop: Shop, provider: Provider) -> None:
        token = shop.token()
        provider.before_answer = lambda: shop.delete_meanwhile(token["id"])
        shop.run()
        assert (provider.enrolled, provider.deleted) == ([token["id"]], [token["id"]])
        assert shop.events(token["id"]) == [("token.created", "pending"), ("token.deleted", "deleted")]


class TestFeed:
    def test_reports_the_first_record_that_the_queue_did_not_take(self, shop: Shop, sqs: FakeSqs) -> None:
        for _ in range(3):
            shop.token()
        records = [record_of(work) for work in shop.work()]
        sqs.refuse = {"1"}
        answer = feed_worker.handler({"Records": records}, object())
        assert answer == {"batchItemFailures": [{"itemIdentifier": records[1]["dynamodb"]["SequenceNumber"]}]}

    def test_names_rows_and_nothing_of_a_card(self, shop: Shop) -> None:
        shop.token()
        (message,) = shop.stream()
        assert set(json.loads(message)) == {"pk", "sk"}


class TestSweep:
    def test_is_bounded_and_says_what_is_left(
        self, shop: Shop, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from vault.network_tokens import sweep_worker

        shop.sweep()
        for _ in range(40):
            shop.token()
        held_clock.advance(seconds=SWEPT_AFTER_SECONDS)
        monkeypatch.setattr(sweep_worker, "MOST_PER_SHARD", 1)
        answer = shop.sweep()
        assert 0 < answer["handed_on"] <= 16
        assert answer["left"] >= 40 - answer["handed_on"]

    def test_hands_on_what_waits_once_however_many_sweep(self, shop: Shop, held_clock: Any) -> None:
        shop.token()
        held_clock.advance(seconds=SWEPT_AFTER_SECONDS)
        threads = [threading.Thread(target=shop.sweep) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        (work,) = shop.work()
        assert (work.stage, work.due) == ("ready", clock.epoch() + SWEPT_AFTER_SECONDS)


def test_no_card_number_leaves_the_sealed_attributes(shop: Shop, make_merchant: Callable[..., Merchant]) -> None:
    token_id = shop.active_token()
    assert shop.pay(token_id, headers={"x-idempotency-key": "canary"}).json["success"] is True
    revealed = json.loads(
        worker._service._tokens.reveal_network_token(worker._service._tokens.find(shop.account_id, token_id)) or b""
    )
    for page in TABLE.client.get_paginator("scan").paginate(TableName=TABLE.name):
        text = str(page["Items"])
        assert "4242424242424242" not in text
        assert revealed["account_number"] not in text
