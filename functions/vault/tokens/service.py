"""What can be done with tokens: the only place that sequences checks, encryption and writes.

An import is one transaction: the token with its sealed PAN, its place in the list, the security code, the idempotency
answer and the announcement all exist together or not at all. It must not hand a PAN or a security code to anything but
the keyrings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from tollgate import events, ids
from tollgate.crypto.keyring import CannotOpen, Keyring, Resealed
from tollgate.errors import Contended
from tollgate.http.message import encode
from tollgate.store.idempotency import NOT_CLAIMED, Once
from tollgate.store.listing import Page, Selection, Slot
from tollgate.store.transaction import Transaction
from vault import tokenisation
from vault.cards import ANONYMIZED, Card
from vault.tokenisation import Status as NetworkTokenStatus
from vault.tokens.errors import TokenNotFound
from vault.tokens.models import Token, TokenView, view
from vault.tokens.repository import Due, Filter, Origin, TokenChanged, TokenRepository

_DELETE_ATTEMPTS = 5
_MOST_ENDED_FOR_A_LIST = 25
BATCH = 14
"""Cards of one batch: each takes up to five of a transaction's hundred operations and one of its caller's, and up to
fifteen are for counts and more."""

Also = Callable[[Transaction, Sequence[Token]], None]
"""Adds further writes to the transaction that makes these tokens."""


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card to be tokenised. `expires_in` makes the token ephemeral; the origin is known of imported cards only.

    `bypass_identification` is kept with the token for whoever asks for its network token.
    """

    card: Card
    expires_in: timedelta | None = None
    bypass_identification: bool = False
    import_provider: str | None = None
    business_key: str | None = None


class TokenService:
    """Use cases of the token resource."""

    def __init__(self, repository: TokenRepository, keyring: Keyring, codes: Keyring) -> None:
        self._repository = repository
        self._keyring = keyring
        self._codes = codes
        self._expiry = TokenExpiry(repository)

    def tokenise(self, account_id: str, new: NewCard, once: Once = NOT_CLAIMED, also: Also | None = None) -> TokenView:
        """A new token for a card; each call makes one, also for a card that was seen before.

        `also` adds what must happen together with it (the end of a session, say).
        """
        (slot,) = self._repository.allocate(account_id)
        transaction = self._repository.begin()
        token, sealed = self._make(account_id, new, slot, self._is_onboarded(account_id, [new]))
        answer = view(token)
        once.remember(transaction, encode(answer))
        if also is not None:
            also(transaction, [token])
        self._add(transaction, [(slot, token, sealed)], [new])
        transaction.commit()
        return answer

    def tokenise_batch(self, account_id: str, cards: Sequence[NewCard], also: Also | None = None) -> list[Token]:
        """New tokens for up to `BATCH` cards without security codes, all or none, in one transaction; for imports."""
        if len(cards) > BATCH or any(new.card.security_code for new in cards):
            raise ValueError(f"a batch takes at most {BATCH} cards, and none with a security code")
        slots = self._repository.allocate(account_id, len(cards))
        transaction = self._repository.begin()
        onboarded = self._is_onboarded(account_id, cards)
        made = [(slot, *self._make(account_id, new, slot, onboarded)) for slot, new in zip(slots, cards, strict=True)]
        tokens = [token for _, token, _ in made]
        if also is not None:
            also(transaction, tokens)
        self._add(transaction, made, cards)
        transaction.commit()
        return tokens

    def change(self, before: Token, after: Token, **stored: Any) -> None:
        """Change a token that still is as `before`, and announce `token.updated` with its new public form.

        Raises:
            TokenChanged, TokenNotFound: another writer was first.
        """
        transaction = self._repository.begin()
        self._repository.change(transaction, before, after, **stored)
        _announce(self._repository, transaction, "token.updated", after, view(after))
        transaction.commit()

    def reveal(self, token: Token) -> str:
        """The PAN behind a live token. Only functions that may use the vault's key can.

        Raises:
            TokenNotFound: it was deleted meanwhile.
        """
        sealed = self._repository.sealed_card(token)
        if sealed is None:
            raise TokenNotFound
        return self._keyring.open(token.account_id, _bound_to(token), sealed).decode()

    def reveal_security_code(self, token: Token) -> str | None:
        """The security code, if it was given less than 60 minutes ago and not used up."""
        sealed = self._repository.codes.sealed(token)
        return self._codes.open(token.account_id, _bound_to(token), sealed).decode() if sealed else None

    def take_security_code(self, token: Token) -> str | None:
        """The security code, for this caller alone until it is given back. A caller who dies keeps it for good."""
        sealed = self._repository.codes.take(token)
        return self._codes.open(token.account_id, _bound_to(token), sealed).decode() if sealed else None

    def give_back_security_code(self, token: Token) -> None:
        """Let others have the security code that was taken: it did not serve its purpose."""
        self._repository.codes.give_back(token)

    def use_up_security_code(self, token: Token) -> None:
        """Forget the security code: it served its purpose (PCI DSS 3.3.1)."""
        self._repository.codes.forget(token)

    def settle_network_token(self, before: Token, status: NetworkTokenStatus, details: bytes | None = None) -> Token:
        """Give a token its network token's status (and what there is to know about it, sealed), and announce it.

        Raises:
            TokenChanged, TokenNotFound: another writer was first.
        """
        after = replace(before, network_token_status=status, version=before.version + 1)
        stored = {}
        if details is not None:
            stored["network_token"] = self._keyring.seal(before.account_id, _bound_to(before, "network-token"), details)
        self.change(before, after, **stored)
        return after

    def reveal_network_token(self, token: Token) -> bytes | None:
        """What `settle_network_token` was given for a live token, if anything."""
        sealed = self._repository.sealed_network_token(token)
        return self._keyring.open(token.account_id, _bound_to(token, "network-token"), sealed) if sealed else None

    def require_live(self, transaction: Transaction, token: Token) -> None:
        """Hold a transaction to the token's not being deleted, or refuse it with TokenNotFound."""
        self._repository.require_live(transaction, token)

    def reseal(self, account_id: str, after: int, limit: int) -> Resealed:
        """Seal cards and network tokens under the account's newest data key, of up to `limit` tokens behind a place."""
        reached, found = self._repository.sealed_after(account_id, after, limit)
        changed = unreadable = 0
        for sealed in found:
            for attribute, old in sealed.parts.items():
                bound = {"record": attribute.replace("_", "-"), "token": sealed.token_id}
                try:
                    renewed = self._keyring.reseal(account_id, bound, old)
                except CannotOpen:
                    unreadable += 1
                    continue
                if renewed is not None:
                    changed += self._repository.replace_sealed(account_id, sealed, attribute, renewed)
        last = self._repository.last_sequence(account_id)
        place = last if reached is None else reached
        return Resealed(place, changed, max(last - place, 0), unreadable)

    def find(self, account_id: str, token_id: str) -> Token:
        """A live token, or TokenNotFound."""
        return self._require(account_id, token_id)

    def read(self, account_id: str, token_id: str) -> TokenView:
        return view(self._require(account_id, token_id))

    def page(self, account_id: str, selection: Selection, chosen: Filter) -> Page:
        """A page of live tokens; those that are past their time are ended first, so that the totals are true."""
        self._expiry.end_due_of(account_id)
        return self._repository.page(account_id, selection, chosen)

    def delete(self, account_id: str, token_id: str) -> None:
        """Destroy the card behind a token and take the token off every list. Cannot be undone.

        Raises:
            TokenNotFound: it is not there, or another caller deleted it first.
        """
        for _ in range(_DELETE_ATTEMPTS):
            try:
                _bury(self._repository, self._require(account_id, token_id))
            except TokenChanged:
                continue
            return
        raise Contended

    # ------------------------------------------------------------------ parts

    def _require(self, account_id: str, token_id: str) -> Token:
        token = self._repository.find(account_id, token_id.lower()) if ids.is_uuid(token_id) else None
        if token is None:
            raise TokenNotFound
        return token

    def _make(self, account_id: str, new: NewCard, slot: Slot, onboarded: bool) -> tuple[Token, bytes]:
        """The token of a card and its sealed PAN, bound to account and token."""
        card = new.card
        token = Token(
            id=ids.new_uuid(),
            account_id=account_id,
            created_at=slot.created_at,
            sequence=slot.sequence,
            version=1,
            cardholder_name=card.cardholder_name,
            expiry_month=card.expiry_month,
            expiry_year=card.expiry_year,
            issuer_identification_number=card.issuer_identification_number,
            masked_account_number=card.masked_account_number,
            scheme=card.scheme,  # type: ignore[arg-type]
            network_token_status=_first_status(new, onboarded),
            fingerprint=self._keyring.digest(account_id, "fingerprint", card.account_number.encode()),
            expires_at=_later(slot.created_at, new.expires_in) if new.expires_in else None,
            import_provider=new.import_provider,
            business_key=new.business_key,
            bypass_identification=new.bypass_identification or None,
        )
        return token, self._keyring.seal(account_id, _bound_to(token), card.account_number.encode())

    def _is_onboarded(self, account_id: str, cards: Sequence[NewCard]) -> bool:
        """Whether the account has a merchant; asked once for all cards, and only if it matters to one."""
        return any(map(_may_have_network_token, cards)) and self._repository.has_merchant(account_id)

    def _add(
        self, transaction: Transaction, made: Sequence[tuple[Slot, Token, bytes]], cards: Sequence[NewCard]
    ) -> None:
        self._repository.insert(transaction, list(made))
        for (_, token, _), new in zip(made, cards, strict=True):
            if new.card.security_code is not None:
                code = new.card.security_code.encode()
                sealed = self._codes.seal(token.account_id, _bound_to(token), code)
                self._repository.codes.insert(transaction, token, sealed)
            _announce(self._repository, transaction, "token.created", token, view(token))


class TokenOrigins:
    """Goes through all tokens of an account, for reports. It needs no key, so who only does this has none."""

    def __init__(self, repository: TokenRepository) -> None:
        self._repository = repository

    def most(self, account_id: str) -> int:
        """How many tokens there are at most: as many as ever were. One read."""
        return self._repository.last_sequence(account_id) + 1

    def each(self, account_id: str) -> Iterator[Origin]:
        """Every token that is not ephemeral, in the order of creation, as of now: none that is made meanwhile."""
        return self._repository.origins(account_id, self._repository.last_sequence(account_id))


class TokenExpiry:
    """Ends ephemeral tokens and security codes whose time has come. It needs no key, so who only does this has none."""

    def __init__(self, repository: TokenRepository) -> None:
        self._repository = repository

    def due(self) -> Iterator[Callable[[], int]]:
        """Tokens that are past their time now, each as what ends it and answers how many that were."""
        for due in self._repository.due():
            yield partial(self.end, due)

    def due_codes(self) -> Iterator[Callable[[], int]]:
        """Security codes that are past their time now, in batches."""
        for codes in self._repository.codes.due():
            yield partial(self._end_codes, codes)

    def count_due(self) -> int:
        """How many tokens are past their time (a lower bound when there are thousands)."""
        return self._repository.count_due()

    def end_due_of(self, account_id: str) -> None:
        """End some of what is due of one account; what is more, or held by another writer, is left to the sweep."""
        for due in self._repository.due_of(account_id)[:_MOST_ENDED_FOR_A_LIST]:
            with contextlib.suppress(Contended):
                self.end(due)

    def end(self, due: Due) -> int:
        """Destroy the card of one token and announce `token.deleted`; 0 when that has happened before."""
        for _ in range(_DELETE_ATTEMPTS):
            token = self._repository.find_stored(due.account_id, due.token_id)
            if token is None:
                self._repository.forget_due(due)
                return 0
            try:
                _bury(self._repository, token)
            except (TokenChanged, TokenNotFound):
                continue
            return 1
        raise Contended

    def _end_codes(self, codes: Sequence[Due]) -> int:
        self._repository.codes.remove(codes)
        return len(codes)


def _bury(repository: TokenRepository, token: Token) -> None:
    """Destroy the card and take the token off every list, together with its announcement.

    Raises:
        TokenChanged, TokenNotFound: another writer was first.
    """
    transaction = repository.begin()
    repository.bury(transaction, token)
    _announce(repository, transaction, "token.deleted", token, _last_view(token))
    transaction.commit()


def _last_view(token: Token) -> TokenView:
    """A token as its deletion is announced: without the name, its network token deleted with it."""
    last: TokenView = {**view(token), "cardholder_name": ANONYMIZED}
    if token.network_token_status in tokenisation.KNOWN_TO_PROVIDER:
        last["network_token_status"] = "deleted"
    return last


def _announce(
    repository: TokenRepository, transaction: Transaction, event_type: str, token: Token, payload: TokenView
) -> None:
    events.announce(
        transaction,
        repository.table,
        account_id=token.account_id,
        event_type=event_type,
        subject=token.id,
        payload={"token": payload},
    )


def _may_have_network_token(new: NewCard) -> bool:
    return new.expires_in is None and new.card.scheme in tokenisation.SCHEMES


def _first_status(new: NewCard, onboarded: bool) -> NetworkTokenStatus:
    """Pending where a network token is to be had: for a token that stays, of a scheme that has a token service,
    once a merchant is onboarded."""
    return "pending" if onboarded and _may_have_network_token(new) else "not_available"


def _later(created_at: str, step: timedelta) -> str:
    """A moment that long after the creation, in the same form."""
    return (datetime.fromisoformat(created_at) + step).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _bound_to(token: Token, record: str = "card") -> dict[str, str]:
    """What a sealed record is bound to: it cannot be opened as another token's, or as another kind of record."""
    return {"record": record, "token": token.id}
