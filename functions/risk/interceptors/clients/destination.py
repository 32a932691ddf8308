"""The destination of an interceptor: one POST, through the egress guard, with the body as it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tollgate.egress import Answer, Egress
from tollgate.errors import Forbidden, Invalid

MOST_ANSWER_BYTES: Final = 4_500_000
"""As base64, which every answer travels in, this is just under the six megabytes that a function may answer."""


class DestinationClient:
    """Calls destinations that accounts have named."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    def check(self, url: str) -> None:
        """Raises Invalid: the address may not be called."""
        try:
            self._egress.admit(url)
        except Forbidden:
            raise Invalid.at("$.destination.url", "must be an https address that may be called") from None

    def send(
        self, destination: Mapping[str, Any], headers: Sequence[tuple[str, str]], body: bytes, timeout_ms: int
    ) -> Answer:
        """Send once; the answer, whatever its status.

        Raises:
            EgressFailure: see its `sent`.
        """
        return self._egress.request(
            "POST", destination["url"], headers, body,
            deadline_seconds=timeout_ms / 1000, max_response_bytes=MOST_ANSWER_BYTES,
        )  # fmt: skip
