"""Use cases of network tokens: doing the work that waits at the provider, and giving out payment data.

An attempt is written down before it is made: the row moves to the time of the next look before the provider hears
anything, so a crash, a lost message or a time-out only means that it is looked at again. The provider takes our ids, so
looking again never makes a second network token.
"""

from __future__ import annotations

import contextlib
from typing import Final, Literal

from tollgate import ids
from tollgate.errors import Throttled, Unavailable, Upstream
from tollgate.http.message import encode
from tollgate.store.idempotency import Once
from vault.merchants.public import Merchant, MerchantService
from vault.network_tokens import rules
from vault.network_tokens.clients.provider import TokenServiceProvider
from vault.network_tokens.errors import NetworkTokenEnded
from vault.network_tokens.models import (
    AuthenticationData,
    CryptogramRequest,
    Enrolment,
    NetworkToken,
    Outcome,
    PaymentDataRequest,
    PaymentDataView,
)
from vault.network_tokens.repository import PaymentDataRepository, WorkRepository, WorkTaken
from vault.tokenisation import Work, new_work
from vault.tokens.public import Token, TokenChanged, TokenNotFound, TokenService

_ATTEMPTS_TO_CHANGE: Final = 5
_TRANSIENT: Final = (Upstream, Unavailable, Throttled)

Done = Literal["done", "waiting", "gone", "given up"]


class ProvisioningService:
    """Carries work to the provider."""

    def __init__(self, repository: WorkRepository, tokens: TokenService, provider: TokenServiceProvider) -> None:
        self._repository = repository
        self._tokens = tokens
        self._provider = provider

    def carry_out(self, pk: str, sk: str) -> Done:
        """One attempt at the work in this row. A row that is gone was begun or ended by somebody else."""
        found = self._repository.find(pk, sk)
        if found is None or found.stage != "ready":
            return "gone"
        try:
            work = self._repository.replace(found, found.begun(rules.pause_before(found.attempts + 1)))
        except WorkTaken:
            return "gone"
        if work.attempts > rules.ATTEMPTS:
            return self._give_up(work)
        try:
            is_settled = [self._carry_out(work, token_id) for token_id in work.token_ids]
        except _TRANSIENT:
            return "waiting"
        if not all(is_settled):
            return "waiting"
        self._repository.finish(work)
        return "done"

    def _give_up(self, work: Work) -> Done:
        """After a day of attempts a token has no network token, and whatever came to be there is to end; what cannot be
        ended there either is left to people."""
        if work.kind == "enrol":
            for token_id in work.token_ids:
                self._settle(work, token_id, Outcome("failed"))
            self._repository.replace(work, new_work("delete", work.account_id, work.token_ids))
        else:
            self._repository.finish(work)
        return "given up"

    def _carry_out(self, work: Work, token_id: str) -> bool:
        """One token's part; False when the provider has not decided."""
        if work.kind == "delete":
            self._provider.delete(token_id)
            return True
        return self._settle(work, token_id, None)

    def _settle(self, work: Work, token_id: str, outcome: Outcome | None) -> bool:
        """Give a pending token the outcome, or the provider's; a token that is gone leaves nothing there."""
        for _ in range(_ATTEMPTS_TO_CHANGE):
            try:
                token = self._tokens.find(work.account_id, token_id)
                if token.network_token_status != "pending":
                    return True
                outcome = outcome or self._enrol(work, token)
                if outcome.status == "pending":
                    return False
                made = outcome.network_token
                self._tokens.settle_network_token(token, outcome.status, made.to_bytes() if made else None)
            except TokenNotFound:
                self._provider.delete(token_id)
                return True
            except TokenChanged:
                continue
            return True
        return False

    def _enrol(self, work: Work, token: Token) -> Outcome:
        return self._provider.enrol(
            Enrolment(
                id=token.id,
                account_number=self._tokens.reveal(token),
                expiry_month=token.expiry_month,
                expiry_year=token.expiry_year,
                cardholder_name=token.cardholder_name,
                scheme=token.scheme,
                attempt=work.attempts,
                bypass_identification=bool(token.bypass_identification),
            )
        )


class Sweep:
    """Hands on again what waits longer than it should. It needs no key."""

    def __init__(self, repository: WorkRepository) -> None:
        self._repository = repository

    def hand_on(self, limit: int) -> int:
        """Make due work ready, up to `limit` of each shard; the stream takes it from there. Answers how much."""
        handed_on = 0
        for work in self._repository.due(limit):
            with contextlib.suppress(WorkTaken):
                self._repository.replace(work, work.ready())
                handed_on += 1
        return handed_on

    def count_due(self) -> int:
        return self._repository.count_due()


class PaymentDataService:
    """Gives out cryptograms, sealed for the merchant who asked."""

    def __init__(
        self,
        repository: PaymentDataRepository,
        tokens: TokenService,
        merchants: MerchantService,
        provider: TokenServiceProvider,
    ) -> None:
        self._repository = repository
        self._tokens = tokens
        self._merchants = merchants
        self._provider = provider

    def require_token(self, account_id: str, token_id: str) -> Token:
        """A live token of the account, or TokenNotFound."""
        return self._tokens.find(account_id, token_id)

    def create(self, token: Token, wanted: PaymentDataRequest, once: Once) -> PaymentDataView:
        """Payment data for one payment; each call has a cryptogram of its own.

        Raises:
            MerchantNotFound: the account has no such merchant.
            TokenNotFound: the token was deleted meanwhile; nothing is given out.
            Upstream, Unavailable: the provider did not answer; nothing is given out, ask again.
        """
        merchant = self._merchants.require(token.account_id, wanted.merchant_id)
        payment_id = ids.new_uuid()
        data = self.authentication_data(token, merchant, wanted, payment_id)
        answer: PaymentDataView = {
            "id": payment_id,
            "amount": wanted.amount,
            "currency_code": wanted.currency_code,
            "encrypted_authentication_data": data,
            "merchant_id": merchant.id,
            "reference": wanted.reference,
            "success": data is not None,
            "token_id": token.id,
        }
        transaction = self._repository.begin()
        once.remember(transaction, encode(answer))
        self._tokens.require_live(transaction, token)
        self._repository.record(transaction, token.account_id, answer)
        transaction.commit()
        return answer

    def authentication_data(
        self, token: Token, merchant: Merchant, wanted: PaymentDataRequest, payment_id: str
    ) -> str | None:
        """The sealed data of one payment, or None where there is no active network token."""
        known = self._tokens.reveal_network_token(token) if token.network_token_status == "active" else None
        if known is None:
            return None
        network_token = NetworkToken.from_bytes(known)
        request = CryptogramRequest(
            id=payment_id,
            enrolment_id=token.id,
            network_token=network_token,
            merchant_id=merchant.id,
            merchant_name=merchant.legal_name,
            amount=wanted.amount,
            currency_code=wanted.currency_code,
        )
        try:
            cryptogram = self._provider.cryptogram(request)
        except NetworkTokenEnded as ended:
            self._note_end(token, ended)
            return None
        data = _data(token, network_token, wanted, merchant, cryptogram)
        return rules.seal(self._merchants.encryption_key(merchant), data)

    def _note_end(self, token: Token, ended: NetworkTokenEnded) -> None:
        """The provider knows better; when somebody else changed the token meanwhile, the next call will tell."""
        with contextlib.suppress(TokenChanged, TokenNotFound):
            self._tokens.settle_network_token(token, ended.status)


def _data(
    token: Token, network_token: NetworkToken, wanted: PaymentDataRequest, merchant: Merchant, cryptogram: str
) -> AuthenticationData:
    return {
        "network_token": network_token.account_number,
        "cryptogram": cryptogram,
        "eci": rules.ECI[token.scheme],
        "expiration_month": network_token.expiry_month,
        "expiration_year": network_token.expiry_year,
        "amount": wanted.amount,
        "currency_code": wanted.currency_code,
        "reference": wanted.reference,
        "merchant_id": merchant.id,
        "token_id": token.id,
        "scheme": token.scheme,
        "par": network_token.payment_account_reference,
    }
