"""Stripe as a connector. Importing this loads no SDK: the first use does, since most deployments charge elsewhere."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tollgate.crypto.keyring import Keyring
from tollgate.egress import Egress
from tollgate.store.table import Table
from vault.acquirer_stripe.repository import StripeBooks
from vault.acquirers import CardOnFile, Operation, Outcome

if TYPE_CHECKING:
    from vault.acquirer_stripe.service import StripeAcquirer

__all__ = ["StripeConnector"]


class StripeConnector:
    """Fulfils `Connectable`. `api_base` is where the Stripe API is; empty for its own address."""

    def __init__(self, table: Table, keyring: Keyring, egress: Egress, api_base: str, *, is_sandbox: bool) -> None:
        self._books = StripeBooks(table, keyring)
        self._egress = egress
        self._api_base = api_base
        self._is_sandbox = is_sandbox

    @cached_property
    def _acquirer(self) -> StripeAcquirer:
        from vault import stripe_http
        from vault.acquirer_stripe.clients.payments import StripePayments
        from vault.acquirer_stripe.service import StripeAcquirer

        base = self._api_base or stripe_http.STRIPE_API
        return StripeAcquirer(
            self._books,
            lambda key: StripePayments(key, api_base=base, egress=self._egress),
            is_sandbox=self._is_sandbox,
        )

    def connect(self, account_id: str, credential: str, secret: str) -> None:
        self._acquirer.connect(account_id, credential, secret)

    def disconnect(self, account_id: str, credential: str) -> None:
        self._acquirer.disconnect(account_id, credential)

    def authorise(self, operation: Operation, card: CardOnFile) -> Outcome:
        return self._acquirer.authorise(operation, card)

    def carry_out(self, operation: Operation) -> Outcome:
        return self._acquirer.carry_out(operation)

    def ask(self, account_id: str, reference: str) -> Outcome:
        return self._acquirer.ask(account_id, reference)
