"""The Stripe SDK's way to the network: one request through the egress guard, and nothing beside it.

No retries, no redirects, no connection that is kept, no telemetry, and no line in a log: the SDK would write the form
that it sends, card numbers and all, where logging is set to it. What the guard raises passes through as it is, so that
a caller can tell what was never sent from what nobody knows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import stripe

from tollgate.egress import Egress

STRIPE_API: Final = "https://api.stripe.com"

_MOST_ANSWER_BYTES: Final = 4 * 1024 * 1024
_DROPPED: Final = frozenset(
    {
        "host", "connection", "content-length", "accept-encoding",  # the guard's own
        "x-stripe-client-user-agent", "x-stripe-client-telemetry",  # about this machine, and nobody's business
    }
)  # fmt: skip

logging.getLogger("stripe").disabled = True
stripe.enable_telemetry = False


class GuardedHttp(stripe.HTTPClient):
    """Sends what the SDK asks. `seconds_left` answers how long the next call may take."""

    name = "guarded"

    def __init__(self, egress: Egress, seconds_left: Callable[[], int]) -> None:
        super().__init__()
        self._egress = egress
        self._seconds_left = seconds_left

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """Raises:
        EgressFailure: see its `sent`.
        """
        body = post_data.encode() if isinstance(post_data, str) else post_data
        sent = [(name, str(value)) for name, value in (headers or {}).items() if name.lower() not in _DROPPED]
        answer = self._egress.request(
            method.upper(), url, sent, body,
            deadline_seconds=self._seconds_left(), max_response_bytes=_MOST_ANSWER_BYTES,
        )  # fmt: skip
        return answer.body.decode("utf-8", "replace"), answer.status, dict(answer.headers)

    def close(self) -> None:
        """Connections are not kept."""


def client(api_key: str, api_base: str, http: GuardedHttp) -> stripe.StripeClient:
    """The SDK for one API key, at the version of the API that it was made for."""
    return stripe.StripeClient(api_key, http_client=http, base_addresses={"api": api_base}, max_network_retries=0)
