"""Tokens and security codes in DynamoDB."""

from __future__ import annotations

from vault.tokens.repository.codes import SecurityCodeRepository
from vault.tokens.repository.rows import Due, Filter, Origin, Sealed, TokenChanged, public_forms
from vault.tokens.repository.tokens import TokenRepository

__all__ = [
    "Due",
    "Filter",
    "Origin",
    "Sealed",
    "SecurityCodeRepository",
    "TokenChanged",
    "TokenRepository",
    "public_forms",
]
