"""The door for functions outside the card zone that let a card come in: an invocation with one action. No public route.

Answers hold a token's id and the masked number. A refusal is an answer too (`failure`). Whoever may invoke the
function acts for any account; the account is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tollgate import config, sandbox_clock
from tollgate.errors import Failure
from tollgate.log import Journal
from vault.card_entry.service import CardEntryService
from vault.sessions.public import sessions_of
from vault.tokens.public import Token, TokenSettings, card_keyring, tokens_of

_settings = config.load(TokenSettings)
_journal = Journal("card-entry", _settings.log_level)
_keyring = card_keyring(_settings)
_service = CardEntryService(
    tokens_of(_settings, _keyring),
    sessions_of(_settings, _keyring),
    has_simulated_terminals=_settings.is_sandbox,
)


def open_session(event: Mapping[str, Any]) -> dict[str, Any]:
    """`lasting` for a card that is to be charged again."""
    return {"session_id": _service.open_session(event["account_id"], lasting=bool(event.get("lasting")))}


def read_session(event: Mapping[str, Any]) -> dict[str, Any]:
    """`card` is null while nobody has entered one."""
    return {"card": _described(_service.came_of(event["account_id"], event["session_id"]))}


def read_card(event: Mapping[str, Any]) -> dict[str, Any]:
    """`amount` in minor units, `seconds` since the terminal was told."""
    token, cancelled = _service.read_card(event["account_id"], event["amount"], event["seconds"])
    return {"card": _described(token), "cancelled": cancelled}


_ACTIONS: Final = {"open_session": open_session, "read_session": read_session, "read_card": read_card}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Carry out one action; the answer is its result or a `failure`."""
    sandbox_clock.refresh()
    action = _ACTIONS.get(event.get("action", ""))
    if action is None:
        raise ValueError("no such action")
    try:
        return action(event)
    except Failure as failure:
        _journal.note("refused", failure=type(failure).__name__)
        kinds = [kind.__name__ for kind in type(failure).__mro__ if issubclass(kind, Failure)]
        return {"failure": kinds, "message": failure.message}


def _described(token: Token | None) -> dict[str, Any] | None:
    if token is None:
        return None
    return {
        "token_id": token.id,
        "masked_account_number": token.masked_account_number,
        "scheme": token.scheme,
        "expiry_month": token.expiry_month,
        "expiry_year": token.expiry_year,
        "fingerprint": token.fingerprint,
    }
