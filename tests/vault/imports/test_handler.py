"""The import resource over HTTP: shapes of the reference, every refusal, tenancy, the simulated import as a whole."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.http import send
from tests.vault.imports.driving import BUCKET, REASONS, Importer
from vault.imports.clients.sources import SimulatedSource
from vault.imports.handler import handler

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ABSENT = "00000000-0000-4000-8000-000000000000"


class TestCreate:
    def test_answers_the_import_of_the_reference(self, importer: Importer) -> None:
        answer = importer.post(api_key="sk_test_abcdef")
        made = answer.json
        assert answer.status == 200
        assert UUID4.fullmatch(made["id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", made["created_at"])
        rest = {name: value for name, value in made.items() if name not in ("id", "created_at")}
        assert rest == {
            "provider": "stripe",
            "status": "preparing",
            "stripe": {"api_key": "[REDACTED]"},
            "attemts": 0,
            "successes": 0,
            "failures": 0,
            "progress": {"source": "simulator", "total": None, "rate_per_second": 0, "seconds_left": None},
        }

    @pytest.mark.parametrize(
        ("body", "paths"),
        [
            ({}, ["$.provider", "$.stripe"]),
            ({"provider": "stripe"}, ["$.stripe"]),
            ({"provider": "stripe", "stripe": None}, ["$.stripe"]),
            ({"provider": "stripe", "stripe": []}, ["$.stripe"]),
            ({"provider": "adyen", "stripe": {"api_key": "sk_test_a"}}, ["$.provider"]),
            ({"provider": "Stripe", "stripe": {}}, ["$.provider", "$.stripe.api_key"]),
            ({"provider": "stripe", "stripe": {}}, ["$.stripe.api_key"]),
            ({"provider": "stripe", "stripe": {"api_key": 1}}, ["$.stripe.api_key"]),
            ({"provider": "stripe", "stripe": {"api_key": ""}}, ["$.stripe.api_key"]),
            ({"provider": "stripe", "stripe": {"api_key": "pk_test_secret"}}, ["$.stripe.api_key"]),
            ({"provider": "stripe", "stripe": {"api_key": "sk_test_a b"}}, ["$.stripe.api_key"]),
            ({"provider": "stripe", "stripe": {"api_key": "sk_" + "a" * 251}}, ["$.stripe.api_key"]),
            ({"provider": "stripe", "stripe": {"source": "ftp"}}, ["$.stripe.source"]),
            ([], ["$"]),
        ],
    )
    def test_refuses_with_the_path_and_no_value(self, importer: Importer, body: Any, paths: list[str]) -> None:
        answer = importer.merchant.send("POST", "/tokens/imports", json_body=body)
        assert (answer.status, answer.paths()) == (422, paths)
        assert b"pk_test_secret" not in answer.body

    def test_is_refused_while_another_is_under_way_and_free_after_it(
        self, importer: Importer, stranger: Importer
    ) -> None:
        first = importer.begin()
        assert importer.post(api_key="sk_test_b").status == 422
        stranger.begin()
        importer.work()
        assert importer.read(first)["status"] == "finished"
        second = importer.begin()
        importer.abort(second)
        importer.begin()

    def test_is_made_once_for_an_idempotency_key(self, importer: Importer) -> None:
        body = {"provider": "stripe", "stripe": {"api_key": "sk_test_a"}}
        first, again = (
            importer.merchant.send("POST", "/tokens/imports", json_body=body, headers={"x-idempotency-key": "k"})
            for _ in range(2)
        )
        assert (first.status, again.status, first.body) == (200, 200, again.body)
        assert again.headers["x-idempotency-replayed"] == "true"
        assert len(importer.messages()) == 1

    def test_stands_when_the_queue_is_out_of_reach(self, importer: Importer, held_clock: Any) -> None:
        importer.sqs.refuse = {"0"}
        import_id = importer.begin()
        assert importer.messages() == []
        held_clock.advance(minutes=3)
        assert importer.resume()["resumed"] >= 1
        importer.work()
        assert importer.read(import_id)["status"] == "finished"


class TestCredentials:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/tokens/imports"),
            ("GET", f"/tokens/imports/{ABSENT}"),
            ("POST", f"/tokens/imports/{ABSENT}/abort"),
            ("GET", f"/tokens/imports/{ABSENT}/failures"),
        ],
    )
    def test_are_required(self, method: str, path: str) -> None:
        assert send(handler, method, path).status == 401
        assert send(handler, method, path, headers={"x-api-key": "tg_sbx_0000000000000000_" + "A" * 43}).status == 401

    def test_methods_of_each_path(self, importer: Importer) -> None:
        for path, allowed in (
            ("/tokens/imports", "POST"),
            (f"/tokens/imports/{ABSENT}", "GET"),
            (f"/tokens/imports/{ABSENT}/abort", "POST"),
            (f"/tokens/imports/{ABSENT}/failures", "GET"),
        ):
            answer = importer.merchant.send("DELETE", path)
            assert (answer.status, answer.headers["allow"]) == (405, allowed)


class TestUnknown:
    @pytest.mark.parametrize("id_", [ABSENT, "1", "%00", "x" * 3000, "session"])
    def test_import_is_a_validation_error_everywhere(self, importer: Importer, id_: str) -> None:
        for method, suffix in (("GET", ""), ("POST", "/abort"), ("GET", "/failures")):
            answer = importer.merchant.send(method, f"/tokens/imports/{id_}{suffix}")
            assert (answer.status, answer.paths()) == (422, ["path.id"])

    def test_import_of_another_account_looks_the_same(self, importer: Importer, stranger: Importer) -> None:
        import_id = importer.begin()
        for method, suffix in (("GET", ""), ("POST", "/abort"), ("GET", "/failures")):
            foreign = stranger.merchant.send(method, f"/tokens/imports/{import_id}{suffix}")
            absent = stranger.merchant.send(method, f"/tokens/imports/{ABSENT}{suffix}")
            assert (foreign.status, foreign.body) == (422, absent.body)
        assert importer.read(import_id)["status"] == "preparing"

    def test_import_is_found_by_an_id_in_upper_case(self, importer: Importer) -> None:
        import_id = importer.begin()
        assert importer.read(import_id.upper())["id"] == import_id


class TestSimulatedImport:
    def test_shows_every_outcome(self, importer: Importer) -> None:
        import_id = importer.begin()
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["attemts"], done["successes"], done["failures"]) == ("finished", 15, 7, 8)
        assert done["finished_at"] >= done["created_at"]
        assert (done["progress"]["total"], done["progress"]["seconds_left"]) == (15, None)
        failures = importer.failures(import_id)
        assert {each["reason"] for each in failures["data"]} == REASONS
        assert failures["total_items"] == failures["pagination"]["total_items"] == 8
        assert sorted(each["scheme"] for each in importer.tokens()) == sorted(
            ["VISA", "Mastercard", "American Express", "Discover", "Diners Club", "JCB", "UnionPay"]
        )

    def test_failures_name_the_row_and_nothing_of_the_card(self, importer: Importer) -> None:
        import_id = importer.begin()
        importer.work()
        answer = importer.merchant.send("GET", f"/tokens/imports/{import_id}/failures")
        by_reason = {each["reason"]: each["context"] for each in answer.json["data"]}
        assert by_reason["expired_card"] == {
            "business_key": "pm_simulated_expired", "row": 10, "message": "expiry_year is in the past",
        }  # fmt: skip
        assert by_reason["invalid_card_data"]["message"] == "account_number is not a valid card number"
        assert b"4242" not in answer.body

    def test_failures_come_in_pages(self, importer: Importer) -> None:
        import_id = importer.begin()
        importer.work()
        whole = importer.failures(import_id)["data"]
        pages = [importer.failures(import_id, f"limit=3&page={page}")["data"] for page in (1, 2, 3)]
        assert [len(page) for page in pages] == [3, 3, 2]
        assert [row for page in pages for row in page] == whole
        assert importer.failures(import_id, "page=9")["data"] == []

    @pytest.mark.parametrize("query", ["limit=0", "limit=501", "page=0", "page=x", "limit="])
    def test_failures_refuse_nonsense(self, importer: Importer, query: str) -> None:
        answer = importer.merchant.send("GET", f"/tokens/imports/{importer.begin()}/failures?{query}")
        assert (answer.status, answer.paths()) == (422, [f"query.{query.partition('=')[0]}"])

    def test_tokens_carry_their_origin(self, importer: Importer) -> None:
        importer.begin()
        importer.work()
        assert importer.tokens_of("pm_simulated_visa") == 1

    def test_a_second_import_doubles_nothing(self, importer: Importer) -> None:
        importer.begin()
        importer.work()
        again = importer.begin()
        importer.work()
        assert (importer.read(again)["successes"], importer.read(again)["failures"]) == (0, 15)
        assert len(importer.tokens()) == 7

    def test_what_was_deleted_is_imported_anew(self, importer: Importer) -> None:
        from vault.tokens import handler as tokens

        importer.begin()
        importer.work()
        gone = (
            importer.merchant.at(tokens.handler).send("GET", "/tokens?business_key=pm_simulated_visa").json["data"][0]
        )
        importer.merchant.at(tokens.handler).send("DELETE", f"/tokens/{gone['id']}")
        again = importer.begin()
        importer.work()
        assert importer.read(again)["successes"] == 1
        assert importer.tokens_of("pm_simulated_visa") == 1

    def test_a_refused_key_ends_the_job_and_says_so(self, importer: Importer) -> None:
        import_id = importer.begin("sk_test_refused")
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], done["failures"]) == ("aborted", 0, 1)
        (failure,) = importer.failures(import_id)["data"]
        assert failure["reason"] == "source_error"
        assert failure["context"]["message"] == "The API key was refused"

    def test_leaves_no_object_behind(self, importer: Importer) -> None:
        import_id = importer.begin("sk_test_simulate_110")
        importer.work(2)
        assert importer.s3.keys(BUCKET, f"{importer.account_id}/{import_id}/")
        importer.work()
        assert importer.read(import_id)["status"] == "finished"
        assert importer.s3.keys(BUCKET, f"{importer.account_id}/") == []


class TestProgress:
    def test_tells_rate_and_time_left(
        self, importer: Importer, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SimulatedSource, "rows_per_chunk", 20)
        import_id = importer.begin("sk_test_simulate_60")
        importer.work(1)
        running = importer.read(import_id)
        assert (running["status"], running["progress"]["total"], running["attemts"]) == ("running", 60, 0)
        held_clock.advance(seconds=2)
        importer.work(1)
        running = importer.read(import_id)
        assert (running["attemts"], running["progress"]["rate_per_second"]) == (20, 10)
        assert running["progress"]["seconds_left"] == 4
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["progress"]["seconds_left"]) == ("finished", None)
        held_clock.advance(days=1)
        assert importer.read(import_id) == done


class TestAbort:
    def test_works_while_preparing(self, importer: Importer) -> None:
        import_id = importer.begin()
        answer = importer.abort(import_id)
        assert (answer.status, answer.json["status"]) == (200, "aborted")
        assert answer.json["finished_at"] == importer.read(import_id)["finished_at"]
        importer.work()
        assert (importer.read(import_id)["attemts"], importer.tokens()) == (0, [])

    def test_works_while_running_and_keeps_what_was_imported(
        self, importer: Importer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SimulatedSource, "rows_per_chunk", 20)
        import_id = importer.begin("sk_test_simulate_50")
        importer.work(2)
        assert importer.abort(import_id).json["successes"] == 20
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], len(importer.tokens())) == ("aborted", 20, 20)
        assert importer.s3.keys(BUCKET, f"{importer.account_id}/") == []

    def test_takes_effect_between_two_transactions_of_a_chunk(
        self, importer: Importer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An abort that comes while a worker is busy ends the work at its next write."""
        import_id = importer.begin("sk_test_simulate_40")
        importer.work(1)
        fetch, count = SimulatedSource.fetch, 0

        def fetch_and_abort(self: SimulatedSource, entry: Any) -> Any:
            nonlocal count
            count += 1
            if count == 20:
                assert importer.abort(import_id).status == 200
            return fetch(self, entry)

        monkeypatch.setattr(SimulatedSource, "fetch", fetch_and_abort)
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], len(importer.tokens())) == ("aborted", 14, 14)

    def test_is_refused_when_finished_or_aborted(self, importer: Importer) -> None:
        finished = importer.begin()
        importer.work()
        aborted = importer.begin()
        importer.abort(aborted)
        for import_id, status in ((finished, "finished"), (aborted, "aborted")):
            answer = importer.abort(import_id)
            assert (answer.status, answer.json["classifier"]) == (422, "VALIDATION_ERROR")
            assert importer.read(import_id)["status"] == status
