"""Keeps cards and charges them, for families that may not see a card number.

The security code goes with the first authorisation and is gone then, whatever comes of it (PCI DSS 3.3.1): who has to
ask later asks by reference, and a new attempt needs a new code.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from vault.acquirers import Acquirer, CardOnFile, Connectable, Operation, Outcome, UnknownConnector
from vault.cards import Card
from vault.tokens.public import NewCard, Token, TokenService

ONE_PAYMENT: Final = timedelta(hours=24)
"""How long a card is kept that serves one payment: until its authentication or its late answer is over."""


class AcquiringService:
    """Use cases of the door."""

    def __init__(
        self, tokens: TokenService, acquirers: Mapping[str, Acquirer], connectable: Mapping[str, Connectable]
    ) -> None:
        self._tokens = tokens
        self._acquirers = acquirers
        self._connectable = connectable

    def keep(self, account_id: str, card: Card, *, lasting: bool) -> Token:
        """A token for a card; one that is not lasting ends by itself."""
        made = self._tokens.tokenise(account_id, NewCard(card, None if lasting else ONE_PAYMENT))
        return self._tokens.find(account_id, made["id"])

    def describe(self, account_id: str, token_id: str) -> Token:
        """A live token.

        Raises:
            TokenNotFound: it was deleted, is past its time, or is another account's.
        """
        return self._tokens.find(account_id, token_id)

    def forget(self, account_id: str, token_id: str) -> None:
        """Destroy the card behind a token."""
        self._tokens.delete(account_id, token_id)

    def authorise(self, connector: str, token_id: str, operation: Operation) -> Outcome:
        """Have an acquirer authorise a payment with the card behind a token.

        Raises:
            TokenNotFound, UnknownConnector: nothing was sent.
            UpstreamTimeout: nobody knows.
        """
        acquirer = self._acquirer(connector)
        token = self._tokens.find(operation.account_id, token_id)
        card = CardOnFile(
            self._tokens.reveal(token),
            token.expiry_month,
            token.expiry_year,
            token.cardholder_name,
            self._tokens.take_security_code(token),
        )
        if card.security_code is not None:
            self._tokens.use_up_security_code(token)
        return acquirer.authorise(operation, card)

    def carry_out(self, connector: str, operation: Operation) -> Outcome:
        """Capture, void or refund."""
        return self._acquirer(connector).carry_out(operation)

    def ask(self, connector: str, account_id: str, reference: str) -> Outcome:
        """What became of an operation.

        Raises:
            OperationUnknown: the acquirer never heard of it.
        """
        return self._acquirer(connector).ask(account_id, reference)

    def connect(self, connector: str, account_id: str, credential: str, secret: str) -> None:
        """Keep a merchant's access to an acquirer.

        Raises:
            NotConnected: the acquirer does not take it.
        """
        self._one_to_connect(connector).connect(account_id, credential, secret)

    def disconnect(self, connector: str, account_id: str, credential: str) -> None:
        """Forget a merchant's access to an acquirer."""
        self._one_to_connect(connector).disconnect(account_id, credential)

    def _one_to_connect(self, connector: str) -> Connectable:
        found = self._connectable.get(connector)
        if found is None:
            raise UnknownConnector
        return found

    def _acquirer(self, connector: str) -> Acquirer:
        found = self._acquirers.get(connector)
        if found is None:
            raise UnknownConnector
        return found
