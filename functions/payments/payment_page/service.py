"""What the buyer does on the page, on behalf of the space: look, open a card session, pay.

The security token of the address names one transaction and proves the leave to pay it; nothing else is reachable with
it. A card session counts only with the proof that it was opened for the same transaction. Who pays is the clock's
`Acting` without a user: the buyer has none.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from payments.card_entry import CardEntry
from payments.engine.errors import StateInvalid
from payments.engine.models import Context, Entity, Place
from payments.links.public import ASKED, ON_PAGE, LinkNotFound, LinkOpening, required
from payments.payment_page.errors import ForeignSession, PageNotFound
from payments.payment_page.models import CardSession, Checkout, Line, LinkPage, Method, Stage
from payments.resources.configurations import PAYMENT_METHOD_CONFIGURATION
from payments.transactions.public import (
    Acting,
    Credentials,
    CredentialsInvalid,
    Intent,
    Transactions,
    currency_of,
    page_url,
)
from tollgate.auth.directory import ACTIVE, Directory
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Invalid, Malformed, NotFound

_PAID: Final = frozenset({"AUTHORIZED", "COMPLETED", "FULFILL"})
_FAILED: Final = frozenset({"FAILED", "VOIDED", "DECLINE"})
_LASTING: Final = frozenset({"FORCE_UPDATE", "FORCE_CREATION", "FORCE_CREATION_WITH_ONE_CLICK_PAYMENT"})


class PaymentPage:
    """Use cases of the page."""

    def __init__(
        self, transactions: Transactions, credentials: Credentials, directory: Directory, keyring: Keyring,
        card_entry: CardEntry,
    ) -> None:  # fmt: skip
        self._transactions = transactions
        self._credentials = credentials
        self._directory = directory
        self._keyring = keyring
        self._card_entry = card_entry
        self._links = LinkOpening(transactions.objects, transactions)

    def open(self, space_id: int, transaction_id: int, security_token: str) -> tuple[Acting, Entity]:
        """The transaction of an address, and on whose behalf it is paid.

        Raises:
            PageNotFound: the token is not of this transaction, is past its time, or the space is closed.
        """
        try:
            named = self._credentials.read(security_token)
        except CredentialsInvalid:
            raise PageNotFound from None
        space = self._directory.space(space_id)
        if (named.space_id, named.transaction_id) != (space_id, transaction_id) or space is None:
            raise PageNotFound
        if space.state != ACTIVE or not self._directory.is_open(space.path):
            raise PageNotFound
        acting = Acting(named.tenant, f"S{space_id}")
        try:
            return acting, self._transactions.read(acting, transaction_id)
        except NotFound:
            raise PageNotFound from None

    def open_link(
        self, space_id: int, link_id: int, asked: Mapping[str, str], form: Mapping[str, str] | None
    ) -> tuple[LinkPage, str | None]:
        """The page of a payment link; with what the buyer sent, the address of a new transaction's payment page.

        Raises:
            LinkNotFound, LinkClosed: there is no such link, or it is not open.
        """
        space = self._directory.space(space_id)
        if space is None or space.state != ACTIVE or not self._directory.is_open(space.path):
            raise LinkNotFound
        link = self._links.find(f"S{space_id}", link_id, asked.get("accessKey", ""))
        page = LinkPage(
            str(link.values.get("name") or "Payment"), asked.get("language") or link.values.get("language") or "en",
            tuple(required(link.values, ON_PAGE)), ASKED, form or {},
        )  # fmt: skip
        if form is None:
            return page, None
        context = Context(
            Place(space.path[-1], space_id, space.path[0]), link.attributes.get("created_by", 0), space.tenant
        )
        try:
            made = self._links.open(context, link, asked, form)
        except (Invalid, Malformed) as refused:
            return replace(page, problem=_told(refused)), None
        credentials = self._credentials.make(space.tenant, space_id, made.id)
        return page, page_url("", space_id, made.id, credentials)

    def show(self, acting: Acting, transaction: Entity, *, only: int | None = None) -> Checkout:
        """What the buyer sees; with `only`, the one method configuration that a merchant's page asked for."""
        stage = _stage(transaction)
        shown: dict[str, Any] = {}
        if stage == "choose":
            ready = transaction.state != "PENDING" or transaction.values.get("autoConfirmationEnabled")
            methods = self._methods(acting, transaction) if ready else []
            shown = {
                "methods": tuple(each for each in methods if only in (None, each.id)),
                "message": transaction.values.get("userFailureMessage"),
            }
        return Checkout(
            space_id=int(acting.scope[1:]), transaction_id=transaction.id, stage=stage,
            amount=_amount(transaction), language=str(transaction.values.get("language") or "en"),
            lines=_lines(transaction), next_url=self._next_url(acting, transaction, stage), **shown,
        )  # fmt: skip

    def open_session(self, acting: Acting, transaction: Entity) -> CardSession:
        """A session for the buyer's card.

        Raises:
            StateInvalid: the transaction does not wait for a payment.
        """
        if _stage(transaction) != "choose":
            raise StateInvalid
        lasting = transaction.values.get("tokenizationMode") in _LASTING
        session_id = self._card_entry.open_session(acting.tenant, lasting=lasting)
        return CardSession(session_id, self._proof(acting, transaction.id, session_id))

    def pay_by_card(
        self, acting: Acting, transaction: Entity, method: int, session: CardSession, step_up_url: str
    ) -> Entity:
        """Pay with the card that was entered in a session. Where its issuer wants to see the buyer first, the payment
        waits for him at `step_up_url`.

        Raises:
            ForeignSession: the session was not opened for this transaction.
            CardGone, StateInvalid, NoWay: nothing was charged.
        """
        if not hmac.compare_digest(self._proof(acting, transaction.id, session.session_id), session.proof):
            raise ForeignSession
        card = self._card_entry.came_of(acting.tenant, session.session_id)
        if card is None:
            raise StateInvalid(message="No card was entered")
        return self._transactions.charge_card(
            acting, transaction.id, card.token_id, method, step_up_url=step_up_url
        ).transaction

    def pay_otherwise(self, acting: Acting, transaction: Entity, method: int) -> Entity:
        """Pay by a method that takes no card here.

        Raises:
            StateInvalid, NoWay: nothing was done.
        """
        charging = self._transactions.charging
        way = charging.way(acting, transaction, method, cards=False)
        return charging.pay(acting, transaction.id, Intent(way)).transaction

    # ------------------------------------------------------------------ parts

    def _methods(self, acting: Acting, transaction: Entity) -> list[Method]:
        takes_card: dict[int, bool] = {}
        for way in self._transactions.charging.ways(acting, transaction):
            takes_card.setdefault(way.method_configuration_id, way.connector.takes_cards)
        found = self._transactions.objects.find_many(
            (PAYMENT_METHOD_CONFIGURATION, acting.scope, number) for number in takes_card
        )
        configured = [each for each in found.values() if each.state == ACTIVE]
        configured.sort(key=lambda each: (each.values.get("sortOrder", 0), each.id))
        language = str(transaction.values.get("language") or "en")
        return [Method(each.id, _title(each, language), takes_card[each.id]) for each in configured]

    def _next_url(self, acting: Acting, transaction: Entity, stage: Stage) -> str | None:
        if stage == "wait":
            url = self._transactions.charging.find(acting, transaction).attempt.values.get("redirectionUrl")
        else:
            url = transaction.values.get({"paid": "successUrl", "failed": "failedUrl"}.get(stage, ""))
        return str(url) if url else None

    def _proof(self, acting: Acting, transaction_id: int, session_id: str) -> str:
        return self._keyring.digest(acting.tenant, "payment-page-session", f"{transaction_id}:{session_id}".encode())


def _stage(transaction: Entity) -> Stage:
    if transaction.state in _PAID:
        return "paid"
    if transaction.state in _FAILED:
        return "failed"
    return "wait" if transaction.attributes.get("attempt") is not None else "choose"


def _told(refused: Invalid | Malformed) -> str:
    faults = getattr(refused, "faults", ())
    return "; ".join(f"{each.path.removeprefix('$.')} {each.message}" for each in faults) or refused.message


def _amount(transaction: Entity) -> str:
    currency, amount = transaction.values.get("currency"), transaction.values.get("authorizationAmount")
    return f"{currency} {amount}" if currency and amount is not None else ""


def _lines(transaction: Entity) -> tuple[Line, ...]:
    currency = currency_of(transaction) if transaction.values.get("currency") else ""
    return tuple(
        Line(each["name"], f"{Decimal(each['quantity']).normalize():f}", f"{currency} {each['amountIncludingTax']}")
        for each in transaction.values.get("lineItems") or ()
    )


def _title(configuration: Entity, language: str) -> str:
    """The method's title in the buyer's language, or in any."""
    titles = configuration.values.get("resolvedTitle") or {}
    for wanted in (language, language[:2], "en-US", "en"):
        for known, title in titles.items():
            if known.startswith(wanted):
                return str(title)
    return str(next(iter(titles.values()), None) or configuration.values.get("name") or "Payment")
