"""The reconciliation report: bytes of the reference, what belongs in it, every size, every day."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.faults import deaths
from tests.support.http import Merchant, Response, send
from tests.support.objects import FakeS3
from tests.support.queues import FakeSqs
from tests.vault.imports.driving import record
from tollgate import aws, clock
from vault import cards
from vault.token_reports import daily_worker, rules, service, worker
from vault.token_reports.clients import objects
from vault.token_reports.handler import handler
from vault.token_reports.models import Order, Report
from vault.tokens import handler as tokens
from vault.tokens.public import NewCard

QUEUE = DEPLOYMENT.environment("TokenReports")["REPORT_QUEUE_URL"]
TABLE = DEPLOYMENT.environment("TokenReports")["VAULT_TABLE"]
CARD = {"account_number": "4242424242424242", "expiry_month": 4, "expiry_year": 2040}
SEED_ROW = (
    b'"364073f3-47fd-4210-bb8a-5bc3d38bee3c","stripe","pm_1PsSCYCJ5AfyAmaKo4RuyX6v","2024-09-10 10:04:27.018267"\n'
)
_WEEKS = count()
"""A week of its own for every test of the daily run, so that no day of it was run before."""
HEADER = "id,import_provider,business_key,created_at\n"


@pytest.fixture
def merchant(make_merchant: Callable[..., Merchant], sqs: FakeSqs) -> Merchant:
    return make_merchant(handler)


def tokenise(merchant: Merchant, number: int = 1, **origin: Any) -> list[str]:
    """New tokens, by the way that imports and sessions go."""
    made = []
    for _ in range(number):
        new = NewCard(cards.Card(**CARD), **origin)  # type: ignore[arg-type]
        made.append(tokens._service.tokenise(merchant.account_id, new)["id"])
    return made


def report(merchant: Merchant, query: str = "") -> Response:
    return merchant.send("GET", f"/reports/tokens{query}")


def ids_in(text: str) -> list[str]:
    return [row["id"] for row in csv.DictReader(io.StringIO(text))]


def write_all(sqs: FakeSqs, account_id: str) -> None:
    """Deliver the account's orders to the writer."""
    waiting = sqs.sent.get(QUEUE, [])
    for body in [each for each in waiting if Order.from_text(each).account_id == account_id]:
        waiting.remove(body)
        assert worker.handler({"Records": [record(body)]}, object()) == {"batchItemFailures": []}


class TestBytes:
    """The rows of the reference, exactly."""

    @pytest.mark.parametrize(
        ("origin", "expected"),
        [
            (("d3e14053-52c0-4b4a-9b24-6931a1eb2eb5", None, None, "2024-08-13T15:44:26.559568Z"),
             b'"d3e14053-52c0-4b4a-9b24-6931a1eb2eb5",,,"2024-08-13 15:44:26.559568"\n'),
            (("cbc2c85f-53ce-4cd2-b7cf-d74c7c3983c2", None, None, "2024-08-13T14:59:25.671960Z"),
             b'"cbc2c85f-53ce-4cd2-b7cf-d74c7c3983c2",,,"2024-08-13 14:59:25.67196"\n'),
            (("364073f3-47fd-4210-bb8a-5bc3d38bee3c", "stripe", "pm_1PsSCYCJ5AfyAmaKo4RuyX6v",
              "2024-09-10T10:04:27.018267Z"),
             SEED_ROW),
            (("i", None, None, "2024-08-13T14:59:20.000000Z"), b'"i",,,"2024-08-13 14:59:20"\n'),
            (("i", None, None, "2024-08-13T14:59:20Z"), b'"i",,,"2024-08-13 14:59:20"\n'),
        ],
    )  # fmt: skip
    def test_of_a_line(self, origin: tuple[Any, ...], expected: bytes) -> None:
        assert rules.line(*origin) == expected

    @pytest.mark.parametrize(
        ("key", "cell"),
        [
            ("pm_1-X", '"pm_1-X"'),
            ("-pm", '"-pm"'),
            ('a"b', '"a""b"'),
            ("a,b", '"a,b"'),
            ("=1+1", '"\'=1+1"'),
            ("+1 2", '"\'+1 2"'),
            ("-1+1", '"\'-1+1"'),
            ("@a b", '"\'@a b"'),
            ("\t=1", '"\'\t=1"'),
        ],
    )
    def test_of_an_original_id(self, key: str, cell: str) -> None:
        assert rules.line("i", "stripe", key, "2024-08-13T14:59:20Z").decode().split(",", 2)[2].startswith(cell + ",")

    def test_of_the_header(self) -> None:
        assert rules.HEADER.decode() == HEADER


class TestReport:
    def test_of_an_account_without_tokens_is_the_header(self, merchant: Merchant) -> None:
        answer = report(merchant)
        assert (answer.status, answer.body) == (200, HEADER.encode())
        assert answer.headers["content-type"] == "text/csv"
        assert answer.headers["content-disposition"] == 'attachment; filename="tokens.csv"'

    def test_holds_every_token_of_the_account_and_its_origin(self, merchant: Merchant, make_merchant: Any) -> None:
        tokenise(make_merchant(handler))
        (plain,) = tokenise(merchant)
        (imported,) = tokenise(merchant, import_provider="stripe", business_key="pm_1")
        lines = report(merchant).body.decode().splitlines()
        moment = r'"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?"'
        assert re.fullmatch(rf'"{plain}",,,{moment}', lines[1])
        assert re.fullmatch(rf'"{imported}","stripe","pm_1",{moment}', lines[2])
        assert len(lines) == 3

    def test_leaves_out_deleted_and_ephemeral_tokens(self, merchant: Merchant) -> None:
        kept, gone = tokenise(merchant, 2)
        tokenise(merchant, expires_in=timedelta(days=30))
        merchant.at(tokens.handler).send("DELETE", f"/tokens/{gone}")
        assert ids_in(report(merchant).body.decode()) == [kept]

    def test_goes_on_across_the_pages_of_the_table(self, merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
        made = tokenise(merchant, 25)
        client = aws.dynamodb()
        query = client.query

        def query_a_few(**request: Any) -> Any:
            return query(**{**request, "Limit": min(request.get("Limit", 7), 7)})

        monkeypatch.setattr(client, "query", query_a_few)
        assert ids_in(report(merchant).body.decode()) == made

    def test_is_of_the_moment_it_was_asked_for(self, merchant: Merchant) -> None:
        """What is made while it is written belongs to the next one."""
        made = tokenise(merchant, 3)
        origins = tokens_origins().each(merchant.account_id)
        first = next(origins)
        tokenise(merchant)
        assert [first.token_id, *(each.token_id for each in origins)] == made

    @pytest.mark.parametrize("headers", [{}, {"x-api-key": "x"}, {"authorization": "Bearer x"}])
    def test_needs_a_credential(self, headers: dict[str, str]) -> None:
        assert send(handler, "GET", "/reports/tokens", headers=headers).status == 401

    def test_other_methods(self, merchant: Merchant) -> None:
        answer = merchant.send("POST", "/reports/tokens")
        assert (answer.status, answer.headers["allow"]) == (405, "GET")


def tokens_origins() -> Any:
    from vault.tokens.public import origins_of

    return origins_of(TABLE)


class TestLargeReport:
    """One that is too large to be an answer, at the size of five rows."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "DIRECT_ROWS", 5)

    @pytest.fixture
    def pauses(self) -> Any:
        """What to do whenever the service waits."""
        actions: list[Callable[[], None]] = []
        former = clock.use_pause(lambda _: [each() for each in actions] and None)
        yield actions
        clock.use_pause(former)

    @pytest.mark.parametrize("count", [4, 5, 30])
    def test_is_what_a_client_gets_that_follows_redirects(
        self, merchant: Merchant, sqs: FakeSqs, s3: FakeS3, pauses: list[Any], count: int
    ) -> None:
        made = tokenise(merchant, count)
        answer = report(merchant)
        for _ in range(5):
            if answer.status != 303:
                break
            location = answer.headers["location"]
            if location.startswith("https://"):
                answer = Response(200, {}, s3.download(location))
            else:
                write_all(sqs, merchant.account_id)
                answer = merchant.send("GET", location)
        assert answer.status == 200
        assert ids_in(answer.body.decode()) == made

    def test_is_waited_for(self, merchant: Merchant, sqs: FakeSqs, pauses: list[Any]) -> None:
        tokenise(merchant, 6)
        location = report(merchant).headers["location"]
        waiting = merchant.send("GET", location)
        assert (waiting.status, waiting.headers["location"]) == (303, location)
        elsewhere = ThreadPoolExecutor(1)  # the writer is another function than the one that waits
        pauses.append(lambda: elsewhere.submit(write_all, sqs, merchant.account_id).result())
        assert merchant.send("GET", location).headers["location"].startswith("https://")

    def test_is_refused_to_a_stranger(self, merchant: Merchant, make_merchant: Any, pauses: list[Any]) -> None:
        tokenise(merchant, 6)
        location = report(merchant).headers["location"]
        foreign = make_merchant(handler).send("GET", location)
        absent = merchant.send("GET", "/reports/tokens?report=00000000-0000-4000-8000-000000000000")
        assert (foreign.status, foreign.json["classifier"], foreign.body) == (404, "NOT_FOUND", absent.body)

    def test_that_is_never_written_is_given_up(self, merchant: Merchant, pauses: list[Any], held_clock: Any) -> None:
        tokenise(merchant, 6)
        location = report(merchant).headers["location"]
        held_clock.advance(minutes=31)
        assert merchant.send("GET", location).status == 503

    @pytest.mark.parametrize("query", ["?report=", "?report=" + "x" * 37, "?report=a&report=b"])
    def test_name_must_be_one(self, merchant: Merchant, query: str) -> None:
        answer = report(merchant, query)
        assert (answer.status, answer.paths()) == (422, ["query.report"])

    def test_is_written_in_parts(
        self, merchant: Merchant, sqs: FakeSqs, s3: FakeS3, monkeypatch: pytest.MonkeyPatch, pauses: list[Any]
    ) -> None:
        """Twelve megabytes of rows: three parts, and the sum of the whole."""
        (made,) = tokenise(merchant)
        monkeypatch.setattr(objects, "PART_BYTES", 5 * 1024 * 1024)
        line = rules.line(made, "stripe", "p" * 255, "2024-08-13T14:59:20.5Z")
        rows = 12 * 1024 * 1024 // len(line)
        written = objects.ReportStore(s3, "bucket").write("a/b.csv", (line for _ in range(rows)), rules.HEADER)
        body = s3.objects["bucket"]["a/b.csv"]
        assert body == rules.HEADER + line * rows
        assert (written.rows, written.bytes, written.sha256) == (rows, len(body), hashlib.sha256(body).hexdigest())
        assert s3.unfinished == {}
        assert s3.types["a/b.csv"] == "text/csv"

    def test_too_many_bytes_count_like_too_many_rows(self, merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "DIRECT_BYTES", 200)
        tokenise(merchant, 3)
        assert report(merchant).status == 303


class TestDaily:
    @pytest.fixture
    def day(self, held_clock: Any) -> Any:
        """A day of its own for each test, far ahead, so that no run of it was done before."""
        held_clock.at = datetime(2040, 1, 1, 3, tzinfo=UTC) + timedelta(days=7 * next(_WEEKS))
        return held_clock

    @staticmethod
    def run() -> int:
        ordered = 0
        for _ in range(200):
            answer = daily_worker.handler({}, object())
            ordered += answer["ordered"]
            if answer["done"]:
                return ordered
        raise AssertionError("the run does not end")

    def test_report_is_written_and_announced_once(self, merchant: Merchant, sqs: FakeSqs, s3: FakeS3, day: Any) -> None:
        made = tokenise(merchant, 3)
        assert self.run() >= 1
        orders = [body for body in sqs.sent[QUEUE] if json.loads(body)["account_id"] == merchant.account_id]
        for body in orders * 3:
            worker.handler({"Records": [record(body)]}, object())
        assert self.run() == 0
        (event,) = announced(merchant)
        date = day.at.date().isoformat()
        told = json.loads(event["payload"]["S"])["report"]
        assert (event["type"]["S"], told["name"], told["rows"]) == ("report.created", date, 3)
        answer = report(merchant, f"?report={date}")
        body = s3.download(answer.headers["location"])
        assert ids_in(body.decode()) == made
        assert (told["bytes"], told["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())

    def test_report_is_written_anew_each_day(self, merchant: Merchant, sqs: FakeSqs, day: Any) -> None:
        tokenise(merchant)
        for _ in range(2):
            self.run()
            write_all(sqs, merchant.account_id)
            day.advance(days=1)
        assert len(announced(merchant)) == 2

    def test_account_that_never_had_a_token_has_no_report(self, merchant: Merchant, sqs: FakeSqs, day: Any) -> None:
        self.run()
        assert merchant.account_id not in {Order.from_text(body).account_id for body in sqs.sent.get(QUEUE, [])}

    def test_run_goes_on_where_it_was_killed(
        self, merchant: Merchant, sqs: FakeSqs, day: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from vault.token_reports import repository

        tokenise(merchant)
        with monkeypatch.context() as small_steps:
            small_steps.setattr(repository, "_SCANNED_AT_ONCE", 5)
            small_steps.setattr(service, "_PAGES_PER_RUN", 3)
            deathly = deaths(aws.dynamodb(), lambda: daily_worker.handler({}, object()))
            assert len(list(islice(deathly, 12))) == 12
        self.run()
        write_all(sqs, merchant.account_id)
        assert len(announced(merchant)) == 1

    def test_death_of_the_writer_at_any_call_writes_and_announces_once(
        self, merchant: Merchant, sqs: FakeSqs, day: Any
    ) -> None:
        tokenise(merchant)
        order = Order(merchant.account_id, "")

        def attempt() -> None:
            worker.handler({"Records": [record(order.to_text())]}, object())

        def begin() -> Order:
            day.advance(days=1)
            wanted = Report(merchant.account_id, day.at.date().isoformat(), clock.iso(day.at), daily=True)
            worker._writer._repository.order(wanted)
            return Order(wanted.account_id, wanted.name)

        order, rounds = begin(), 0
        for _ in deaths(aws.dynamodb(), attempt):
            attempt()  # SQS delivers it again
            rounds += 1
            assert len(announced(merchant)) == rounds
            order = begin()
        assert rounds > 5

    @pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"account_id":1,"name":"x"}'])
    def test_order_that_is_none_is_reported_alone(self, merchant: Merchant, body: str) -> None:
        good = Order(merchant.account_id, "2040-01-01").to_text()
        answer = worker.handler({"Records": [record(body, "bad"), record(good, "good")]}, object())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}


def announced(merchant: Merchant) -> list[dict[str, Any]]:
    """The account's reports in the outbox."""
    found: list[dict[str, Any]] = []
    for shard in range(16):
        pages = (
            aws.dynamodb()
            .get_paginator("query")
            .paginate(
                TableName=TABLE,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": f"OUTBOX#{shard:02d}"}},
            )
        )
        found += [item for page in pages for item in page["Items"]]
    mine = [item for item in found if item["account_id"]["S"] == merchant.account_id]
    return [item for item in mine if item["type"]["S"] == "report.created"]
