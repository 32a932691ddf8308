"""Queries from submission to download, through both doors and the real engine."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from payments.analytics import worker
from payments.analytics.clients import engine
from payments.analytics.clients.engine import Engine, Limits
from payments.analytics.errors import QueryRefused
from payments.analytics.models import Order
from payments.analytics.repository import AccountObjects, QueryRepository
from payments.analytics.service.execution import Execution
from tests.payments.access.tenants import give, new_account, new_role, new_space, new_user
from tests.payments.analytics.conftest import Analyst, InThisProcess, MakeAnalyst, store_payment
from tests.support.environment import variables
from tests.support.faults import deaths
from tests.support.queues import FakeSqs
from tests.support.session import HeldClock
from tollgate import aws, clock
from tollgate.store.table import Table


@pytest.fixture(autouse=True)
def _no_waiting() -> Any:
    """Status answers hold for seconds; here they do not."""
    former = clock.use_pause(lambda _: None)
    yield
    clock.use_pause(former)


_ONE_TO_THREE = [["1"], ["2"], ["3"]]
_MANY = "unnest(sequence(1, 1000000))"
_ENDLESS = "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r"
_DOUBLING = (
    "with recursive r(s, n) as (select 'x', 1 union all select s || s, n + 1 from r where n < 40) select max(s) from r"
)

_OF_THE_GUIDE = """
SELECT json_extract_scalar(t.billingaddress, '$.country') AS country, count(*) AS payments
FROM transaction t LEFT JOIN refund r ON r.transaction = t.id
WHERE t.createdon >= TIMESTAMP '2026-01-01' - INTERVAL '90' DAY AND t.createdon < current_timestamp AND r.id IS NULL
GROUP BY 1 ORDER BY 1
"""


class TestResults:
    @pytest.mark.usefixtures("in_processes")
    def test_a_query_from_submission_to_download(self, analyst: Analyst) -> None:
        sql = "SELECT state, count(*) AS n, sum(authorizationAmount) FROM transaction GROUP BY 1 ORDER BY 1"
        token = analyst.submit(sql, "daily")
        waiting = analyst.call("GET", f"/queryToken/{token}")
        assert (waiting.status, waiting.headers["retry-after"], waiting.json["status"]) == (202, "5", "PROCESSING")
        assert analyst.work() == []
        found = analyst.call("GET", "/queryExternalId/daily")
        assert found.status == 200
        assert found.json.items() >= {
            "accountId": analyst.merchant.account_id, "originalQuery": sql, "portalQueryToken": token,
            "queryExternalId": "daily", "status": "SUCCESS", "downloadRequests": 0,
        }.items()  # fmt: skip
        assert min(found.json["scannedBytes"], found.json["resultFileBytes"], found.json["totalBilledExecutionTimeMs"])
        assert analyst.rows(token) == [
            ["state", "n", "sum(authorizationAmount)"], ["FAILED", "1", ""], ["FULFILL", "2", "0.30000000"],
        ]  # fmt: skip
        as_json = analyst.call("GET", "/queryExternalId/daily/result")
        assert as_json.json.startswith("https://")
        assert "seconds=300" in as_json.json
        assert analyst.status(token)["downloadRequests"] == 2

    @pytest.mark.parametrize(
        ("sql", "rows"),
        [  # what is asked for, and the lines without the header
            ("select json_extract_scalar(billingaddress, '$.city') from transaction where state='FAILED'", [["Köln"]]),
            ("select merchantreference from transaction where currency='CHF' order by id", [["a"], ['b,"']]),
            ("select date_trunc('month', createdon) from transaction limit 1", [["2026-03-01 00:00:00"]]),
            ("select year(createdon), date_format(createdon, '%m/%d') from transaction limit 1", [["2026", "03/04"]]),
            ("with t as (select id from transaction) select count(*) from t", [["3"]]),
            (_OF_THE_GUIDE, [["DE", "1"], ["", "2"]]),
            ("select count(*) from transaction a join transaction b on a.id < b.id", [["3"]]),
            ("select isocode2 from (select 'CH' as isocode2)", [["CH"]]),
            ("select count(*) > 0 from paymentmethod", [["true"]]),
            ("select x from (values 1, 2) as a(x) order by x desc offset 1 rows fetch first 1 rows only", [["1"]]),
            ("select array_agg(state order by state) from transaction", [['["FAILED", "FULFILL", "FULFILL"]']]),
            ("with recursive r(n) as (select 1 union all select n+1 from r where n<3) select n from r", _ONE_TO_THREE),
            ("select rank() over (order by id), lag(state) over (order by id) from transaction limit 1", [["1", ""]]),
        ],
    )  # fmt: skip
    def test_what_can_be_asked(self, analyst: Analyst, sql: str, rows: list[list[str]]) -> None:
        assert analyst.ask(sql)[1:] == rows

    def test_no_rows_no_result(self, analyst: Analyst) -> None:
        token = analyst.submit("select * from transaction where 1 = 2")
        analyst.work()
        assert analyst.call("GET", f"/queryToken/{token}/result").status == 204
        assert analyst.status(token).items() >= {"status": "SUCCESS", "resultFileBytes": 0}.items()

    def test_the_first_execution_is_kept(self, analyst: Analyst, sqs: FakeSqs) -> None:
        token = analyst.submit("select 1", "once")
        assert analyst.submit("select 2", "once") == token
        assert len(sqs.bodies()) == 1
        analyst.work()
        assert analyst.rows(token)[1:] == [["1"]]

    def test_two_submissions_at_once_come_to_one(self, analyst: Analyst) -> None:
        with ThreadPoolExecutor(4) as executor:
            tokens = list(executor.map(lambda n: analyst.submit(f"select {n}", "at-once"), range(4)))
        assert len(set(tokens)) == 1

    def test_listed_with_the_latest_first(self, analyst: Analyst) -> None:
        tokens = [analyst.submit(f"select {n}") for n in range(3)]
        page = analyst.call("GET", "?offset=1&limit=1").json
        assert page | {"items": None} == {"items": None, "offset": 1, "limit": 1, "totalCount": 3}
        assert [each["portalQueryToken"] for each in page["items"]] == [tokens[1]]


class TestTenancy:
    def test_nobody_else_is_read(self, analyst: Analyst, make_analyst: MakeAnalyst) -> None:
        other = make_analyst()
        store_payment(other.merchant.space_id, state="PENDING")
        assert other.ask("select count(*) from transaction")[1:] == [["1"]]
        spaces = other.ask("select distinct linkedspaceid from transaction")[1:]
        assert spaces == [[str(other.merchant.space_id)]]

    def test_nobody_else_s_query(self, analyst: Analyst, make_analyst: MakeAnalyst) -> None:
        token, other = analyst.submit("select 1", "mine"), make_analyst()
        for path in (f"/queryToken/{token}", "/queryExternalId/mine"):
            assert [other.call(method, path).status for method in ("GET", "DELETE")] == [404, 404]
            assert other.call("GET", f"{path}/result").status == 404
            assert other.call("GET", path, account=analyst.merchant.account_id).status == 403
        assert other.call("GET", "?offset=0&limit=10").json["totalCount"] == 0

    def test_an_order_for_another_account_finds_nothing(self, analyst: Analyst) -> None:
        token = analyst.submit("select 1")
        assert worker._execution.carry_out(Order(analyst.merchant.account_id + 1, token)) is None
        assert analyst.status(token)["status"] == "PROCESSING"


class TestRights:
    """A query shows no more than its user could read one by one."""

    RIGHTS = ("analytics.read", "analytics.submit", "analytics.download", "transaction.read")

    def with_rights(self, analyst: Analyst, *rights: str, below: bool = False) -> Analyst:
        admin = analyst.merchant
        user = new_user(admin)
        give(admin, user, new_role(admin, *rights), below=below)
        return replace(analyst, merchant=user)

    def test_resources_that_the_user_may_not_read(self, analyst: Analyst) -> None:
        some = self.with_rights(analyst, *self.RIGHTS)
        assert some.ask("select count(*) from transaction")[1:] == [["3"]]
        assert "table" in some.refused("select count(*) from customer")
        assert some.ask("select count(*) > 0 from paymentmethod")[1:] == [["true"]]

    def test_accounts_below_are_read_where_the_rights_reach(self, analyst: Analyst) -> None:
        admin = analyst.merchant
        branch = new_account(admin, parentAccount=admin.account_id)
        store_payment(new_space(admin, branch), state="PENDING")
        count = "select count(*) from transaction"
        assert self.with_rights(analyst, *self.RIGHTS).ask(count)[1:] == [["3"]]
        assert self.with_rights(analyst, *self.RIGHTS, below=True).ask(count)[1:] == [["4"]]
        own = replace(analyst, merchant=replace(admin, account_id=branch))
        assert own.ask(count)[1:] == [["1"]]

    def test_a_space_is_left_out_where_the_user_may_read_less(self, analyst: Analyst) -> None:
        """Rights over analytics reach below, the right to read payments does not."""
        admin = analyst.merchant
        branch = new_account(admin, parentAccount=admin.account_id)
        store_payment(new_space(admin, branch), state="PENDING")
        some = self.with_rights(analyst, *self.RIGHTS[:3], below=True)
        give(admin, some.merchant, new_role(admin, "transaction.read"))
        assert some.ask("select count(*) from transaction")[1:] == [["3"]]


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "body", "status", "at"),
        [
            ("/submit", {"sql": "select 1"}, 400, "queryExternalId"),
            (f"/submit?queryExternalId={'x' * 201}", {"sql": "select 1"}, 400, "queryExternalId"),
            ("/submit?queryExternalId=x", {}, 400, "sql"),
            ("/submit?queryExternalId=x", {"sql": 1}, 400, "sql"),
            ("/submit?queryExternalId=x", {"sql": "ab"}, 422, "sql"),
            ("/submit?queryExternalId=x", {"sql": "x" * 100_001}, 422, "sql"),
            ("/submit?queryExternalId=x", {"sql": "sql", "sftpDispatchSettingsId": 1}, 422, "sftpDispatchSettingsId"),
        ],
    )  # fmt: skip
    def test_submissions(self, analyst: Analyst, path: str, body: Any, status: int, at: str) -> None:
        answer = analyst.call("POST", path, body)
        assert (answer.status, list(answer.json["errors"])) == (status, [at])

    @pytest.mark.parametrize("query", ["", "?offset=0", "?limit=1", "?offset=-1&limit=1", "?offset=0&limit=101"])
    def test_lists(self, analyst: Analyst, query: str) -> None:
        assert analyst.call("GET", query).status == 400

    def test_an_account_is_required(self, analyst: Analyst) -> None:
        answer = analyst.call("GET", "?offset=0&limit=1", account=None)
        assert (answer.status, answer.json["code"]) == (400, "account_invalid")

    @pytest.mark.parametrize("token", ["x", "00000000-0000-0000-0000-000000000000"])
    def test_queries_that_are_none(self, analyst: Analyst, token: str) -> None:
        assert analyst.call("GET", f"/queryToken/{token}").status == 404

    @pytest.mark.parametrize(
        ("sql", "message"),
        [
            ("drop table transaction", "Only a query"),
            ("selct 1", "syntax"),
            ("select from where", "syntax"),
            ("select nothing from transaction", "column"),
            ("select * from nobody", "table"),
            ("select cast(merchantreference as bigint) from transaction", "values"),
            ("select read_text('/etc/passwd')", "function"),
        ],
    )
    def test_queries_that_fail(self, analyst: Analyst, sql: str, message: str) -> None:
        assert message in analyst.refused(sql)

    def test_no_result_without_success(self, analyst: Analyst) -> None:
        token = analyst.submit("drop table x")
        for _ in range(2):
            answer = analyst.call("GET", f"/queryToken/{token}/result")
            assert (answer.status, answer.json["code"]) == (422, "state_invalid")
            analyst.work()

    def test_media_types(self, analyst: Analyst) -> None:
        token = analyst.submit("select 1")
        analyst.work()
        refused = analyst.call("GET", f"/queryToken/{token}/result", headers={"accept": "text/csv"})
        assert refused.status == 406


class TestStates:
    def test_cancelled_is_cancelled(self, analyst: Analyst) -> None:
        token = analyst.submit("select 1")
        assert analyst.call("DELETE", f"/queryToken/{token}").status == 204
        assert analyst.call("DELETE", f"/queryToken/{token}").status == 422
        assert analyst.work() == []
        assert analyst.status(token)["status"] == "CANCELLED"

    @pytest.mark.usefixtures("in_processes")
    def test_cancelled_while_it_runs(self, analyst: Analyst) -> None:
        token = analyst.submit(_ENDLESS)
        with ThreadPoolExecutor(1) as executor:
            running = executor.submit(analyst.work)
            _await_attempt(analyst.merchant.account_id, token)
            assert analyst.call("DELETE", f"/queryToken/{token}").status == 204
            assert running.result(20) == []
        assert analyst.status(token)["status"] == "CANCELLED"

    def test_a_message_that_comes_again_changes_nothing(self, analyst: Analyst, sqs: FakeSqs) -> None:
        token = analyst.submit("select count(*) from transaction")
        sqs.sent = {queue: bodies * 3 for queue, bodies in sqs.sent.items()}
        assert analyst.work() == []
        assert analyst.rows(token)[1:] == [["3"]]
        assert len(analyst.s3.keys(variables()["ANALYTICS_BUCKET"], f"results/{analyst.merchant.account_id}/")) == 1

    def test_what_is_no_order_comes_again(self) -> None:
        records = [{"messageId": "1", "body": "{}"}, {"messageId": "2", "body": "no"}]
        failed = worker.handler({"Records": records}, object())
        assert [each["itemIdentifier"] for each in failed["batchItemFailures"]] == ["1", "2"]

    def test_an_order_that_was_lost_is_sent_again(self, analyst: Analyst, sqs: FakeSqs, held_clock: HeldClock) -> None:
        sqs.refuse = {"0"}
        assert analyst.call("POST", "/submit?queryExternalId=lost", {"sql": "select 1"}).status == 503
        assert analyst.call("GET", "/queryExternalId/lost").status == 202
        assert sqs.bodies() == []
        held_clock.advance(seconds=61)
        assert analyst.call("GET", "/queryExternalId/lost").status == 202
        assert analyst.work() == []
        assert analyst.call("GET", "/queryExternalId/lost").json["status"] == "SUCCESS"

    def test_given_up_in_the_end(self, analyst: Analyst, held_clock: HeldClock) -> None:
        token = analyst.submit("select 1")
        held_clock.advance(hours=1, seconds=1)
        assert analyst.call("GET", "?offset=0&limit=1").json["items"][0]["status"] == "FAILED"
        assert analyst.status(token)["status"] == "FAILED"
        assert analyst.work() == []
        assert analyst.status(token)["status"] == "FAILED"

    def test_a_message_that_comes_too_late_revives_nothing(self, analyst: Analyst, held_clock: HeldClock) -> None:
        token = analyst.submit("select 1")
        held_clock.advance(hours=1, seconds=1)
        assert analyst.work() == []
        assert analyst.status(token)["status"] == "FAILED"
        assert analyst.call("GET", f"/queryToken/{token}/result").status == 422

    def test_gone_after_a_month(self, analyst: Analyst, held_clock: HeldClock) -> None:
        token = analyst.submit("select 1", "old")
        held_clock.advance(days=30, seconds=1)
        assert analyst.call("GET", f"/queryToken/{token}").status == 404
        assert analyst.call("GET", "?offset=0&limit=1").json["totalCount"] == 0
        assert analyst.submit("select 2", "old") != token

    def test_a_death_at_any_moment_comes_to_one_end(self, analyst: Analyst) -> None:
        """Killed at each call: the next attempt finds the query as it was, or at its end."""

        def attempt() -> None:
            attempt.token = analyst.submit("select 1")  # type: ignore[attr-defined]
            analyst.sqs.sent.clear()
            worker._execution.carry_out(Order(analyst.merchant.account_id, attempt.token))  # type: ignore[attr-defined]

        for death in deaths(aws.dynamodb(), attempt):
            token = analyst.call("GET", "?offset=0&limit=1").json["items"]
            if not token:
                continue
            latest = token[0]["portalQueryToken"]
            worker._execution.carry_out(Order(analyst.merchant.account_id, latest))
            assert analyst.status(latest)["status"] == "SUCCESS", death
            assert analyst.rows(latest)[1:] == [["1"]]

    def test_a_query_over_which_workers_die_has_failed(self, analyst: Analyst) -> None:
        token, repository = analyst.submit("select 1"), QueryRepository(_table())
        for _ in range(2):
            repository.begin(analyst.merchant.account_id, token)
        assert analyst.work() == []
        assert analyst.status(token)["status"] == "FAILED"


class TestProcess:
    def test_has_no_credentials(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the process of a statement finds in its surroundings, asked by a program that takes its place."""
        (tmp_path / "prying.py").write_text(
            "import json, os, sys\nsys.stdin.read()\nsys.stdout.write(json.dumps({'failure': ' '.join(os.environ)}))"
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(engine, "_MODULE", "prying")
        with pytest.raises(QueryRefused) as refused:
            Engine().carry_out("SELECT 1", "account", [], tmp_path / "result", lambda: True)
        assert set(refused.value.message.split()) <= {"LD_LIBRARY_PATH", "LC_CTYPE"}

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM read_text('/etc/passwd')",
            "SELECT * FROM '/etc/passwd'",
            "COPY (SELECT 1) TO '/tmp/tollgate-out'",
            "ATTACH '/tmp/tollgate.db' AS x",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SELECT * FROM duckdb_secrets()",
            "PRAGMA enable_profiling",
            "EXPORT DATABASE '/tmp/tollgate'",
        ],
    )
    def test_the_engine_is_locked_even_for_what_the_check_would_refuse(self, tmp_path: Path, sql: str) -> None:
        with pytest.raises(QueryRefused):
            InThisProcess().carry_out(sql, "account", [], tmp_path / "result", lambda: True)
        assert list(tmp_path.glob("tollgate*")) == []


class TestLimits:
    @pytest.mark.parametrize(
        ("sql", "seconds", "message"),
        [
            (_ENDLESS, 1, "seconds"),
            (f"select count(*) from transaction, {_MANY} b(x), {_MANY} c(x) where c.x % 7 = b.x % 11", 1, ""),  # noqa: S608 -- a bomb
            (_DOUBLING, 30, ""),
            ("select x from unnest(sequence(1, 100000)) as t(x)", 30, "rows"),
        ],
    )  # fmt: skip
    def test_bombs_end_and_harm_nobody(self, analyst: Analyst, sql: str, seconds: int, message: str) -> None:
        table = _table()
        small = Limits(rows=1000, bytes=100_000, seconds=seconds, memory_megabytes=100, address_bytes=1_500_000_000)
        execution = Execution(QueryRepository(table), AccountObjects(table), worker._execution._results, Engine(small))
        token = analyst.submit(sql)
        outcome = execution.carry_out(Order(analyst.merchant.account_id, token))
        assert outcome is not None
        assert outcome.failure
        assert message in outcome.failure
        assert analyst.status(token)["status"] == "FAILED"

    def test_reading_ends_when_it_takes_too_long_or_nobody_wants_it(
        self, analyst: Analyst, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("payments.analytics.service.execution._LOOKS_EVERY", 1)
        with monkeypatch.context() as patch:
            patch.setattr("payments.analytics.service.execution.MOST_READING_SECONDS", -1)
            assert "seconds" in analyst.refused("select * from transaction")
        token = analyst.submit("select * from transaction")
        read = AccountObjects.of

        def cancelled_meanwhile(objects: AccountObjects, *asked: Any) -> Any:
            assert analyst.call("DELETE", f"/queryToken/{token}").status == 204
            return read(objects, *asked)

        monkeypatch.setattr(AccountObjects, "of", cancelled_meanwhile)
        assert analyst.work() == []
        assert analyst.status(token)["status"] == "CANCELLED"

    def test_no_more_is_read_than_may_be(self, analyst: Analyst) -> None:
        table = _table()
        execution = Execution(QueryRepository(table), AccountObjects(table), worker._execution._results, Engine(), 400)
        outcome = execution.carry_out(Order(analyst.merchant.account_id, analyst.submit("select * from transaction")))
        assert outcome is not None
        assert "bytes" in outcome.failure


def _await_attempt(account: int, token: str) -> None:
    """Wait until a worker has begun with a query."""
    deadline = time.monotonic() + 30
    while (query := QueryRepository(_table()).find(account, token)) is None or query.attempts == 0:
        assert time.monotonic() < deadline


def _table() -> Table:
    return Table(variables()["PAYMENTS_TABLE"], aws.dynamodb())
