"""Notifications: from announcement to first attempt, deliveries per second of one worker, round trips per delivery."""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench import report
from tests.support import environment, tables

BATCHES, BATCH = 40, 10


class _Receiver(BaseHTTPRequestHandler):
    """Answers 200 and remembers when it heard of which event."""

    heard: dict[str, float]

    def do_POST(self) -> None:
        self.heard.setdefault(self.headers["webhook-id"], time.perf_counter())
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


class Bench:
    """A database in memory, an account whose endpoint is in this process, and the worker's door."""

    def __init__(self, url: str, port: int) -> None:
        sys.path[:0] = [str(environment.ROOT / "functions"), str(environment.ROOT / "layers/shared/python")]
        environment.set_up(url)
        os.environ.update(SANDBOX_TABLE="", LOG_LEVEL="ERROR", SANDBOX_ALLOW_TARGETS=f"127.0.0.1:{port}")
        tables.create_all(url)
        from tests.support.keys import FakeKms
        from tollgate import aws

        fake = FakeKms()
        aws.kms = lambda: fake  # type: ignore[assignment]
        from control.notifications.worker import handler
        from control.provisioning.handler import handler as provisioning

        self.client, self._worker = aws.dynamodb(), handler
        hooks = f"http://127.0.0.1:{port}/hooks"
        with contextlib.redirect_stdout(io.StringIO()):
            made = provisioning({"action": "create_account", "name": "bench", "notification_url": hooks}, object())
        self.account_id = made["id"]

    def announce(self, count: int) -> dict[str, dict[str, str]]:
        """Event id → reference, of events that happened to as many tokens."""
        from tollgate import events
        from tollgate.store.table import Table
        from tollgate.store.transaction import Transaction

        table = Table(environment.DEPLOYMENT.tables["VaultTable"].name, self.client)
        found = {}
        for _ in range(count):
            transaction = Transaction(self.client)
            subject = f"t{time.perf_counter_ns()}"
            event = events.announce(
                transaction, table, account_id=self.account_id, event_type="token.created", subject=subject,
                payload={"token": {"id": subject, "masked_account_number": "424242******4242", "scheme": "VISA"}},
            )  # fmt: skip
            transaction.commit()
            found[event.id] = reference(table.name, subject, f"{event.created_at}#{event.id}")
        return found

    def deliver(self, references: list[dict[str, str]]) -> None:
        records = [{"messageId": str(n), "body": json.dumps(each)} for n, each in enumerate(references)]
        with contextlib.redirect_stdout(io.StringIO()):
            answer = self._worker({"Records": records}, object())
        assert answer == {"batchItemFailures": []}

    @contextmanager
    def counting(self) -> Iterator[dict[str, float]]:
        """Calls of DynamoDB and the write units they took."""
        noted: dict[str, float] = {"calls": 0, "write": 0}

        def before(params: dict[str, Any], **_: Any) -> None:
            noted["calls"] += 1
            params["ReturnConsumedCapacity"] = "TOTAL"

        def after(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            if model.name in {"TransactWriteItems", "UpdateItem", "PutItem", "DeleteItem"}:
                consumed = parsed.get("ConsumedCapacity", [])
                noted["write"] += sum(
                    each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed])
                )

        events = self.client.meta.events
        events.register("before-parameter-build.dynamodb", before)
        events.register("after-call.dynamodb", after)
        try:
            yield noted
        finally:
            events.unregister("before-parameter-build.dynamodb", before)
            events.unregister("after-call.dynamodb", after)


def reference(table: str, subject: str, sk: str) -> dict[str, str]:
    import zlib

    from tollgate import events

    return {"table": table, "pk": f"{events.PREFIX}{zlib.crc32(subject.encode()) % events.SHARDS:02d}", "sk": sk}


def deliveries(bench: Bench, heard: dict[str, float]) -> report.Table:
    """Batches of ten and single messages through one worker."""
    rows = []
    for size, batches in ((1, BATCHES), (BATCH, BATCHES)):
        bench.deliver(list(bench.announce(size).values()))  # warm: keys unwrapped, connections open
        announced = [bench.announce(size) for _ in range(batches)]
        waits: list[float] = []
        with bench.counting() as noted:
            started = time.perf_counter()
            for each in announced:
                handed = time.perf_counter()
                bench.deliver(list(each.values()))
                waits += [heard[event_id] - handed for event_id in each]
            seconds = time.perf_counter() - started
        count = size * batches
        rows.append(
            [
                str(size), report.spread(waits), f"{count / seconds:.0f}", f"{noted['calls'] / count:.1f}",
                f"{noted['write'] / count:.0f}",
            ]
        )  # fmt: skip
        assert statistics.median(waits) > 0
    return report.Table(
        "Notifications",
        "The worker's door in process, a receiver on loopback that answers 200 at once, DynamoDB over HTTP in memory. "
        "First attempt: from the message in hand to the receiver, milliseconds, median / 95th percentile; stream and "
        "queue come before that. Round trips and write units include recording, delivery log and counts.",
        ["messages per batch", "first attempt", "deliveries per second", "round trips per event", "write units"],
        rows,
    )


def run() -> list[report.Table]:
    heard: dict[str, float] = {}
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), type("Receiver", (_Receiver,), {"heard": heard}))
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        with tables.running() as url:
            return [deliveries(Bench(url, receiver.server_port), heard)]
    finally:
        receiver.shutdown()
        receiver.server_close()
