"""The queue door under everything a queue does: doubles, disorder, deaths at every call, poison, lost messages."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.faults import deaths
from tests.vault.imports.driving import BUCKET, QUEUE, REASONS, Context, Importer, record, steps
from tollgate import aws
from vault.imports import worker
from vault.imports.clients.sources import SimulatedSource
from vault.imports.errors import SourceBusy, SourceRefused
from vault.imports.models import Step

RACES = 4
CHUNK = 20


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with fewer rows."""
    monkeypatch.setattr(SimulatedSource, "rows_per_chunk", CHUNK)


def outcome(importer: Importer, import_id: str) -> tuple[str, int, int, int]:
    done = importer.read(import_id)
    return done["status"], done["successes"], done["failures"], importer.failures(import_id)["total_items"]


def chunk_steps(importer: Importer) -> list[str]:
    return [body for body in importer.messages() if Step.from_text(body).action == "chunk"]


class TestDelivery:
    @pytest.mark.parametrize("seed", range(4))
    def test_in_any_order_and_twice_gives_each_row_one_outcome(self, importer: Importer, seed: int) -> None:
        import_id = importer.begin("sk_test_simulate_65")
        importer.work(chance=random.Random(seed))
        assert outcome(importer, import_id) == ("finished", 65, 0, 0)
        assert len(importer.tokens()) == 65

    def test_of_everything_again_after_the_end_changes_nothing(self, importer: Importer) -> None:
        import_id = importer.begin()
        bodies = []
        while waiting := importer.messages():
            bodies.append(waiting[0])
            importer.take(waiting[0])
            assert importer.deliver(waiting[0])
        before = importer.read(import_id)
        for body in reversed(bodies):
            assert importer.deliver(body)
        assert importer.read(import_id) == before
        assert importer.messages() == []
        assert len(importer.tokens()) == 7

    def test_of_one_chunk_to_several_workers_at_once(self, importer: Importer) -> None:
        import_id = importer.begin("sk_test_simulate_20")
        importer.work(1)
        (body,) = importer.messages()
        with ThreadPoolExecutor(RACES) as pool:
            assert list(pool.map(importer.deliver, [body] * RACES)) == [True] * RACES
        importer.work()
        assert outcome(importer, import_id) == ("finished", 20, 0, 0)
        assert len(importer.tokens()) == 20

    def test_of_the_listing_to_several_workers_at_once(self, importer: Importer) -> None:
        import_id = importer.begin("sk_test_simulate_50")
        (body,) = importer.messages()
        with ThreadPoolExecutor(RACES) as pool:
            assert list(pool.map(importer.deliver, [body] * RACES)) == [True] * RACES
        importer.work()
        assert importer.read(import_id)["progress"]["total"] == 50
        assert outcome(importer, import_id) == ("finished", 50, 0, 0)

    def test_to_a_worker_of_each_chunk_at_once(self, importer: Importer) -> None:
        """Chunks of one account share counts and lists; every outcome still is counted once."""
        import_id = importer.begin("sk_test_simulate_80")
        importer.work(1)
        bodies = importer.messages()
        with ThreadPoolExecutor(RACES) as pool:
            assert all(pool.map(importer.deliver, bodies))
        importer.work()
        assert outcome(importer, import_id) == ("finished", 80, 0, 0)
        assert len({token["id"] for token in importer.tokens()}) == 80


class TestTwoOwners:
    def test_of_two_simultaneous_requests_one_begins_an_import(self, importer: Importer) -> None:
        with ThreadPoolExecutor(RACES) as pool:
            answers = list(pool.map(lambda _: importer.post(api_key="sk_test_a"), range(RACES)))
        assert sorted(answer.status for answer in answers) == [200] + [422] * (RACES - 1)
        assert len(importer.messages()) == 1

    def test_of_two_simultaneous_aborts_one_counts(self, importer: Importer) -> None:
        import_id = importer.begin()
        with ThreadPoolExecutor(RACES) as pool:
            answers = list(pool.map(lambda _: importer.abort(import_id), range(RACES)))
        assert sorted(answer.status for answer in answers) == [200] + [422] * (RACES - 1)

    def test_abort_and_last_row_at_once_end_it_once(self, importer: Importer) -> None:
        for _ in range(3):
            import_id = importer.begin("sk_test_simulate_1")
            importer.work(1)
            (body,) = importer.messages()
            with ThreadPoolExecutor(2) as pool:
                worked, aborted = pool.submit(importer.deliver, body), pool.submit(importer.abort, import_id)
                assert worked.result()
                answer = aborted.result()
            done = importer.read(import_id)
            assert done["status"] == ("aborted" if answer.status == 200 else "finished")
            importer.work()
            assert importer.read(import_id) == done


class TestDeath:
    """Killed at every call of DynamoDB, S3-less: before it is made and after it took effect."""

    def test_at_any_call_of_the_request_leaves_a_whole_job_or_none(self, importer: Importer, held_clock: Any) -> None:
        committed = False
        for death in deaths(aws.dynamodb(), lambda: importer.post(api_key="sk_test_simulate_3")):
            held_clock.advance(minutes=3)
            importer.resume()
            importer.work()
            committed = committed or (death.operation, death.moment) == ("TransactWriteItems", "after")
            assert len(importer.tokens()) == (3 if committed else 0)
            assert importer.post(api_key="sk_test_refused").status == 200  # nothing blocks the account
            importer.work()
        assert committed

    @pytest.mark.parametrize("rows", [0, 5])
    def test_at_any_call_of_the_listing_loses_no_row(self, importer: Importer, held_clock: Any, rows: int) -> None:
        for expected in self._survivors(importer, held_clock, f"sk_test_simulate_{rows}", 0):
            assert expected == ("finished", rows, 0, 0)

    def test_at_any_call_of_a_chunk_loses_and_doubles_no_row(self, importer: Importer, held_clock: Any) -> None:
        for expected in self._survivors(importer, held_clock, "sk_test_every_outcome", 1):
            assert expected[0] == "finished"
            assert expected[1] + expected[2] == 15
            assert expected[2] == expected[3]
        assert len(importer.tokens()) == 7

    @staticmethod
    def _survivors(importer: Importer, held_clock: Any, key: str, already: int) -> Iterator[tuple[str, int, int, int]]:
        """Runs one import per call and moment: the step behind `already` others dies, and the schedule picks it up."""
        import_id = ""

        def attempt() -> None:
            nonlocal import_id
            body = importer.messages()[0]
            importer.take(body)  # as if it never came back from the queue: the worst case
            importer.deliver(body)

        def begin() -> None:
            nonlocal import_id
            import_id = importer.begin(key)
            importer.work(already)

        begin()
        for _ in deaths(aws.dynamodb(), attempt):
            while importer.read(import_id)["status"] in {"preparing", "running"}:
                held_clock.advance(minutes=3)
                assert importer.resume()["resumed"]
                importer.work()
            yield outcome(importer, import_id)
            if key.startswith("sk_test_simulate_"):
                _forget(importer)
            begin()

    def test_between_storing_and_queueing_is_made_good(self, importer: Importer, held_clock: Any) -> None:
        import_id = importer.begin("sk_test_simulate_50")
        importer.work(1)
        importer.sqs.sent[QUEUE].clear()
        assert importer.resume() == {"under_way": importer.resume()["under_way"], "resumed": 0}
        held_clock.advance(minutes=3)
        importer.resume()
        assert len(chunk_steps(importer)) == 3
        importer.work()
        assert outcome(importer, import_id) == ("finished", 50, 0, 0)

    def test_of_the_queue_while_listing_is_made_good(self, importer: Importer, held_clock: Any) -> None:
        import_id = importer.begin("sk_test_simulate_50")
        (body,) = importer.messages()
        importer.take(body)
        importer.sqs.refuse = {"0"}
        assert importer.deliver(body)  # it sends itself again
        importer.work()
        held_clock.advance(minutes=3)
        importer.resume()
        importer.work()
        assert outcome(importer, import_id) == ("finished", 50, 0, 0)


def _forget(importer: Importer) -> None:
    """Delete the account's tokens, so that the same ids can be imported once more."""
    from vault.tokens import handler as tokens

    for token in importer.tokens():
        importer.merchant.at(tokens.handler).send("DELETE", f"/tokens/{token['id']}")


class TestPoison:
    @pytest.mark.parametrize(
        "body",
        [
            "", "{", "null", "[]", "{}", '"x"', "\u00e9",
            '{"account_id":"a","import_id":"i","action":"explode","number":0,"ticket":0,"attempt":0}',
            '{"account_id":1,"import_id":"i","action":"list","number":0,"ticket":0,"attempt":0}',
            '{"account_id":"a","import_id":"i","action":"list","number":"0","ticket":0,"attempt":0}',
        ],
    )  # fmt: skip
    def test_is_reported_alone(self, importer: Importer, body: str) -> None:
        import_id = importer.begin()
        (good,) = importer.messages()
        importer.take(good)
        answer = worker.handler({"Records": [record(body, "bad"), record(good, "good")]}, object())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
        assert importer.read(import_id)["status"] == "running"

    def test_step_of_no_job_is_acknowledged(self, importer: Importer) -> None:
        for action in ("list", "chunk", "clean"):
            step = Step(importer.account_id, "00000000-0000-4000-8000-000000000000", action, number=7)  # type: ignore[arg-type]
            assert importer.deliver(step.to_text())

    def test_chunk_that_was_never_listed_is_acknowledged(self, importer: Importer) -> None:
        import_id = importer.begin()
        importer.work(1)
        assert importer.deliver(Step(importer.account_id, import_id, "chunk", number=99).to_text())

    def test_step_that_keeps_failing_is_sent_again_ever_later_and_then_reported(
        self, importer: Importer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        importer.begin()
        (body,) = importer.messages()
        importer.take(body)

        def fail(*_: object) -> None:
            raise ConnectionError("no such host 4242424242424242")

        monkeypatch.setattr(worker._service, "carry_out", fail)
        for attempt in range(1, worker.MOST_ATTEMPTS + 1):
            assert importer.deliver(body)
            (body,) = importer.messages()
            importer.take(body)
            assert Step.from_text(body).attempt == attempt
        assert not importer.deliver(body)
        assert importer.messages() == []


class TestTime:
    def test_step_that_runs_out_of_it_sends_itself_on(self, importer: Importer) -> None:
        import_id = importer.begin("sk_test_simulate_45")
        rounds = 0
        while waiting := importer.messages():
            importer.take(waiting[0])
            assert importer.deliver(waiting[0], Context(49))
            rounds += 1
            assert rounds < 200
        assert outcome(importer, import_id) == ("finished", 45, 0, 0)
        assert rounds > 3

    def test_batch_without_time_left_is_sent_on_whole(self, importer: Importer) -> None:
        importer.begin()
        (body,) = importer.messages()
        importer.take(body)
        assert importer.deliver(body, Context(20))
        assert importer.messages() == [body]


class TestBusySource:
    """A source that asks to wait is waited for, in vain only so often."""

    @pytest.fixture
    def busy(self, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        """Ids whose cards cannot be fetched for now."""
        keys: set[str] = set()
        fetch = SimulatedSource.fetch

        def refuse_some(source: SimulatedSource, entry: Any) -> Any:
            if entry.business_key in keys:
                raise SourceBusy(2)
            return fetch(source, entry)

        monkeypatch.setattr(SimulatedSource, "fetch", refuse_some)
        return keys

    def test_is_asked_again_from_the_row_that_has_to_wait(self, importer: Importer, busy: set[str]) -> None:
        import_id = importer.begin("sk_test_simulate_20")
        busy.add("pm_simulated_5")
        importer.work(2)
        assert importer.read(import_id)["successes"] == 4
        (waiting,) = steps(importer.messages())
        assert (waiting.action, waiting.attempt) == ("chunk", 1)
        busy.clear()
        importer.work()
        assert outcome(importer, import_id) == ("finished", 20, 0, 0)

    def test_costs_a_row_that_waited_too_often(self, importer: Importer, busy: set[str]) -> None:
        import_id = importer.begin("sk_test_simulate_20")
        busy.add("pm_simulated_5")
        importer.work()
        assert outcome(importer, import_id) == ("finished", 19, 1, 1)
        (failure,) = importer.failures(import_id)["data"]
        assert (failure["reason"], failure["context"]["business_key"]) == ("rate_limited", "pm_simulated_5")

    def test_ends_a_listing_that_waited_too_often(self, importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> Any:
            raise SourceBusy

        monkeypatch.setattr(SimulatedSource, "listing", refuse)
        import_id = importer.begin()
        importer.work()
        assert outcome(importer, import_id) == ("aborted", 0, 1, 1)

    def test_that_refuses_half_way_ends_the_job(self, importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
        fetch = SimulatedSource.fetch

        def refuse_late(source: SimulatedSource, entry: Any) -> Any:
            if entry.row > 34:
                raise SourceRefused("The API key was revoked")
            return fetch(source, entry)

        monkeypatch.setattr(SimulatedSource, "fetch", refuse_late)
        import_id = importer.begin("sk_test_simulate_40")
        importer.work()
        status, successes, failures, listed = outcome(importer, import_id)
        assert (status, failures, listed) == ("aborted", 1, 1)
        assert successes == len(importer.tokens()) == 34


GOOD = {"account_number": "4242424242424242", "expiry_month": "04", "expiry_year": "2040"}


class TestStrangeRows:
    @pytest.fixture
    def rows(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        """What the source lists instead: (business_key, kind, card)."""
        from vault.imports.models import Entry

        rows: list[dict[str, Any]] = []

        def entries(_: object, after: int) -> Iterator[Entry]:
            yield from [Entry(n, **row) for n, row in enumerate(rows, 1)][after:]

        monkeypatch.setattr(SimulatedSource, "_entries", entries)
        return rows

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ({"business_key": None, "card": GOOD}, "source_error"),
            ({"business_key": "", "card": GOOD}, "source_error"),
            ({"business_key": "4242424242424242", "card": GOOD}, "source_error"),
            ({"business_key": "pm_4242424242424242", "card": GOOD}, "source_error"),
            ({"business_key": "=cmd", "card": GOOD}, "source_error"),
            ({"business_key": "p" * 256, "card": GOOD}, "source_error"),
            ({"business_key": "ba_1", "kind": "us_bank_account", "card": GOOD}, "unsupported_type"),
            ({"business_key": "pm_1", "card": {}}, "invalid_card_data"),
            ({"business_key": "pm_1", "card": {**GOOD, "expiry_month": "4.0"}}, "invalid_card_data"),
            ({"business_key": "pm_1", "card": {**GOOD, "expiry_month": "13"}}, "invalid_card_data"),
            ({"business_key": "pm_1", "card": {**GOOD, "cardholder_name": "4242 4242 4242 4242"}}, "invalid_card_data"),
            ({"business_key": "pm_1", "card": {**GOOD, "cardholder_name": ["x"]}}, "invalid_card_data"),
            ({"business_key": "pm_1", "card": {**GOOD, "account_number": "12", "expiry_year": "2020"}},
             "invalid_card_data"),
            ({"business_key": "pm_1", "card": {**GOOD, "expiry_year": "2020"}}, "expired_card"),
            ({"business_key": "pm_1", "card": "not a card"}, "unknown"),
            ({"business_key": "pm_1", "card": None}, "source_error"),
        ],
    )  # fmt: skip
    def test_fail_alone_with_their_reason(
        self, importer: Importer, rows: list[dict[str, Any]], row: dict[str, Any], reason: str
    ) -> None:
        rows += [{"business_key": "pm_before", "card": GOOD}, row, {"business_key": "pm_after", "card": GOOD}]
        import_id = importer.begin()
        importer.work()
        assert outcome(importer, import_id) == ("finished", 2, 1, 1)
        (failure,) = importer.failures(import_id)["data"]
        assert (failure["reason"], failure["context"]["row"]) == (reason, 2)
        assert "4242" not in json.dumps(failure)

    def test_the_same_id_in_two_chunks_becomes_one_token(self, importer: Importer, rows: list[dict[str, Any]]) -> None:
        rows += [{"business_key": f"pm_{n % CHUNK}", "card": GOOD} for n in range(2 * CHUNK)]
        import_id = importer.begin()
        importer.work(1)
        bodies = importer.messages()
        with ThreadPoolExecutor(2) as pool:
            assert all(pool.map(importer.deliver, bodies))
        importer.work()
        assert outcome(importer, import_id) == ("finished", CHUNK, CHUNK, CHUNK)
        assert {each["reason"] for each in importer.failures(import_id)["data"]} == {"duplicate"}
        assert len(importer.tokens()) == CHUNK

    def test_rows_whose_object_was_lost_fail_and_the_job_ends(self, importer: Importer) -> None:
        import_id = importer.begin("sk_test_simulate_30")
        importer.work(1)
        first, second = importer.s3.keys(BUCKET, f"{importer.account_id}/{import_id}/chunks/")
        del importer.s3.objects[BUCKET][first]
        importer.s3.objects[BUCKET][second] = importer.s3.objects[BUCKET][second][:-1] + b"x"
        importer.work()
        assert outcome(importer, import_id) == ("finished", 0, 30, 30)
        assert {each["reason"] for each in importer.failures(import_id)["data"]} == {"source_error"}


def test_every_reason_is_simulated() -> None:
    from typing import get_args

    from vault.imports.errors import Reason

    assert set(get_args(Reason)) == REASONS
