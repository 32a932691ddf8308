"""The issuer's side of an authentication: the cardholder's way to a challenge and back, and its result.

Only an RReq decides, and only one that knows the transaction ids of all three parties; what a browser brings back
(CRes) decides nothing, because a browser can say anything. The same RReq twice has the effect of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from threeds import emv
from threeds.authentications.errors import ChallengeNotFound, ChallengeOver
from threeds.authentications.models import Authentication
from threeds.authentications.repository import AuthenticationRepository
from threeds.authentications.rules import messages, outcomes
from threeds.authentications.service.settlement import Settlement
from threeds.emv import Message, ProtocolFault
from tollgate import ids

RECEIVED: Final = "01"


@dataclass(frozen=True, slots=True)
class HandOver:
    """Where a browser posts which CReq."""

    acs_url: str
    creq: str


class ChallengeService:
    """Use cases of who has a session's id, and of the directory server."""

    def __init__(self, repository: AuthenticationRepository, settlement: Settlement) -> None:
        self._repository = repository
        self._settlement = settlement

    def hand_over(self, session_id: str) -> HandOver:
        """What sends the cardholder's browser to the challenge.

        Raises:
            ChallengeNotFound: there is none of this session.
            ChallengeOver: it was completed, or its time is over.
        """
        record = self._require(session_id)
        if record.step != "challenge" or record.acs_url is None:
            raise ChallengeOver
        return HandOver(record.acs_url, emv.to_base64url(messages.challenge_request(record)))

    def come_back(self, session_id: str, cres: str) -> Authentication:
        """The authentication to which a browser comes back with its CRes.

        Raises:
            ChallengeNotFound: there is none of this session, or the CRes is of another one.
        """
        record = self._require(session_id)
        try:
            message = emv.from_base64url(cres, "CRes")
        except ProtocolFault:
            raise ChallengeNotFound from None
        if message["threeDSServerTransID"].lower() != record.session_id:
            raise ChallengeNotFound
        return record

    def receive_result(self, message: Message) -> tuple[Message, Authentication]:
        """Settle an authentication by an RReq; answers the RRes.

        Raises:
            ProtocolFault: not a transaction of ours, or one that has another result by now.
        """
        found = self._repository.find_by_session(message["threeDSServerTransID"].lower())
        if found is None or not _knows(message, found):
            raise ProtocolFault(emv.TRANSACTION_UNKNOWN, "threeDSServerTransID,dsTransID,acsTransID")
        after = self._settlement.move(found, outcomes.settled(message))
        if outcomes.says_the_same(after, message):
            return messages.results_answer(message, RECEIVED), after
        if after.cardholder_data is None:
            raise ProtocolFault(emv.TIMED_OUT)
        raise ProtocolFault(emv.TRANSACTION_DATA_INVALID, "transStatus")

    def _require(self, session_id: str) -> Authentication:
        known = self._repository.find_by_session(session_id.lower()) if ids.is_uuid(session_id) else None
        if known is None:
            raise ChallengeNotFound
        return known


def _knows(message: Message, record: Authentication) -> bool:
    """Whether a message carries the ids that only the parties to the transaction have."""
    return (message["dsTransID"].lower(), message["acsTransID"].lower()) == (
        str(record.ds_transaction_id).lower(),
        str(record.acs_transaction_id).lower(),
    )
