"""One EMV 3-D Secure message to another component over HTTP, and the one that answers it.

All of it goes through the egress guard, under one deadline. It does not repeat: what a lost answer means is for the
caller to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from threeds import emv
from threeds.emv import Message, ProtocolFault
from tollgate.egress import Egress

OK = 200


def exchange(egress: Egress, url: str, message: Mapping[str, Any], expected: str, *, deadline_seconds: int) -> Message:
    """Send a message and read its answer, which must be of the type expected and about the same transaction.

    Raises:
        EgressFailure: it did not arrive, or nobody knows whether it did: see its `sent`.
        ProtocolFault: the other side answered, and not with what was to come.
    """
    answer = egress.request(
        "POST",
        url,
        [("content-type", emv.CONTENT_TYPE), ("accept", "application/json")],
        emv.encode(message),
        deadline_seconds=deadline_seconds,
        max_response_bytes=emv.MAX_MESSAGE_BYTES,
    )
    if answer.status != OK:
        raise ProtocolFault(emv.CONNECTION_FAILED, "HTTP status")
    received = emv.read(answer.body, expected)
    if received["threeDSServerTransID"] != message["threeDSServerTransID"]:
        raise ProtocolFault(emv.TRANSACTION_UNKNOWN, "threeDSServerTransID")
    return received
