"""What other groups may ask of transactions: to have them created, confirmed and paid, and to take part in their books.

`Transactions` is made once per function (`of`). `create`, `confirm`, `charge_with_token`, `charge_card`, `read` and
`state` are for any group. Nobody is called back: whoever wants to know what became of a transaction listens to the
outbox (`payments.announcements`), or asks. The routes are in `routes`, which only the door of the family's payments
loads. Everything that moves money is recorded before it is sent and never sent twice; a transaction whose outcome
nobody knows yet is PROCESSING and gets settled by the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payments.acquiring import Acquiring
from payments.configurations.public import Routing
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.engine.service import Made
from payments.payers import PayerAuthentication
from payments.resources.transactions import CHARGE, TRANSACTION
from payments.transactions.errors import CredentialsInvalid, NoToken, NoWay
from payments.transactions.models import (
    DONE,
    Acting,
    CardFacts,
    completed_lines,
    currency_of,
    is_under_way,
    kept_lines,
    lines,
    operation_reference,
)
from payments.transactions.repository import TransactionRepository
from payments.transactions.service import deliveries, levels
from payments.transactions.service.access import Credentials, page_url, way_on
from payments.transactions.service.authenticating import Authenticating, Standing
from payments.transactions.service.charging import Attempt, Charging, Intent
from payments.transactions.service.completing import Completing
from payments.transactions.service.drafts import ConfirmHooks, DraftHooks, Drafts, begin_for_token, steps_to_processing
from payments.transactions.service.forgetting import Forgetting
from payments.transactions.service.invoices import Invoices
from payments.transactions.service.settling import Settling
from payments.transactions.service.tokens import retire
from payments.units import UnitOfWork
from tollgate import aws
from tollgate.config import PaymentsSettings
from tollgate.store.table import Table

__all__ = [
    "CHARGE",
    "DONE",
    "Acting",
    "Attempt",
    "Authenticating",
    "CardFacts",
    "Charging",
    "Credentials",
    "CredentialsInvalid",
    "Intent",
    "NoToken",
    "NoWay",
    "PayingSettings",
    "Standing",
    "TransactionRepository",
    "Transactions",
    "completed_lines",
    "currency_of",
    "is_under_way",
    "kept_lines",
    "levels",
    "lines",
    "operation_reference",
    "page_url",
    "retire",
    "steps_to_processing",
    "way_on",
]


@dataclass(frozen=True)
class PayingSettings(PaymentsSettings):
    """What a function needs that moves money: `ACQUIRING_FUNCTION`, and leave to invoke it; `BASE_URL`, which is empty
    where the gateway's own address is good for buyers."""

    acquiring_function: str
    base_url: str


@dataclass(frozen=True, slots=True)
class Transactions:
    """The use cases of a deployed function."""

    objects: Objects
    repository: TransactionRepository
    acquiring: Acquiring
    routing: Routing
    charging: Charging
    authenticating: Authenticating
    completing: Completing
    settling: Settling
    forgetting: Forgetting
    invoices: Invoices
    drafts: Drafts
    confirming: Drafts

    @classmethod
    def of(cls, payments_table: str, acquiring_function: str, payers_function: str = "") -> Transactions:
        """`payers_function` is for functions that settle payments or serve buyers who are authenticated."""
        table = Table(payments_table, aws.dynamodb())
        objects, repository = Objects(table), TransactionRepository(table)
        acquiring, routing = Acquiring(aws.lambda_(), acquiring_function), Routing(objects)
        charging = Charging(objects, acquiring, routing)
        completing = Completing(objects, repository, acquiring)
        authenticating = Authenticating(objects, charging, PayerAuthentication(aws.lambda_(), payers_function))
        settling = Settling(objects, repository, acquiring, charging, completing, authenticating)
        drafts, confirming = (Drafts(TRANSACTION, objects, hooks) for hooks in (DraftHooks(), ConfirmHooks()))
        forgetting, invoices = Forgetting(objects, repository, acquiring), Invoices(objects, repository)
        return cls(
            objects, repository, acquiring, routing, charging, authenticating, completing, settling, forgetting,
            invoices, drafts, confirming,
        )  # fmt: skip

    # ------------------------------------------------------------------ for any group

    def create(self, context: Context, body: Mapping[str, Any]) -> Made:
        """A new transaction, PENDING. `body` is that of `POST /payment/transactions`; amounts are decimals.

        Raises:
            BadBody, Invalid: as the operation has it.
        """
        return self.drafts.create(context, dict(body))

    def confirm(self, context: Context, number: int) -> Entity:
        """The transaction, CONFIRMED: its cart is final.

        Raises:
            ObjectNotFound, StateInvalid, VersionConflict: there is none, it is confirmed, another writer was first.
        """
        before = self.drafts.read(context, number)
        return self.confirming.update(context, before, {"version": before.version})

    def begin_for_token(self, acting: Acting, token: Entity) -> Entity:
        """A transaction without a cart, PENDING, whose payment gives an active token a new version."""
        unit = UnitOfWork(self.objects, acting.tenant, acting.scope)
        return begin_for_token(unit, acting.user_id, token)

    def charge_with_token(self, acting: Acting, number: int, token_id: int | None = None) -> Attempt:
        """Pay a transaction with its token, or another one, without the buyer. A charge that failed ends it.

        Raises:
            ObjectNotFound, StateInvalid: there is no such transaction, or it does not wait for a payment.
            NoToken, NoWay: nothing was charged.
        """
        transaction = self.read(acting, number)
        return self.charging.pay(acting, number, self.charging.intent_of_token(acting, transaction, token_id))

    def charge_card(
        self, acting: Acting, number: int, token_id: str, method: int | None = None, *, step_up_url: str | None = None
    ) -> Attempt:
        """Pay a transaction with a card that the buyer has handed to the vault (`token_id` is the vault's), by a method
        configuration or the best one. The buyer may try again where the transaction says so. If the card's issuer
        wants to see the buyer first and there is a `step_up_url` (the page `authenticate`), the payment waits there.

        Raises:
            ObjectNotFound, StateInvalid: see `charge_with_token`.
            CardGone, NoWay: nothing was charged.
        """
        transaction = self.read(acting, number)
        route = self.charging.way(acting, transaction, method)
        card = CardFacts.of(self.acquiring.describe(acting.tenant, token_id))
        intent = self.charging.intent_of_card(transaction, route, card, step_up_url=step_up_url)
        return self.charging.pay(acting, number, intent)

    def read(self, acting: Acting, number: int) -> Entity:
        """The transaction as it is now.

        Raises:
            ObjectNotFound: the space has none of this number.
        """
        return self.objects.read(TRANSACTION, acting.scope, number)

    def decide_delivery(self, acting: Acting, number: int, *, suitable: bool) -> Entity:
        """The delivery indication after the merchant's decision; a task that asked for it is done.

        Raises:
            ObjectNotFound, StateInvalid: there is none, or it is decided.
        """
        return deliveries.decide(self.objects, acting, number, suitable=suitable)

    def state(self, acting: Acting, number: int) -> str:
        """The transaction's state now: one of `states.TRANSACTION`."""
        return str(self.read(acting, number).state)
