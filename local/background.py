"""Work that goes on while the machine is up: started together, kept running, cancelled at the end."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

RESTART_AFTER = 1.0


class Background:
    """The machine's own tasks. What one trips over goes to the log, and the task starts again."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks.add(asyncio.create_task(self._supervise(name, work)))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _supervise(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                return
            except Exception:
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(f"{timestamp()} {name}: {traceback.format_exc()}\n")
                await asyncio.sleep(RESTART_AFTER)


def timestamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


async def together(*works: Awaitable[None]) -> None:
    """Run side by side; the first failure ends the others before it is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
