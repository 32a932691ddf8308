"""The vault as an authentication needs it: the card behind a token, its number for the AReq, the merchant, and the
token authentication data that goes with a result.

The account number is asked for at the last moment and by one method, so that one can see who has it.
"""

from __future__ import annotations

from threeds.authentications.models import Authentication, CardOnFile, Requestor
from tollgate.errors import Throttled, Unavailable, Upstream
from vault.merchants.public import Merchant, MerchantNotFound, MerchantService
from vault.network_tokens.public import PaymentDataRequest, PaymentDataService
from vault.tokens.public import Token, TokenNotFound, TokenService


class CardVault:
    """The tokens and merchants of all accounts; every method takes the account."""

    def __init__(self, tokens: TokenService, merchants: MerchantService) -> None:
        self._tokens = tokens
        self._merchants = merchants

    def find_card(self, account_id: str, token_id: str) -> CardOnFile:
        """The card of a live token, without its number.

        Raises:
            TokenNotFound: deleted, past its time, or another account's.
        """
        return _card(self._tokens.find(account_id, token_id))

    def card_if_live(self, account_id: str, token_id: str) -> CardOnFile | None:
        """As `find_card`; None where the token is gone."""
        try:
            return self.find_card(account_id, token_id)
        except TokenNotFound:
            return None

    def account_number(self, account_id: str, token_id: str) -> str:
        """The PAN behind a live token, for the AReq.

        Raises:
            TokenNotFound: it was deleted meanwhile.
        """
        return self._tokens.reveal(self._tokens.find(account_id, token_id))

    def find_requestor(self, account_id: str, merchant_id: str | None) -> Requestor | None:
        """The merchant named, or else the account's primary one, if there is any.

        Raises:
            MerchantNotFound: the one named is not there, or another account's.
        """
        if merchant_id is not None:
            return _requestor(self._merchants.require(account_id, merchant_id))
        primary = self._merchants.find_primary(account_id)
        return _requestor(primary) if primary else None

    def requestor_if_there(self, account_id: str, merchant_id: str | None) -> Requestor | None:
        """As `find_requestor`; None where the merchant is gone."""
        try:
            return self.find_requestor(account_id, merchant_id)
        except MerchantNotFound:
            return None


class TokenData:
    """Makes `encrypted_token_data`: the cryptogram of an active network token, sealed to the merchant."""

    def __init__(self, payments: PaymentDataService, tokens: TokenService, merchants: MerchantService) -> None:
        self._payments = payments
        self._tokens = tokens
        self._merchants = merchants

    def of(self, record: Authentication) -> str | None:
        """The token authentication data (TAVV) of a completed authentication as a JWE, or None: without an active
        network token, and where the token, the merchant or the provider is not to be had. The result of the
        cardholder's authentication does not wait for it."""
        if record.merchant_id is None:
            return None
        wanted = PaymentDataRequest.model_construct(
            amount=record.amount,
            currency_code=record.currency_code,
            merchant_id=record.merchant_id,
            reference=record.id,
        )
        try:
            token = self._tokens.find(record.account_id, record.token_id)
            merchant = self._merchants.require(record.account_id, record.merchant_id)
            return self._payments.authentication_data(token, merchant, wanted, record.id)
        except (TokenNotFound, MerchantNotFound, Upstream, Unavailable, Throttled):
            return None


def _card(token: Token) -> CardOnFile:
    return CardOnFile(
        token_id=token.id,
        scheme=token.scheme,
        expiry_month=token.expiry_month,
        expiry_year=token.expiry_year,
        cardholder_name=token.cardholder_name,
    )


def _requestor(merchant: Merchant) -> Requestor:
    return Requestor(
        id=merchant.id,
        legal_name=merchant.legal_name,
        website_url=merchant.website_url,
        country_code=merchant.country_code,
        three_ds_enabled=merchant.three_ds_enabled,
        default_merchant_id=merchant.default_merchant_id,
        schemes=merchant.schemes,
    )
