"""The pool with real worker processes of the sample's functions."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.processes import Child, Launcher, Register
from local.template import Deployment, Function, load
from local.workers import Ending, Outcome, PoolLimits, Workers

SAMPLE = load(Path(__file__).parent / "sample" / "template.yaml", {"Environment": "sandbox"})
Scenario = Callable[["Bench"], Awaitable[None]]


class Bench:
    """A pool over a throw-away folder, and what it wrote to the functions' logs."""

    def __init__(self, folder: Path, limits: PoolLimits) -> None:
        self.notes: list[str] = []
        self.started = 0
        self.launcher = Launcher(folder / "logs", Register(folder / "processes.json"))
        self.workers = Workers(self._start, lambda _f, _r, text: self.notes.append(text), limits)

    async def _start(self, function: Function, port: int) -> Child:
        self.started += 1
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, function.import_path)),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "_HANDLER": function.handler,
        }
        command = [sys.executable, "-m", "awslambdaric", function.handler]
        return await self.launcher.start(function.logical_id, command, environment, folder=function.code)

    async def mood(self, mood: str, deployment: Deployment = SAMPLE) -> Outcome:
        event = json.dumps({"pathParameters": {"mood": mood}}).encode()
        return await self.workers.invoke(deployment.functions["Moods"], event)

    async def process(self) -> int:
        return int(json.loads(json.loads((await self.mood("pid")).payload)["body"]))


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., None]:
    def run(scenario: Scenario, **limits: Any) -> None:
        async def live() -> None:
            made = Bench(tmp_path, PoolLimits(**limits))
            try:
                async with asyncio.timeout(30):
                    await scenario(made)
            finally:
                await made.workers.close()

        asyncio.run(live())

    return run


def is_gone(process: int) -> bool:
    try:
        return b"awslambdaric" not in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return True


async def until(condition: Callable[[], bool], within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.01)


def test_a_warm_process_is_used_again(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        first = await made.process()
        assert [await made.process() for _ in range(5)] == [first] * 5
        assert made.started == 1

    bench(scenario)


def test_an_exception_is_reported_and_leaves_the_process_alone(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        before = await made.process()
        outcome = await made.mood("raise")
        assert outcome.ending is Ending.RAISED
        assert json.loads(outcome.payload)["errorType"] == "ValueError"
        assert await made.process() == before
        assert '"errorType": "ValueError"' in made.launcher.log_path("Moods").read_text()

    bench(scenario)


def test_a_crash_is_reported_and_the_next_call_gets_a_new_process(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        before = await made.process()
        outcome = await made.mood("exit")
        assert outcome.ending is Ending.CRASHED
        assert json.loads(outcome.payload)["errorType"] == "Runtime.ExitError"
        assert await made.process() != before
        assert "exited with code 3" in made.notes[0]

    bench(scenario)


def test_a_call_over_its_time_is_killed(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        before = await made.process()
        started = time.monotonic()
        outcome = await made.mood("sleep")
        assert outcome.ending is Ending.TIMED_OUT
        assert 0.9 < time.monotonic() - started < 3
        await until(lambda: is_gone(before))
        assert made.notes == ["Task timed out after 1.00 seconds"]
        assert await made.process() != before

    bench(scenario)


def test_a_handler_that_cannot_be_imported_fails_each_call_once(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        for expected in (1, 2):
            outcome = await made.workers.invoke(SAMPLE.functions["Broken"], b"{}")
            assert outcome.ending is Ending.CRASHED
            assert b"Unable to import module" in outcome.payload
            assert made.started == expected

    bench(scenario)


def test_an_answer_over_6_mb_is_an_error(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        outcome = await made.mood("large")
        assert outcome.ending is Ending.RAISED
        assert json.loads(outcome.payload)["errorType"] == "Function.ResponseSizeTooLarge"
        assert len((await made.mood("megabyte")).payload) > 1_000_000

    bench(scenario)


def test_parallel_calls_share_few_processes_within_the_cap(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        outcomes = await asyncio.gather(*(made.mood("plain") for _ in range(100)))
        assert all(outcome.payload == b'{"hello": "world"}' for outcome in outcomes)
        assert 1 <= made.started <= 3

    bench(scenario, per_function=3)


def test_calls_over_the_cap_wait_for_a_process(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        outcomes = await asyncio.gather(*(made.mood("sleep") for _ in range(4)))
        assert {outcome.ending for outcome in outcomes} == {Ending.TIMED_OUT}
        assert sum(made.workers.sizes().values()) <= 2

    bench(scenario, per_function=2, patience=0.0)


def test_the_least_recently_used_process_makes_room_for_another_function(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        process = await made.process()
        await made.workers.warm(SAMPLE.functions["Echo"])
        assert made.workers.sizes() == {"Echo": 1}
        await until(lambda: is_gone(process))

    bench(scenario, overall=1)


def test_calls_between_functions_cannot_block_each_other(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        patient = replace(SAMPLE.functions["Moods"], timeout=20)
        holding = asyncio.create_task(made.workers.invoke(patient, b'{"pathParameters": {"mood": "sleep"}}'))
        await until(lambda: made.workers.sizes() == {"Moods": 1})
        event = b'{"pathParameters": {"mood": "plain"}}'
        nested = await made.workers.invoke(patient, event, nested=True)
        assert nested.ending is Ending.RETURNED
        assert not holding.done()
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)

    bench(scenario, per_function=1, overall=1)


def test_idle_processes_are_ended_after_a_while(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        process = await made.process()
        await made.workers.reap()
        assert made.workers.sizes() == {"Moods": 1}
        await asyncio.wait({asyncio.create_task(until(lambda: False, 0.3))})
        await made.workers.reap()
        await until(lambda: is_gone(process))
        assert made.workers.sizes() == {}

    bench(scenario, idle=0.2)


def test_a_caller_that_gives_up_takes_nothing_with_it(bench: Callable[..., None]) -> None:
    async def scenario(made: Bench) -> None:
        await made.process()
        calls = [asyncio.create_task(made.mood("sleep")) for _ in range(3)]
        await until(lambda: made.workers.sizes()["Moods"] == 2)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        outcomes = await asyncio.gather(*(made.mood("plain") for _ in range(10)))
        assert {outcome.ending for outcome in outcomes} == {Ending.RETURNED}
        assert made.workers.sizes()["Moods"] <= 2

    bench(scenario, per_function=2)


def test_closing_ends_every_process(bench: Callable[..., None]) -> None:
    processes: list[int] = []

    async def scenario(made: Bench) -> None:
        processes.append(await made.process())

    bench(scenario)
    assert is_gone(processes[0])
