"""The one place that time comes from, so that the sandbox clock and every test can hold it.

Everything asks `now()`; nothing else in the code base calls `datetime.now` or `time.time` for a business reason
(an architecture test looks). Durations for metrics come from `time.perf_counter`, which no one moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Real time plus an offset. The offset is zero outside a sandbox and never shrinks inside one."""

    def __init__(self, source: Callable[[], datetime] | None = None) -> None:
        self._source = source or (lambda: datetime.now(UTC))
        self.offset = timedelta()

    def now(self) -> datetime:
        return self._source() + self.offset

    def wall(self) -> datetime:
        return self._source()


_clock = Clock()


def now() -> datetime:
    """The current time, aware, in UTC, to the microsecond."""
    return _clock.now()


def wall() -> datetime:
    """Real time, which no sandbox moves: for leases on work in hand, and for what another's clock must agree with."""
    return _clock.wall()


def epoch() -> int:
    """The current time in whole seconds since 1970, for TTL attributes and token claims."""
    return int(_clock.now().timestamp())


def use(clock: Clock) -> Clock:
    """Put another clock in place and return the former one."""
    global _clock
    former, _clock = _clock, clock
    return former


def set_offset(seconds: float) -> None:
    """Move the clock in place to real time plus `seconds` (sandbox only)."""
    _clock.offset = timedelta(seconds=seconds)


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`; fractional seconds only where there are any."""
    text = moment.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


_sleep: Callable[[float], None] = time.sleep


def pause(seconds: float) -> None:
    """Wait, in real time, between attempts; tests put a recorder in its place with `use_pause`."""
    _sleep(seconds)


def use_pause(sleep: Callable[[float], None]) -> Callable[[float], None]:
    """Put another way of waiting in place and return the former one (tests)."""
    global _sleep
    former, _sleep = _sleep, sleep
    return former
