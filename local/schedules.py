"""Runs the template's schedules in real time while the machine is up, and once after a start for a run it missed.

When each ran last is on disk. The sandbox clock is none of its business: the function that moves that clock invokes the
scheduled functions itself.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.cron import parse
from local.events import Schedule
from local.positions import Positions
from local.resources import ACCOUNT, REGION, arn

# Starts a function (by logical id) asynchronously on an event.
Start = Callable[[str, bytes], object]
LONGEST_SLEEP = 60.0  # a laptop that slept must not sleep on


class Timer:
    """One schedule."""

    def __init__(self, schedule: Schedule, positions: Positions, start: Start) -> None:
        self._schedule = schedule
        self._next_run = parse(schedule.expression)
        self._positions = positions
        self._start = start

    async def run(self) -> None:
        last = self._last()
        while True:
            due = self._next_run(last)
            await _wait_until(due)
            last = _now()
            self._positions.set(self._place, last.timestamp())
            self._start(self._schedule.function, json.dumps(self._event(due)).encode())

    @property
    def _place(self) -> str:
        return f"schedule/{self._schedule.name}"

    def _last(self) -> datetime:
        saved = self._positions.get(self._place)
        if saved is not None:
            return datetime.fromtimestamp(float(saved), UTC)
        now = _now()
        self._positions.set(self._place, now.timestamp())
        return now

    def _event(self, due: datetime) -> Any:
        if self._schedule.payload is not None:
            return self._schedule.payload
        scheduler = self._schedule.is_scheduler
        source = f"schedule/default/{self._schedule.name}" if scheduler else f"rule/{self._schedule.name}"
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler" if scheduler else "aws.events",
            "account": ACCOUNT,
            "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [arn("scheduler" if scheduler else "events", source)],
            "detail": "{}" if scheduler else {},
        }


async def _wait_until(due: datetime) -> None:
    left = (due - _now()).total_seconds()
    while left > 0:
        await asyncio.sleep(min(left, LONGEST_SLEEP))
        left = (due - _now()).total_seconds()


def _now() -> datetime:
    return datetime.now(UTC)
