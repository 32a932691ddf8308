"""What other groups may ask of sessions: to open one for a payer's browser, and what came of it."""

from __future__ import annotations

from tollgate import aws
from tollgate.crypto.keyring import Keyring
from tollgate.store.table import Table
from vault.sessions.models import CreateSession, Session
from vault.sessions.repository import SessionRepository
from vault.sessions.service import SessionService
from vault.tokens.public import TokenSettings, tokens_of

__all__ = ["CreateSession", "Session", "SessionService", "sessions_of"]


def sessions_of(settings: TokenSettings, keyring: Keyring) -> SessionService:
    """The use cases of a function with these settings."""
    return SessionService(
        SessionRepository(Table(settings.vault_ephemeral_table, aws.dynamodb())),
        tokens_of(settings, keyring),
        keyring,
        takes_test_cards=settings.is_sandbox,
    )
