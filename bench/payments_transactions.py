"""Payments: what creating, paying and completing a transaction costs: own CPU, and calls of the store.

Requests go through the door in this process; the card zone runs in threads of its own, as it does in functions of its
own, so that its work is not counted here. Calls of the sandbox's clock are not counted, since there is none elsewhere.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench import report
from tests.support import environment, tables

WARM_UP, ROUNDS = 20, 150
_READS = frozenset({"GetItem", "BatchGetItem", "Query"})
_LINES = [
    {"uniqueId": f"line-{n}", "name": "Shirt", "type": "PRODUCT", "quantity": 2, "amountIncludingTax": 49.9,
     "taxes": [{"rate": 8.1, "title": "VAT"}]}
    for n in range(3)
]  # fmt: skip
_CARD = {"cardData": {"primaryAccountNumber": "4111111111111111", "expiryDate": "2040-12"}}


def run() -> list[report.Table]:
    with tables.running() as url:
        sys.path[:0] = [str(environment.ROOT / "functions"), str(environment.ROOT / "layers/shared/python")]
        environment.set_up(url)
        os.environ["LOG_LEVEL"] = "ERROR"
        tables.create_all(url, streams=False)
        return [_Till().measured()]


class _Till:
    """A shop whose transactions are measured."""

    def __init__(self) -> None:
        from tests.support.functions import FakeLambda
        from tests.support.keys import FakeKms
        from tollgate import aws

        kms, functions = FakeKms(), FakeLambda(environment.DEPLOYMENT)
        aws.kms = lambda: kms  # type: ignore[assignment]
        aws.lambda_ = lambda: functions  # type: ignore[assignment]
        from control.provisioning.handler import handler as provisioning
        from payments.gateway.handler import handler
        from tests.support.payments import merchant_of

        with contextlib.redirect_stdout(io.StringIO()):
            account = provisioning({"action": "create_account", "name": "bench"}, object())
        self._merchant = merchant_of(account, handler)
        self._client = aws.dynamodb()
        self._calls: list[str] = []

    def measured(self) -> report.Table:
        figures: dict[str, list[tuple[float, float, Counter[str]]]] = {}
        gc.disable()
        for n in range(WARM_UP + ROUNDS):
            for name, figure in self._life():
                if n >= WARM_UP:
                    figures.setdefault(name, []).append(figure)
        gc.enable()
        rows = []
        for name, found in figures.items():
            calls = [each[2] for each in found]
            rows.append(
                [
                    name, report.spread([each[0] for each in found]), report.ms([each[1] for each in found]),
                    *(f"{statistics.median(each[kind] for each in calls):g}" for kind in ("reads", "writes", "zone")),
                ]
            )  # fmt: skip
        return report.Table(
            "Payments: the life of a transaction",
            "Three lines, one card. Own CPU in milliseconds, median / 95th percentile; time in milliseconds, median, "
            "the card zone included; round trips to the payments table and invocations of the card zone, median.",
            ["what", "own CPU", "time", "reads", "writes", "invocations"], rows,
        )  # fmt: skip

    def _life(self) -> Iterator[tuple[str, tuple[float, float, Counter[str]]]]:
        body = {"currency": "EUR", "lineItems": _LINES, "completionBehavior": "COMPLETE_DEFERRED"}
        figure, made = self._timed("POST", "/payment/transactions", body)
        yield "create", figure
        path = f"/payment/transactions/{made['id']}"
        yield "read", self._timed("GET", path)[0]
        figure, paid = self._timed("POST", f"{path}/process-card-details", _CARD)
        assert paid["state"] == "AUTHORIZED", paid
        yield "process a card", figure
        figure, done = self._timed("POST", f"{path}/complete-online")
        assert done["state"] == "SUCCESSFUL", done
        yield "complete", figure
        refund = {"externalId": str(made["id"]), "transaction": made["id"], "type": "MERCHANT_INITIATED_ONLINE"}
        figure, back = self._timed("POST", "/payment/refunds", refund)
        assert back["state"] == "SUCCESSFUL", back
        yield "refund", figure

    def _timed(self, method: str, path: str, body: Any = None) -> tuple[tuple[float, float, Counter[str]], Any]:
        with contextlib.redirect_stdout(io.StringIO()), self._counted() as calls:
            started, cpu = time.perf_counter(), time.thread_time()
            answer = self._merchant.call(None, method, path, body)
            seconds, own = time.perf_counter() - started, time.thread_time() - cpu
        assert answer.status < 300, answer.body
        return (own, seconds, calls), json.loads(answer.body)

    @contextmanager
    def _counted(self) -> Iterator[Counter[str]]:
        """Counts the calls that this thread makes of the payments table, and invocations."""
        import threading

        from tollgate import aws

        counts: Counter[str] = Counter()
        mine, sandbox = threading.get_ident(), os.environ["SANDBOX_TABLE"]

        def note(params: dict[str, Any], model: Any, **_: Any) -> None:
            if threading.get_ident() == mine and sandbox not in str(params.get("TableName", "")):
                counts["reads" if model.name in _READS else "writes"] += 1

        functions: Any = aws.lambda_()
        before = len(functions.invoked)
        self._client.meta.events.register("before-parameter-build.dynamodb", note)
        try:
            yield counts
        finally:
            self._client.meta.events.unregister("before-parameter-build.dynamodb", note)
            counts["zone"] = len(functions.invoked) - before
