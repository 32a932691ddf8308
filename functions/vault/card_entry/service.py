"""Lets a card come in for families that may not see one: by a session in a payer's browser, by a terminal's reader.

Whoever starts it names the account; what comes back is a token, never a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from tollgate import clock
from vault import cards
from vault.card_entry.errors import NoDevice
from vault.card_entry.rules import reading
from vault.sessions.public import CreateSession, SessionService
from vault.tokens.public import NewCard, Token, TokenNotFound, TokenService

ONE_PAYMENT: Final = timedelta(hours=24)
"""How long a card is kept that serves one payment."""


class CardEntryService:
    """Use cases of the door."""

    def __init__(self, tokens: TokenService, sessions: SessionService, *, has_simulated_terminals: bool) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._has_terminals = has_simulated_terminals

    def open_session(self, account_id: str, *, lasting: bool) -> str:
        """The id of a new session, whose token ends by itself unless it is lasting."""
        seconds = None if lasting else int(ONE_PAYMENT.total_seconds())
        return self._sessions.open(account_id, CreateSession(expiration_time=seconds))["session_id"]

    def came_of(self, account_id: str, session_id: str) -> Token | None:
        """The token of an account's session; None while it has none.

        Raises:
            SessionNotFound, TokenNotFound: there is no such session, or its token is gone.
        """
        session = self._sessions.find(session_id)
        if session.account_id != account_id:
            raise TokenNotFound
        return self._tokens.find(account_id, session.token_id) if session.token_id else None

    def read_card(self, account_id: str, amount: int, seconds: int) -> tuple[Token | None, bool]:
        """What a simulated terminal has read so many seconds after it was told the amount: a token, once there is a
        card, and whether the buyer went away.

        Raises:
            NoDevice: this is no sandbox.
        """
        if not self._has_terminals:
            raise NoDevice
        now = clock.now()
        read = reading(amount, seconds, now.year)
        return (self._keep(account_id, read.card) if read.card else None), read.cancelled

    def _keep(self, account_id: str, members: Mapping[str, Any]) -> Token:
        card = cards.read_card(members, clock.now())
        made = self._tokens.tokenise(account_id, NewCard(card, ONE_PAYMENT))
        return self._tokens.find(account_id, made["id"])
