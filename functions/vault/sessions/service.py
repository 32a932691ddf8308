"""What can be done with sessions: open one, look at it, complete it with a card; and take away what is over.

A session makes one token at most: its end is written in the transaction that makes the token. The private keys belong
to one account and one hour each and are destroyed half an hour after it, so a recorded payload cannot be opened later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from tollgate import clock, ids
from tollgate.crypto.keyring import Keyring
from tollgate.http.message import encode
from tollgate.store.idempotency import NOT_CLAIMED, Once
from tollgate.store.transaction import Transaction
from vault.cards import Card
from vault.sessions import rules
from vault.sessions.errors import CardRefused, ReasonCode, SessionNotFound, SessionOver
from vault.sessions.models import (
    LIFETIME_SECONDS,
    CreateSession,
    Session,
    SessionAnswer,
    SessionCreated,
    SessionView,
    public_key,
    refusal,
)
from vault.sessions.repository import Due, SessionRepository, StoredKey
from vault.tokens.public import NewCard, Token, TokenExpiry, TokenService

PERIOD_SECONDS = 3600
KEY_MARGIN_SECONDS = 60
_PERIOD = "%Y-%m-%dT%H"


class SessionService:
    """Use cases of the session resource. `takes_test_cards` is the mark of a sandbox."""

    def __init__(
        self, repository: SessionRepository, tokens: TokenService, keyring: Keyring, *, takes_test_cards: bool
    ) -> None:
        self._repository = repository
        self._tokens = tokens
        self._keyring = keyring
        self._takes_test_cards = takes_test_cards

    def open(self, account_id: str, wish: CreateSession, once: Once = NOT_CLAIMED) -> SessionCreated:
        """A new session, good for one card and half an hour."""
        key = self._present_key(account_id)
        session = Session(
            id=ids.new_uuid(),
            account_id=account_id,
            expires_at=clock.epoch() + LIFETIME_SECONDS,
            period=key.period,
            modulus=key.modulus,
            bypass_identification=bool(wish.bypass_identification),
            expiration_seconds=wish.expiration_time,
        )
        answer: SessionCreated = {"session_id": session.id}
        transaction = self._repository.begin()
        self._repository.insert(transaction, session)
        once.remember(transaction, encode(answer))
        transaction.commit()
        return answer

    def find(self, session_id: str) -> Session:
        """A session whose time is not over, or SessionNotFound."""
        session = self._repository.find(session_id.lower()) if ids.is_uuid(session_id) else None
        if session is None:
            raise SessionNotFound
        return session

    def find_open(self, session_id: str) -> Session:
        """A session that still takes a card.

        Raises:
            SessionNotFound: there is none.
            SessionOver: it has its token, or no attempt left.
        """
        session = self.find(session_id)
        if session.status != "pending":
            raise SessionOver
        return session

    def view(self, session: Session, base_url: str) -> SessionView:
        """The session as its client sees it."""
        if session.token_id is not None:
            return {"data": {"token_id": session.token_id}, "next_action": None, "status": "success"}
        if session.status == "failed":
            reason = session.reason_code or "invalid_payload"
            return {"data": refusal(reason, session.attempts_left), "next_action": None, "status": "failed"}
        return {
            "data": {
                "jwk": public_key(session),
                "base_url": base_url,
                "api_key": session.id,
                "provider": "guardian",
            },
            "next_action": "tokenize_card",
            "status": "pending",
        }

    def complete(self, session: Session, enc_payload: str) -> SessionAnswer:
        """Make the token of a session, or say why its card is not taken.

        Raises:
            Invalid: `enc_payload` is not the kind of JWE that we open; the attempt is not counted.
            SessionOver, SessionNotFound: another client or the clock was first.
        """
        header = rules.check_form(enc_payload)
        try:
            card = self._card(session, enc_payload, header)
        except CardRefused as refused:
            return self._refuse(session, refused.reason_code)
        lifetime = session.expiration_seconds
        new = NewCard(
            card,
            expires_in=timedelta(seconds=lifetime) if lifetime else None,
            bypass_identification=session.bypass_identification,
        )
        made = self._tokens.tokenise(session.account_id, new, also=partial(self._end, session))
        return {"data": {"token_id": made["id"]}, "status": "success"}

    # ------------------------------------------------------------------ parts

    def _end(self, session: Session, transaction: Transaction, tokens: Sequence[Token]) -> None:
        self._repository.complete(transaction, session, tokens[0].id)

    def _refuse(self, session: Session, reason_code: ReasonCode) -> SessionAnswer:
        after = self._repository.count_attempt(session, reason_code)
        return {"data": refusal(reason_code, after.attempts_left), "status": "failed"}

    def _card(self, session: Session, enc_payload: str, header: Mapping[str, Any]) -> Card:
        stored = self._repository.find_key(session.account_id, session.period)
        if stored is None:
            raise SessionNotFound
        private_key = self._keyring.open(session.account_id, _bound_to(session.period), stored.sealed)
        members = rules.open_payload(enc_payload, header, private_key, session.id)
        return rules.card_of(members, clock.now(), takes_test_cards=self._takes_test_cards)

    def _present_key(self, account_id: str) -> StoredKey:
        """The account's key of this hour, made by whoever needs it first."""
        now = clock.now()
        period = now.strftime(_PERIOD)
        stored = self._repository.find_key(account_id, period)
        if stored is not None:
            return stored
        private_key, modulus = rules.new_key()
        key = StoredKey(period, modulus, self._keyring.seal(account_id, _bound_to(period), private_key))
        if self._repository.insert_key(account_id, key, _end_of_key(now)):
            return key
        return self._present_key(account_id)


class Expiry:
    """Takes away what is over: sessions and their keys, ephemeral tokens, security codes. It needs no key."""

    def __init__(self, repository: SessionRepository, tokens: TokenExpiry) -> None:
        self._repository = repository
        self._tokens = tokens

    def due(self) -> Iterator[tuple[str, Callable[[], int]]]:
        """What there is to do now, piece by piece: its kind, and what does it and answers how much it ended.

        What must be forgotten comes first.
        """
        for piece in self._tokens.due_codes():
            yield "SecurityCodes", piece
        for batch in self._repository.due():
            yield "Sessions", partial(self._remove, batch)
        for piece in self._tokens.due():
            yield "Tokens", piece

    def count_due(self) -> int:
        """How much is over and still there (a lower bound when there are thousands)."""
        return self._tokens.count_due() + self._repository.count_due()

    def _remove(self, batch: Sequence[Due]) -> int:
        self._repository.remove(batch)
        return len(batch)


def _end_of_key(now: datetime) -> int:
    """When the last session of this hour is over, and a little more for the one that began on the stroke."""
    start_of_hour = int(now.replace(minute=0, second=0, microsecond=0).timestamp())
    return start_of_hour + PERIOD_SECONDS + LIFETIME_SECONDS + KEY_MARGIN_SECONDS


def _bound_to(period: str) -> dict[str, str]:
    """What a sealed private key is bound to."""
    return {"record": "session-key", "period": period}
