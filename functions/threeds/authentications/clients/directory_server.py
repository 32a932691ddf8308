"""The port to the directory server: one AReq out, and what came of it.

Told apart is what the caller has to do about it: an answer; a refusal, after which nothing is under way at the other
side that we should wait for; and silence, after which nobody here knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from threeds.emv import Message, ProtocolFault
from threeds.exchange import exchange
from tollgate.egress import Egress, EgressFailure

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
    """The directory server at the other end of the egress guard."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    def authenticate(self, url: str, request: Message) -> Reply:
        """Send an AReq, once."""
        try:
            return Answered(exchange(self._egress, url, request, "ARes", deadline_seconds=DEADLINE_SECONDS))
        except ProtocolFault:
            return Refused("The directory server did not accept the request")
        except EgressFailure as failure:
            return Silent() if failure.sent else Refused("The directory server could not be reached")
