"""Worker processes: the real runtime client (`awslambdaric`) with one function's handler, one event at a time each.

`Worker` is one process and ends it at the function's time limit; `Workers` is the pool: started on demand, kept warm,
and bounded. It knows nothing of HTTP routes, queues or streams.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local.processes import Child
from local.runtime_api import Answer, RuntimeApi
from local.template import Function

START_LIMIT = 30.0


class Ending(Enum):
    """How an invocation ended."""

    RETURNED = "returned"
    RAISED = "raised"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one invocation: the function's JSON, or a JSON error object with `errorType`, `errorMessage`."""

    payload: bytes
    ending: Ending

    @property
    def is_error(self) -> bool:
        return self.ending is not Ending.RETURNED


# Starts the process of a worker, given the port of its Runtime API.
StartProcess = Callable[[Function, int], Awaitable[Child]]
# Writes a line of the machine's own to a function's log.
Note = Callable[[Function, str, str], None]


class Worker:
    """One process of one function."""

    def __init__(self, function: Function, note: Note) -> None:
        self.function = function
        self.last_used = time.monotonic()
        self._api = RuntimeApi(function.arn)
        self._note = note
        self._child: Child | None = None
        self._exit: asyncio.Task[int] | None = None
        self._is_killed = False  # the end of a process is known only some time after it was killed

    @property
    def is_usable(self) -> bool:
        return self._child is not None and self._child.is_running and not self._is_killed

    async def start(self, start_process: StartProcess) -> Outcome | None:
        """Start and wait until it asks for its first event; otherwise the outcome that says why it never did."""
        port = await self._api.start()
        self._child = await start_process(self.function, port)
        self._exit = asyncio.create_task(self._child.wait())
        ready = asyncio.create_task(self._api.ready.wait())
        await _first_of(ready, self._exit, within=START_LIMIT)
        ready.cancel()
        if self._api.ready.is_set():
            return None
        outcome = self._start_failure()
        await self.stop()
        return outcome

    async def run(self, payload: bytes) -> Outcome:
        """One invocation. After anything but an answer the process is gone."""
        if self._exit is None:
            raise RuntimeError("the worker was not started")
        request_id = str(uuid.uuid4())
        answer = self._api.submit(request_id, payload, self.function.timeout)
        try:
            await _first_of(answer, self._exit, within=self.function.timeout)
        except asyncio.CancelledError:
            self.kill()
            raise
        self.last_used = time.monotonic()
        if answer.done():
            return _outcome_of(answer.result())
        if self._exit.done():
            return self._crash(request_id)
        return await self._overrun(request_id)

    def kill(self) -> None:
        self._is_killed = True
        if self._child is not None:
            self._child.kill()

    async def stop(self) -> None:
        self.kill()
        if self._exit is not None:
            await self._exit
        await self._api.stop()

    def _start_failure(self) -> Outcome:
        if self._api.start_error is not None:
            return Outcome(self._api.start_error, Ending.CRASHED)
        return _failure(Ending.CRASHED, "Runtime.ExitError", "The function's process ended before it was ready")

    def _crash(self, request_id: str) -> Outcome:
        text = (
            f"RequestId: {request_id} Error: Runtime exited with code {self._child and self._child.process.returncode}"
        )
        self._note(self.function, request_id, text)
        return _failure(Ending.CRASHED, "Runtime.ExitError", text)

    async def _overrun(self, request_id: str) -> Outcome:
        text = f"Task timed out after {self.function.timeout:.2f} seconds"
        self._note(self.function, request_id, text)
        self.kill()
        return _failure(Ending.TIMED_OUT, "Sandbox.Timedout", f"RequestId: {request_id} Error: {text}")


async def _first_of(*futures: asyncio.Future[Any], within: float) -> None:
    await asyncio.wait(futures, timeout=within, return_when=asyncio.FIRST_COMPLETED)


def _outcome_of(answer: Answer) -> Outcome:
    return Outcome(answer.payload, Ending.RAISED if answer.is_error else Ending.RETURNED)


def _failure(ending: Ending, kind: str, text: str) -> Outcome:
    return Outcome(json.dumps({"errorType": kind, "errorMessage": text}).encode(), ending)


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Processes per function and in all, the extra ones that functions calling functions may use, and seconds.

    `patience`: how long a call waits for a busy worker before another is started; a start costs more than most calls.
    """

    per_function: int = 8
    overall: int = 16
    nested: int = 8
    starting: int = 2
    patience: float = 0.03
    idle: float = 120.0


class _Group:
    """The workers of one function and the calls that wait for one."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.idle: list[Worker] = []
        self.busy: set[Worker] = set()
        self.starting = 0
        self.waiting: deque[tuple[asyncio.Future[Worker | Outcome], bool]] = deque()

    @property
    def size(self) -> int:
        return len(self.idle) + len(self.busy) + self.starting

    def next_waiting(self) -> asyncio.Future[Worker | Outcome] | None:
        while self.waiting:
            future, _ = self.waiting.popleft()
            if not future.done():
                return future
        return None


class Workers:
    """The pool. `invoke` waits for a worker as long as it must; bound it from outside."""

    def __init__(self, start_process: StartProcess, note: Note, limits: PoolLimits | None = None) -> None:
        self._start_process = start_process
        self._note = note
        self._limits = limits or PoolLimits()
        self._groups: dict[str, _Group] = {}
        self._starts: set[asyncio.Task[None]] = set()
        self._stops: set[asyncio.Task[None]] = set()
        self._closed = False

    async def invoke(self, function: Function, payload: bytes, *, nested: bool = False) -> Outcome:
        """Run one event. `nested` calls come from functions, which hold a worker while they wait: they may go over
        the caps, so that callers waiting for each other cannot block the machine."""
        group = self._group(function)
        taken = await self._take(group, nested)
        if isinstance(taken, Outcome):
            return taken
        try:
            return await taken.run(payload)
        finally:
            self._give_back(group, taken)

    async def warm(self, function: Function) -> Outcome | None:
        """Make sure one worker of this function is up; the failure if it cannot start."""
        group = self._group(function)
        taken = await self._take(group, nested=False)
        if isinstance(taken, Outcome):
            return taken
        self._give_back(group, taken)
        return None

    def sizes(self) -> dict[str, int]:
        """How many processes each function has."""
        return {name: group.size for name, group in self._groups.items() if group.size}

    async def reap(self) -> None:
        """End the workers that nobody used for a while."""
        limit = time.monotonic() - self._limits.idle
        for group in self._groups.values():
            stale = [worker for worker in group.idle if worker.last_used < limit or not worker.is_usable]
            group.idle = [worker for worker in group.idle if worker not in stale]
            for worker in stale:
                _keep(worker.stop(), self._stops)

    async def close(self) -> None:
        """End every process."""
        self._closed = True
        workers = [worker for group in self._groups.values() for worker in (*group.idle, *group.busy)]
        await asyncio.gather(*(worker.stop() for worker in workers))
        for task in self._starts:
            task.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        await asyncio.gather(*self._stops)

    def _group(self, function: Function) -> _Group:
        return self._groups.setdefault(function.logical_id, _Group(function))

    async def _take(self, group: _Group, nested: bool) -> Worker | Outcome:
        while group.idle:
            worker = group.idle.pop()
            if worker.is_usable:
                group.busy.add(worker)
                return worker
            _keep(worker.stop(), self._stops)
        future: asyncio.Future[Worker | Outcome] = asyncio.get_running_loop().create_future()
        group.waiting.append((future, nested))
        if group.size == 0:
            self._grow(group)
        else:
            asyncio.get_running_loop().call_later(self._limits.patience, self._grow, group)
        try:
            return await future
        except asyncio.CancelledError:
            given = future.result() if future.done() and not future.cancelled() else None
            if isinstance(given, Worker):
                self._give_back(group, given)
            raise

    def _give_back(self, group: _Group, worker: Worker) -> None:
        group.busy.discard(worker)
        if not worker.is_usable or self._closed:
            _keep(worker.stop(), self._stops)
        else:
            self._offer(group, worker)
        for other in self._groups.values():
            if other.waiting:
                self._grow(other)

    def _offer(self, group: _Group, worker: Worker) -> None:
        future = group.next_waiting()
        if future is None:
            group.idle.append(worker)
        else:
            group.busy.add(worker)
            future.set_result(worker)

    def _grow(self, group: _Group) -> None:
        """Start another worker if calls wait, starts are not already under way for them, and there is room."""
        if self._closed or not group.waiting or group.starting >= min(self._limits.starting, len(group.waiting)):
            return
        extra = self._limits.nested if any(nested for _, nested in group.waiting) else 0
        if group.size >= self._limits.per_function + extra or not self._has_room(extra):
            return
        group.starting += 1
        _keep(self._start(group), self._starts)

    def _has_room(self, extra: int) -> bool:
        total = sum(group.size for group in self._groups.values())
        if total < self._limits.overall + extra:
            return True
        idle = [(worker.last_used, group, worker) for group in self._groups.values() for worker in group.idle]
        if not idle:
            return False
        _, owner, oldest = min(idle, key=lambda entry: entry[0])
        owner.idle.remove(oldest)
        _keep(oldest.stop(), self._stops)
        return True

    async def _start(self, group: _Group) -> None:
        worker = Worker(group.function, self._note)
        try:
            failure = await worker.start(self._start_process)
        except BaseException:
            await worker.stop()
            raise
        finally:
            group.starting -= 1
        if self._closed:
            await worker.stop()
        elif failure is None:
            self._offer(group, worker)
            self._grow(group)
        else:
            future = group.next_waiting()
            if future is not None:
                future.set_result(failure)
            self._grow(group)


def _keep(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    """Run on the side, held in `tasks` until it has ended."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
