"""What a merchant can do: ask for an authentication, have one repeated for a later payment, read and list.

To ask is to send an account number to another party, so it is recorded as *sent* before it is sent, and sent once. What
comes back settles it; silence does not, and the clock does. An authentication that is not asked for (the merchant is
not set up, a series does not permit it) is recorded as failed and nothing is sent.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace

from threeds import dates
from threeds.addresses import Addresses
from threeds.authentications.clients.directory_server import Answered, DirectoryServer, Reply, Silent
from threeds.authentications.clients.vault import CardVault
from threeds.authentications.errors import AuthenticationChanged, AuthenticationNotFound
from threeds.authentications.models import (
    SUBSEQUENT_OF,
    Authentication,
    AuthenticationView,
    Browser,
    CardOnFile,
    FailureDetail,
    Prior,
    Purchase,
    Requestor,
    Series,
    SubsequentAuthentication,
    view,
)
from threeds.authentications.repository import AuthenticationRepository, begin_attempt
from threeds.authentications.rules import eligibility, messages, outcomes
from threeds.authentications.rules.messages import Parties
from threeds.authentications.rules.outcomes import Transition
from threeds.authentications.service.settlement import Settlement
from tollgate import clock, ids
from tollgate.errors import Contended, Invalid
from tollgate.http.message import encode
from tollgate.store.idempotency import NOT_CLAIMED, Once
from tollgate.store.listing import Page, Selection, Slot

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where this deployment is reached, and the directory server's URL (empty where none is connected)."""

    addresses: Addresses
    directory: str


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a subsequent authentication has beside an initial one."""

    series: Series
    prior: Prior


@dataclass(frozen=True, slots=True)
class Checkout:
    """For whom another family asks: under which id (of its own making), by which reference, for which requestor, with
    which browser, and where that browser is sent on to."""

    id: str
    reference: str
    requestor: Requestor
    return_url: str
    browser: Browser


class AuthenticationService:
    """Use cases of the authentication resource."""

    def __init__(
        self,
        repository: AuthenticationRepository,
        settlement: Settlement,
        vault: CardVault,
        directory: DirectoryServer,
    ) -> None:
        self._repository = repository
        self._settlement = settlement
        self._vault = vault
        self._directory = directory

    # ------------------------------------------------------------------ reading

    def read(self, account_id: str, authentication_id: str) -> AuthenticationView:
        return view(self.require(account_id, authentication_id))

    def require(self, account_id: str, authentication_id: str) -> Authentication:
        """An authentication of the account, or AuthenticationNotFound."""
        found = None
        if ids.is_uuid(authentication_id):
            found = self._repository.find(account_id, authentication_id.lower())
        if found is None:
            raise AuthenticationNotFound
        return found

    def require_for(self, account_id: str, authentication_id: str, reference: str) -> Authentication:
        """An authentication that another family asked for under a reference, or AuthenticationNotFound."""
        found = self.require(account_id, authentication_id)
        if found.reference is None or not hmac.compare_digest(found.reference.encode(), reference.encode()):
            raise AuthenticationNotFound
        return found

    def page(self, account_id: str, selection: Selection) -> Page:
        return self._repository.page(account_id, selection)

    # ------------------------------------------------------------------ asking

    def authenticate(self, account_id: str, purchase: Purchase, endpoints: Endpoints, once: Once) -> AuthenticationView:
        """Authenticate the cardholder for a payment, now or as the first of a series.

        Raises:
            TokenNotFound, MerchantNotFound: not there, or another account's.
            Contended: nothing was sent.
        """
        card = self._vault.find_card(account_id, purchase.token_id)
        merchant = self._vault.find_requestor(account_id, purchase.merchant_id)
        problem = eligibility.merchant_problem(merchant, card.scheme) or _directory_problem(endpoints)
        slot = self._repository.allocate(account_id)
        record = _initial(account_id, purchase, card, merchant, slot, endpoints)
        if problem is not None or merchant is None:
            return view(self._refuse(record, slot, problem or eligibility.NO_MERCHANT, once))
        return view(self._send(record, slot, self._parties(record, card, merchant), endpoints, once))

    def authenticate_payer(
        self, account_id: str, purchase: Purchase, checkout: Checkout, endpoints: Endpoints
    ) -> Authentication:
        """Authenticate who pays in a checkout of another family. Asked again under the same id, it is what became of
        the first time.

        Raises:
            TokenNotFound: not there, or another account's; nothing was sent.
            AuthenticationNotFound: there is one of this id and another reference; nothing was sent.
        """
        if self._repository.find(account_id, checkout.id) is not None:
            return self.require_for(account_id, checkout.id, checkout.reference)
        card = self._vault.find_card(account_id, purchase.token_id)
        slot = self._repository.allocate(account_id)
        record = replace(
            _initial(account_id, purchase, card, None, slot, endpoints),
            id=checkout.id, reference=checkout.reference, return_url=checkout.return_url,
        )  # fmt: skip
        problem = eligibility.merchant_problem(checkout.requestor, card.scheme) or _directory_problem(endpoints)
        try:
            if problem is not None:
                return self._refuse(record, slot, problem, NOT_CLAIMED)
            parties = self._parties(record, card, checkout.requestor)
            return self._send(record, slot, parties, endpoints, NOT_CLAIMED, browser=checkout.browser)
        except AuthenticationChanged:  # the same one was asked for at the same moment
            return self.require_for(account_id, checkout.id, checkout.reference)

    def authenticate_again(
        self, account_id: str, wanted: SubsequentAuthentication, endpoints: Endpoints, once: Once
    ) -> AuthenticationView:
        """Authenticate a later payment of a series, without the cardholder.

        Raises:
            AuthenticationNotFound: there is no such original.
            Invalid: the original begins no series.
        """
        original = self.require(account_id, wanted.original_authentication)
        if original.type not in SUBSEQUENT_OF:
            raise Invalid.at("$.original_authentication", "must be an initial recurring or installment authentication")
        for _ in range(_ATTEMPTS):
            try:
                return self._take_turn(original, wanted, endpoints, once)
            except AuthenticationChanged:  # another payment of the series was first: judge anew
                continue
        raise Contended

    def _take_turn(
        self, original: Authentication, wanted: SubsequentAuthentication, endpoints: Endpoints, once: Once
    ) -> AuthenticationView:
        account_id = original.account_id
        series = self._repository.find_series(account_id, original.id)
        card = self._vault.card_if_live(account_id, original.token_id)
        merchant = self._vault.requestor_if_there(account_id, original.merchant_id)
        problem = (
            eligibility.series_problem(original, series, wanted.amount, wanted.currency_code, clock.now())
            or (eligibility.NO_TOKEN if card is None else None)
            or eligibility.merchant_problem(merchant, original.scheme)
            or _directory_problem(endpoints)
        )
        slot = self._repository.allocate(account_id)
        record = _subsequent(original, wanted, slot)
        if problem is not None or series is None or card is None or merchant is None:
            return view(self._refuse(record, slot, problem or eligibility.NO_TOKEN, once))
        turn = _Turn(series, _prior(original))
        return view(self._send(record, slot, self._parties(record, card, merchant), endpoints, once, turn))

    def _refuse(self, record: Authentication, slot: Slot, why: FailureDetail, once: Once) -> Authentication:
        """Record an authentication that is not asked for."""
        now = outcomes.stamp(clock.now())
        refused = replace(record, status="FAILED", step="finished", failures=(why,), finished_at=now, due=None)
        transaction = self._repository.begin()
        once.remember(transaction, encode(view(refused)))
        self._repository.insert(transaction, slot, refused)
        self._settlement.announce(transaction, refused)
        transaction.commit()
        return refused

    def _send(
        self,
        record: Authentication,
        slot: Slot,
        parties: Parties,
        endpoints: Endpoints,
        once: Once,
        turn: _Turn | None = None,
        *,
        browser: Browser | None = None,
    ) -> Authentication:
        """Record as sent, send, and settle by what comes back."""
        transaction = self._repository.begin()
        begin_attempt(once, transaction, record)
        self._repository.insert(transaction, slot, record)
        if turn is not None:
            self._repository.take_turn(transaction, turn.series, record)
        transaction.commit()
        prior = turn.prior if turn else None
        request = messages.authentication_request(record, parties, endpoints.addresses, prior, browser)
        reply = self._directory.authenticate(endpoints.directory, request)
        return self._settlement.move(record, _meaning(reply), once)

    # ------------------------------------------------------------------ parts

    def _parties(self, record: Authentication, card: CardOnFile, merchant: Requestor) -> Parties:
        registration = eligibility.scheme_of(merchant, card.scheme) or {}
        number = self._vault.account_number(record.account_id, record.token_id)
        return Parties(merchant, registration, card, number)


def _directory_problem(endpoints: Endpoints) -> FailureDetail | None:
    return None if endpoints.directory else eligibility.NO_DIRECTORY


def _meaning(reply: Reply) -> Transition:
    """What a reply of the directory server, or its silence, makes of an authentication."""
    if isinstance(reply, Answered):
        return outcomes.answered(reply.message)
    if isinstance(reply, Silent):
        return outcomes.unheard()
    return outcomes.refused("directory_server_error", reply.because)


def _initial(
    account_id: str,
    purchase: Purchase,
    card: CardOnFile,
    merchant: Requestor | None,
    slot: Slot,
    endpoints: Endpoints,
) -> Authentication:
    session_id = ids.new_uuid()
    return Authentication(
        id=ids.new_uuid(),
        account_id=account_id,
        created_at=slot.created_at,
        sequence=slot.sequence,
        version=1,
        type=purchase.type,
        status="PROCESSING",
        step="sent",
        amount=purchase.amount,
        currency_code=purchase.currency_code,
        purchase_date=purchase.purchase_date,
        token_id=card.token_id,
        scheme=card.scheme,
        session_id=session_id,
        challenge_preference=purchase.challenge_preference,
        merchant_id=merchant.id if merchant else None,
        recurring_expiry=purchase.recurring_expiry,
        recurring_frequency=purchase.recurring_frequency,
        number_of_installments=purchase.number_of_installments,
        due=outcomes.due_after_sending(clock.now()),
        target_url=endpoints.addresses.challenge(session_id),
    )


def _subsequent(original: Authentication, wanted: SubsequentAuthentication, slot: Slot) -> Authentication:
    return Authentication(
        id=ids.new_uuid(),
        account_id=original.account_id,
        created_at=slot.created_at,
        sequence=slot.sequence,
        version=1,
        type=SUBSEQUENT_OF[original.type],
        status="PROCESSING",
        step="sent",
        amount=wanted.amount,
        currency_code=wanted.currency_code,
        purchase_date=dates.write_moment(clock.now()),
        token_id=original.token_id,
        scheme=original.scheme,
        session_id=ids.new_uuid(),
        merchant_id=original.merchant_id,
        recurring_expiry=original.recurring_expiry,
        recurring_frequency=original.recurring_frequency,
        number_of_installments=original.number_of_installments,
        original_authentication=original.id,
        due=outcomes.due_after_sending(clock.now()),
    )


def _prior(original: Authentication) -> Prior:
    data = original.cardholder_data
    return Prior(
        acs_transaction_id=str(original.acs_transaction_id),
        challenged=data is not None and data["challenged"],
        finished_at=str(original.finished_at),
    )
