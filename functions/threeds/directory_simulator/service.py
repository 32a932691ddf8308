"""Passes messages between 3-D Secure servers and issuers, as a directory server does: AReq on the way in, RReq on the
way back. It checks what it is given against the standard, adds its own ids, and forgets the account number.
"""

from __future__ import annotations

from typing import Final

from threeds import emv
from threeds.directory_simulator.models import Transaction
from threeds.directory_simulator.repository import TransactionRepository
from threeds.emv import Message, ProtocolFault
from threeds.exchange import exchange
from tollgate import ids
from tollgate.egress import Egress, EgressFailure

REFERENCE_NUMBER: Final = "TOLLGATE-SANDBOX-DS"
AREQ_SECONDS: Final = 8
RREQ_SECONDS: Final = 6


class DirectoryService:
    """One scheme's directory: every card has one issuer."""

    def __init__(self, repository: TransactionRepository, egress: Egress) -> None:
        self._repository = repository
        self._egress = egress

    def authenticate(self, request: Message, acs_url: str, own_url: str) -> Message:
        """Have the issuer answer an AReq.

        Raises:
            ProtocolFault: the issuer could not be asked.
        """
        transaction = Transaction(ids.new_uuid(), request["threeDSServerTransID"], request["threeDSServerURL"])
        self._repository.put(transaction)
        passed_on = {**request, "dsTransID": transaction.id, "dsURL": own_url, "dsReferenceNumber": REFERENCE_NUMBER}
        return self._pass_on(acs_url, passed_on, "ARes", AREQ_SECONDS)

    def report(self, request: Message) -> Message:
        """Bring an RReq to the 3-D Secure server that its transaction came from.

        Raises:
            ProtocolFault: no such transaction, or the server could not be told.
        """
        transaction = self._repository.find(request["dsTransID"])
        if transaction is None or transaction.server_transaction_id != request["threeDSServerTransID"]:
            raise ProtocolFault(emv.TRANSACTION_UNKNOWN, "dsTransID")
        return self._pass_on(transaction.server_url, request, "RRes", RREQ_SECONDS)

    def _pass_on(self, url: str, message: Message, expected: str, seconds: int) -> Message:
        try:
            return exchange(self._egress, url, message, expected, deadline_seconds=seconds)
        except EgressFailure:
            raise ProtocolFault(emv.CONNECTION_FAILED) from None
