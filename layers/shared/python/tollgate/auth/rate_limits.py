"""Rate limits in fixed windows of two minutes, counted in leases so that a request costs a fraction of a write.

Access pattern (`pk`, `sk`): what was leased of a subject's window  `RATE#<subject>`, `<number of the window>`

A worker takes a lease of about one percent of the limit, at least one, by a conditional update of the window's counter,
and uses it up alone. More than the limit is never served; a worker that ends with an unused lease has served fewer, at
most a percent per worker. With limits up to 199 each request is its own lease and the limit is exact. A worker that was
refused remembers it until the window ends and asks no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tollgate import clock
from tollgate.errors import Throttled
from tollgate.store.table import ConditionFailed, Table

WINDOW_SECONDS: Final = 120
_LEASES_PER_WINDOW: Final = 100
_KEPT_SECONDS: Final = 3600
_MOST_SUBJECTS: Final = 10_000
FAILURES_PER_WINDOW: Final = 1_000
"""How often one address may fail to prove who it is, per worker; past it the answer is 429."""


@dataclass(slots=True)
class _Lease:
    window: int
    left: int


class RateLimits:
    """The limits of all subjects, as one worker sees them."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._leases: dict[str, _Lease] = {}

    def take(self, subject: str, limit: int) -> None:
        """Count one request of a subject.

        Raises:
            Throttled: the window's limit is reached; carries the seconds until the next window.
        """
        now = int(clock.wall().timestamp())
        window = now // WINDOW_SECONDS
        lease = self._leases.get(subject)
        if lease is None or lease.window != window:
            if len(self._leases) >= _MOST_SUBJECTS:
                self._leases.clear()
            lease = self._leases[subject] = _Lease(window, self._lease(subject, window, limit))
        elif lease.left == 0:
            lease.left = self._lease(subject, window, limit)
        if lease.left <= 0:
            lease.left = -1
            raise Throttled((window + 1) * WINDOW_SECONDS - now)
        lease.left -= 1

    def _lease(self, subject: str, window: int, limit: int) -> int:
        """How many requests may be served from a new lease; 0 when the window has none left."""
        wanted = max(1, limit // _LEASES_PER_WINDOW)
        while wanted > 0:
            try:
                self._table.update(
                    f"RATE#{subject}", str(window), "SET used = if_not_exists(used, :none) + :wanted, expires = :end",
                    values={
                        ":none": 0, ":wanted": wanted, ":most": limit - wanted,
                        ":end": (window + 1) * WINDOW_SECONDS + _KEPT_SECONDS,
                    },
                    condition="(attribute_not_exists(used) AND :most >= :none) OR used <= :most",
                )  # fmt: skip
            except ConditionFailed as refused:
                wanted = min(wanted - 1, limit - int(refused.item.get("used", limit)))
            else:
                return wanted
        return 0


class Failures:
    """Counts failed proofs by address, in this worker alone: enough to slow down who guesses, at no cost to others."""

    def __init__(self, most: int = FAILURES_PER_WINDOW) -> None:
        self._most = most
        self._window = 0
        self._counts: dict[str, int] = {}

    def note(self, address: str) -> None:
        """Count one failure.

        Raises:
            Throttled: there were too many in this window.
        """
        now = int(clock.wall().timestamp())
        window = now // WINDOW_SECONDS
        if window != self._window or len(self._counts) >= _MOST_SUBJECTS:
            self._window, self._counts = window, {}
        self._counts[address] = self._counts.get(address, 0) + 1
        if self._counts[address] > self._most:
            raise Throttled((window + 1) * WINDOW_SECONDS - now)
