"""The port to the directory server: one AReq out, and what came of it.

Told apart is what the caller has to do about it: an answer; a refusal, after which nothing is under way at the other
side that we should wait for; and silence, after which nobody here knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from threeds.emv import Message, ProtocolFault

if TYPE_CHECKING:
    from tollgate.egress import Egress

DEADLINE_SECONDS = 10
"""The standard's least time that a 3-D Secure server waits for a directory server."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The ARes."""

    message: Message


@dataclass(frozen=True, slots=True)
class Refused:
    """It did not take the AReq, or answered nothing that an ARes is."""

    because: str


@dataclass(frozen=True, slots=True)
class Silent:
    """The AReq left, and no answer came."""


Reply = Answered | Refused | Silent


class DirectoryServer:
    """The directory server at the other end of the egress guard, which is loaded for the first AReq: who reads or lists
    does not pay for it."""

    def __init__(self, allow_targets: Iterable[str]) -> None:
        self._allow_targets = tuple(allow_targets)

    def authenticate(self, url: str, request: Message) -> Reply:
        """Send an AReq, once."""
        from threeds.exchange import exchange
        from tollgate.egress import EgressFailure

        try:
            return Answered(exchange(self._egress, url, request, "ARes", deadline_seconds=DEADLINE_SECONDS))
        except ProtocolFault:
            return Refused("The directory server did not accept the request")
        except EgressFailure as failure:
            return Silent() if failure.sent else Refused("The directory server could not be reached")

    @cached_property
    def _egress(self) -> Egress:
        from tollgate.egress import Egress

        return Egress(self._allow_targets)
