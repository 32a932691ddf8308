"""The port to a Link instance: which backends it has, and invoking an action of one.

Neither method raises for what the other side does. A call carries a reference of ours, so that one whose outcome is
unknown may be made again.
"""

from __future__ import annotations

from typing import Final, Protocol

from risk.integrations.models import Backend, Call, Reply

TIMEOUT: Final = "timeout"
UNREACHABLE: Final = "unreachable"
UNAVAILABLE: Final = "unavailable"
UNUSABLE: Final = "unusable_answer"
UNSUPPORTED: Final = "action_not_supported"


class Link(Protocol):
    """What we need of a Link instance."""

    def discover(self, timeout_ms: int) -> tuple[Backend, ...] | None:
        """Its backends of our protocol; None where it did not say."""

    def invoke(self, call: Call) -> Reply:
        """Call an action, within the call's time."""
