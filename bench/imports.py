"""Imports: cards per second of a worker, what a second worker adds, round trips per card, reading of export files."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import report
from bench.import_subject import BARE_TRANSACTIONS, stand_in
from bench.worker import Driver
from tests.support import environment, tables
from tests.support.http import event

CARDS = 800
CHUNK_ROWS = 100
FILE_ROWS = 100_000
AIM_CALLS = 1.2


class Bench:
    """A database in memory, the API of imports in this process, its queue in our hands."""

    def __init__(self, url: str, folder: Path) -> None:
        sys.path[:0] = [str(environment.ROOT / "functions"), str(environment.ROOT / "layers/shared/python")]
        environment.set_up(url)
        os.environ.update(SANDBOX_TABLE="", LOG_LEVEL="ERROR", BENCH_OBJECTS=str(folder))
        tables.create_all(url)
        self.sqs = stand_in(folder)
        from control.provisioning.handler import handler as provisioning
        from vault.imports.handler import handler
        from vault.imports.worker import handler as worker

        self._provisioning, self._api, self._worker = provisioning, handler, worker

    def chunks_of_a_new_import(self) -> tuple[dict[str, str], str, list[str]]:
        """An import of a new account, listed: (the caller's headers, its id, the messages that wait)."""
        with contextlib.redirect_stdout(io.StringIO()):
            account = self._provisioning({"action": "create_account", "name": "bench"}, object())
            headers = {"x-api-key": account["vault"]["api_key"], "content-type": "application/json"}
            body = {"provider": "stripe", "stripe": {"api_key": f"sk_test_simulate_{CARDS}"}}
            made = self.call(event("POST", "/tokens/imports", headers=headers, body=json.dumps(body)))
            self._worker(batch(self.take()), object())
            return headers, made["id"], self.take()

    def take(self) -> list[str]:
        waiting = [body for bodies in self.sqs.sent.values() for body in bodies]
        self.sqs.sent.clear()
        return waiting

    def call(self, request: dict[str, Any]) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            answer = self._api(request, object())
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])


def batch(bodies: list[str]) -> dict[str, Any]:
    return {"Records": [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]}


@dataclass(frozen=True)
class Measured:
    """What some workers did: seconds on the wall and of their own CPU, calls, refused calls."""

    seconds: float
    cpu_seconds: float
    calls: int
    refused: int


async def _work(chunks: list[str], count: int) -> Measured:
    """Let `count` workers go through the chunks."""
    async with _drivers("bench.import_subject.steps", count) as drivers:
        for driver in drivers:  # one chunk each to warm up: keys unwrapped, connections open
            await driver.call(batch([chunks.pop()]))
        noted: list[dict[str, Any]] = []

        async def work(driver: Driver) -> None:
            while chunks:
                noted.append((await driver.call(batch([chunks.pop()])))[1])

        started = time.perf_counter()
        await asyncio.gather(*(work(driver) for driver in drivers))
        seconds = time.perf_counter() - started
    assert all(each["batchItemFailures"] == [] for each in noted)
    cpu, calls, refused = (sum(each[name] for each in noted) for name in ("cpu_ns", "calls", "refused"))
    return Measured(seconds, cpu / 1e9, calls, refused)


async def _bare(count: int) -> float:
    """Bare transactions per second of `count` writers."""
    async with _drivers("bench.import_subject.bare", count) as drivers:
        await asyncio.gather(*(driver.call({}) for driver in drivers))
        started = time.perf_counter()
        await asyncio.gather(*(driver.call({}) for driver in drivers for _ in range(2)))
        return 2 * count * BARE_TRANSACTIONS / (time.perf_counter() - started)


@asynccontextmanager
async def _drivers(handler: str, count: int) -> AsyncIterator[list[Driver]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Driver(handler, dict(os.environ))) for _ in range(count)]


def workers(bench: Bench) -> report.Table:
    """The same import with one worker and with two, and bare writes beside it."""
    rows, alone, bare_alone = [], 0.0, 0.0
    for count in (1, 2):
        headers, import_id, chunks = bench.chunks_of_a_new_import()
        cards = (len(chunks) - count) * CHUNK_ROWS
        found = asyncio.run(_work(chunks, count))
        done = bench.call(event("GET", f"/tokens/imports/{import_id}", headers=headers))
        assert (done["status"], done["successes"], done["attemts"]) == ("finished", CARDS, CARDS), done
        rate, bare = cards / found.seconds, asyncio.run(_bare(count))
        alone, bare_alone = alone or rate, bare_alone or bare
        rows.append(
            [str(count), f"{rate:.0f}", f"{cards / found.cpu_seconds:.0f}", f"**{rate / alone:.2f}**",
             f"{bare / bare_alone:.2f}", f"**{found.calls / cards:.2f}**"]
        )  # fmt: skip
    return report.Table(
        "Imports",
        f"{CARDS} cards of one account, {CHUNK_ROWS} to a message, fourteen to a transaction; every outcome counted. "
        "The local database takes one write at a time and is what limits the rate; what a worker could do for all of "
        "its own work is the rate per second of its CPU, and the growth is to be held against that of bare "
        f"transactions of the same size by as many writers. Aim for the calls per card: {AIM_CALLS}.",
        ["workers", "cards per second", "per CPU second", "growth", "bare growth", "DynamoDB calls per card"], rows,
    )  # fmt: skip


def file() -> report.Table:
    """Decrypting and reading an export file."""
    from pysequoia import CipherSuite, Tsk, encrypt

    from vault.imports.clients import openpgp
    from vault.imports.clients.export_file import ExportFile
    from vault.imports.clients.sources import numbered_pan

    key = Tsk.generate("bench", cipher_suite=CipherSuite.Cv25519)
    lines = (f"cus_{n},4,2040,card_{n},Jane Doe,{numbered_pan(n)}" for n in range(FILE_ROWS))
    text = "\n".join(["id,card.exp_month,card.exp_year,card.id,card.name,card.number", *lines]).encode()
    message = encrypt(text, [key.extract_certificate()], armor=False)
    source = ExportFile(lambda: openpgp.decrypted(iter([message]), bytes(key)))
    started = time.perf_counter()
    assert sum(len(listed.entries) for listed in source.listing(None)) == FILE_ROWS
    rate = FILE_ROWS / (time.perf_counter() - started)
    return report.Table(
        "Export files",
        f"A PCI export of {FILE_ROWS:,} cards, decrypted as a stream in a process of its own and read as CSV.",
        ["cards per second", "a million cards, seconds"], [[f"{rate:.0f}", f"{1_000_000 / rate:.0f}"]],
    )  # fmt: skip


@contextmanager
def _bench() -> Iterator[Bench]:
    with tables.running() as url, tempfile.TemporaryDirectory() as folder:
        yield Bench(url, Path(folder))


def run() -> list[report.Table]:
    with _bench() as bench:
        return [workers(bench), file()]
