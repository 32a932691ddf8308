"""The receiver's endpoint: one POST per attempt, and what came of it in words of ours.

Through the egress guard, at every attempt anew: what was permitted at registration need not be now. Nothing of an
answer but its status is kept.
"""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from typing import Final

from control.notifications.models import Outcome
from tollgate.egress import BadAnswer, Egress, EgressFailure, ResolverDown, TargetRefused, TimedOut

DEADLINE_SECONDS: Final = 10
MOST_ANSWER_BYTES: Final = 262_144
SUCCESS: Final = range(200, 201)
"""The reference of the vault: 200 alone."""

_REASONS: Final = {"connect": "connection_failed", "tls": "tls_failed", "too large": "answer_too_large"}


class Receiver:
    """Delivers to endpoints that accounts have named."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    def post(
        self, url: str, headers: Sequence[tuple[str, str]], body: bytes, accepts: Container[int] = SUCCESS
    ) -> Outcome:
        """Make one attempt, within ten seconds from the look-up of the name to the last byte; never raises for what
        the other side does."""
        started = time.perf_counter()
        status, error = self._attempt(url, headers, body)
        if error is None and status not in accepts:
            error = "unexpected_status"
        return Outcome(status, error, round((time.perf_counter() - started) * 1000))

    def _attempt(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int | None, str | None]:
        try:
            answer = self._egress.request(
                "POST", url, headers, body, deadline_seconds=DEADLINE_SECONDS, max_response_bytes=MOST_ANSWER_BYTES
            )
        except EgressFailure as failure:
            return None, _word_for(failure)
        return answer.status, None


def _word_for(failure: EgressFailure) -> str:
    """Which rule refused a target stays unsaid, so that nobody can map our network with notifications."""
    match failure:
        case TimedOut():
            return "timeout"
        case TargetRefused():
            return "target_not_permitted"
        case ResolverDown():
            return "name_not_resolved"
        case BadAnswer():
            return _REASONS.get(failure.reason, "unreadable_answer")
    return "request_not_sent"
