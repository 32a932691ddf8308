"""Tokens: requests against the bare calls they make, pages against the size of the list, round trips, price."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import pickle
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report
from bench.worker import Driver
from tests.support import environment, tables
from tests.support.http import event

CARD = {
    "cardholder_name": "John Doe", "expiry_month": 4, "expiry_year": 2033,
    "account_number": "4242424242424242", "security_code": "123",
}  # fmt: skip
WARM_UP, CALLS, SLICES, PAGE_CALLS = 60, 400, 8, 150
SIZES = (1_000, 10_000, 100_000)
READ, IMPORT = "GET /tokens/{id}", "POST /cde-import"


class Bench:
    """A database in memory with an account, and what its calls look like on the wire."""

    def __init__(self, url: str) -> None:
        sys.path[:0] = [str(environment.ROOT / "functions"), str(environment.ROOT / "layers/shared/python")]
        environment.set_up(url)
        os.environ["SANDBOX_TABLE"] = ""  # as in production, where there is no sandbox clock to read
        os.environ["LOG_LEVEL"] = "ERROR"  # here; the workers log as deployed
        tables.create_all(url, streams=False)  # the database in memory slows with every stream record it keeps
        from tests.support.keys import FakeKms
        from tollgate import aws

        fake = FakeKms()
        aws.kms = lambda: fake  # type: ignore[assignment]
        from control.provisioning.handler import handler as provisioning
        from vault.tokens.handler import handler

        self.handler = handler
        self._provisioning = provisioning
        self.headers = {"x-api-key": self.provision()["vault"]["api_key"], "content-type": "application/json"}
        self.client = aws.dynamodb()

    def provision(self) -> dict[str, Any]:
        """A new account with its secrets."""
        return self._provisioning({"action": "create_account", "name": "bench"}, object())

    def import_event(self) -> dict[str, Any]:
        return event("POST", "/cde-import", headers=self.headers, body=json.dumps(CARD))

    def get(self, target: str) -> dict[str, Any]:
        return event("GET", target, headers=self.headers)

    def call(self, request: Mapping[str, Any]) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            answer = self.handler(request, object())
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])

    @contextmanager
    def recording(self) -> Iterator[dict[str, Any]]:
        """Notes the parameters and the consumed capacity of every DynamoDB call made inside."""
        noted: dict[str, Any] = {"calls": [], "read": 0.0, "write": 0.0}

        def before(params: dict[str, Any], model: Any, **_: Any) -> None:
            noted["calls"].append(model.name)
            noted[_snake(model.name)] = dict(params)
            params["ReturnConsumedCapacity"] = "TOTAL"

        def after(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            consumed = parsed.get("ConsumedCapacity", [])
            for each in consumed if isinstance(consumed, list) else [consumed]:
                kind = "read" if model.name in ("GetItem", "Query", "BatchGetItem") else "write"
                noted[kind] += each["CapacityUnits"]

        events = self.client.meta.events
        events.register("before-parameter-build.dynamodb", before)
        events.register("after-call.dynamodb", after)
        try:
            yield noted
        finally:
            events.unregister("before-parameter-build.dynamodb", before)
            events.unregister("after-call.dynamodb", after)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


async def _paired(bench: Bench, recorded: Path, token_id: str) -> dict[str, dict[str, list[float]]]:
    """Wall and CPU seconds of both operations and of their bare calls, taken in turns within one run."""
    variables = {"BENCH_RECORDED": str(recorded), "LOG_LEVEL": "INFO"}
    subjects: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        READ: ("bench.subject.tokens", lambda: bench.get(f"/tokens/{token_id}")),
        f"{READ}, bare": ("bench.subject.bare_read", dict[str, Any]),
        IMPORT: ("bench.subject.tokens", bench.import_event),
        f"{IMPORT}, bare": ("bench.subject.bare_import", dict[str, Any]),
    }
    figures: dict[str, dict[str, list[float]]] = {name: {"wall": [], "cpu": []} for name in subjects}
    drivers = {name: Driver(handler, variables, built="bare" not in name) for name, (handler, _) in subjects.items()}
    async with asyncio.TaskGroup() as group:
        for driver in drivers.values():
            group.create_task(driver.__aenter__())
    try:
        for name, (_, make) in subjects.items():
            for _ in range(WARM_UP):
                await drivers[name].call(make())
        for _ in range(SLICES):
            for name, (_, make) in subjects.items():
                for _ in range(CALLS // SLICES):
                    seconds, answer = await drivers[name].call(make())
                    figures[name]["wall"].append(seconds)
                    figures[name]["cpu"].append(answer["cpu_ns"] / 1e9)
    finally:
        for driver in drivers.values():
            await driver.__aexit__()
    return figures


def requests(bench: Bench) -> report.Table:
    """Own time per request and its ratio to the bare calls."""
    bench.call(bench.import_event())
    with bench.recording() as importing:
        token_id = bench.call(bench.import_event())["id"]
    with bench.recording() as reading:
        bench.call(bench.get(f"/tokens/{token_id}"))
    recorded = Path(tempfile.mkdtemp()) / "recorded"
    recorded.write_bytes(pickle.dumps({
        "get_item": reading["get_item"], "update_item": importing["update_item"],
        "transact_write_items": importing["transact_write_items"],
    }))  # fmt: skip
    figures = asyncio.run(_paired(bench, recorded, token_id))
    rows = []
    for name in (READ, IMPORT):
        own, bare = figures[name], figures[f"{name}, bare"]
        ratio = statistics.median(own["wall"]) / statistics.median(bare["wall"])
        rows.append([name, report.spread(own["wall"]), report.spread(bare["wall"]), f"**{ratio:.2f}**",
                     report.ms(own["cpu"]), report.ms(bare["cpu"])])  # fmt: skip
    return report.Table(
        "Requests against the bare calls they make",
        "Handlers of the built artifact under the Lambda runtime client, DynamoDB over HTTP in memory; the bare one "
        f"makes the same boto3 calls and nothing else. {CALLS} calls each, in turns; milliseconds, median / 95th "
        "percentile. Aims: reading within 1.6 times, CPU under 3 ms.",
        ["operation", "ours", "bare", "ratio", "CPU, ours", "CPU, bare"], rows,
    )  # fmt: skip


TARGETS = {
    "first page": "/tokens",
    "page 500": "/tokens?limit=2&page=500",
    "first page of a scheme": "/tokens?scheme=visa",
    "a day": "/tokens?from=2020-01-01",
}


def pages(bench: Bench) -> report.Table:
    """The cost of a page at three sizes of the list, taken in turns."""
    owners = {size: _account_with(bench, size) for size in SIZES}
    figures: dict[tuple[str, int], list[float]] = {(name, size): [] for name in TARGETS for size in SIZES}
    units: dict[tuple[str, int], tuple[int, float]] = {}
    for _ in range(PAGE_CALLS):
        for (name, size), seconds in figures.items():
            request = event("GET", TARGETS[name], headers=owners[size])
            with bench.recording() as noted, contextlib.redirect_stdout(io.StringIO()):
                before = time.process_time()
                answer = bench.handler(request, object())
                seconds.append(time.process_time() - before)
            assert json.loads(answer["body"])["data"]
            units[name, size] = (len(noted["calls"]), noted["read"])
    rows = []
    for name in TARGETS:
        medians = [statistics.median(figures[name, size][PAGE_CALLS // 10 :]) for size in SIZES]
        trips, read = zip(*(units[name, size] for size in SIZES), strict=True)
        rows.append(
            [
                name,
                *(f"{median * 1000:.2f}" for median in medians),
                f"**{medians[-1] / medians[0]:.2f}**",
                " / ".join(map(str, trips)),
                " / ".join(f"{each:g}" for each in read),
            ]
        )
    return report.Table(
        "Lists against the size of the account",
        "`GET /tokens` with totals, for accounts with 1,000, 10,000 and 100,000 tokens; median CPU milliseconds of the "
        "whole request, taken in turns. Aim: at 100,000 within 1.2 times of 1,000.",
        ["page", *(f"{size:,}" for size in SIZES), "ratio", "round trips", "read units"],
        rows,
    )


def _account_with(bench: Bench, size: int) -> dict[str, str]:
    """A new account with so many tokens of three schemes; answers its headers."""
    from tollgate import config
    from vault.cards import read_card
    from vault.tokens.public import BATCH, NewCard, TokenSettings, tokens_of

    account = bench.provision()
    service = tokens_of(config.load(TokenSettings))
    numbers = ("4242424242424242", "5555555555554444", "378282246310005")
    members = [{**CARD, "account_number": number, "security_code": None} for number in numbers]
    cards = [NewCard(read_card(each, datetime.now(UTC))) for each in members]
    for start in range(0, size, BATCH):
        count = min(BATCH, size - start)
        service.tokenise_batch(account["id"], [cards[(start + n) % 3] for n in range(count)])
    return {"x-api-key": account["vault"]["api_key"]}


# Published prices in USD: HTTP API, write and read units (on demand) per million; arm64 Lambda per GB-second.
HTTP_API, WRITE, READ_UNIT, GB_SECOND = 1.00, 0.625, 0.125, 0.0000133334
ASSUMED_SECONDS, MEMORY_GB, INVOCATION = 0.015, 1.0, 0.20


def price(bench: Bench) -> report.Table:
    """Round trips and capacity units of every route, and the price of a million requests."""
    token_id = bench.call(bench.import_event())["id"]
    from tests.support.http import send
    from vault.merchants.handler import handler as merchants

    merchant = {"company_city": "Berlin", "country_code": "DE", "legal_name": "Example", "3ds_enabled": True,
                "website_url": "https://example.com"}  # fmt: skip

    def keyed() -> Any:
        return bench.call(
            {**bench.import_event(), "headers": {**bench.headers, "x-idempotency-key": str(uuid.uuid4())}}
        )

    def at_merchants(method: str, target: str, body: Any = None) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            answer = send(merchants, method, target, headers=bench.headers, json_body=body)
        assert answer.status in (200, 204), answer.body
        return answer.json if answer.body else None

    at_merchants("POST", "/merchants", merchant)
    second = at_merchants("POST", "/merchants", merchant)["id"]
    routes: dict[str, Callable[[], Any]] = {
        IMPORT: lambda: bench.call(bench.import_event()),
        f"{IMPORT} with an idempotency key": keyed,
        READ: lambda: bench.call(bench.get(f"/tokens/{token_id}")),
        "GET /tokens": lambda: bench.call(bench.get("/tokens")),
        "DELETE /tokens/{id}": lambda: bench.handler(
            event("DELETE", f"/tokens/{token_id}", headers=bench.headers), object()
        ),
        "POST /merchants": lambda: at_merchants("POST", "/merchants", merchant),
        "GET /merchants": lambda: at_merchants("GET", "/merchants"),
        "GET /merchants/{id}": lambda: at_merchants("GET", f"/merchants/{second}"),
        "PATCH /merchants/{id}": lambda: at_merchants("PATCH", f"/merchants/{second}", {"company_city": "Bonn"}),
        "DELETE /merchants/{id}": lambda: at_merchants("DELETE", f"/merchants/{second}"),
    }
    rows = []
    for name, call in routes.items():
        with bench.recording() as noted:
            call()
        fixed = HTTP_API + INVOCATION + ASSUMED_SECONDS * MEMORY_GB * GB_SECOND * 1e6
        data = noted["write"] * WRITE + noted["read"] * READ_UNIT
        rows.append(
            [name, str(len(noted["calls"])), f"{noted['write']:g}", f"{noted['read']:g}", f"{fixed + data:.2f}"]
        )
    return report.Table(
        "Round trips, capacity and the price of a million requests",
        "Warm (credential and data keys cached). Price in USD from published on-demand prices: HTTP API, an invocation "
        f"of {ASSUMED_SECONDS * 1000:.0f} ms at 1 GB on arm64, DynamoDB units.",
        ["operation", "DynamoDB round trips", "write units", "read units", "USD per million"],
        rows,
    )


def run() -> list[report.Table]:
    with tables.running() as url:
        bench = Bench(url)
        return [requests(bench), price(bench), pages(bench)]
