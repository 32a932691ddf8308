"""The door by which cards come in: a session's token for its account alone, a terminal's card by the amount."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import RSAKey

from tests.support.http import send
from tests.support.session import HeldClock
from vault.card_entry import worker
from vault.card_entry.rules import SLOWLY
from vault.sessions.handler import handler as sessions

PAN = "4242424242424242"


@pytest.fixture
def account_id(provision: Callable[..., dict[str, Any]]) -> str:
    return str(provision("create_account", name="test")["id"])


def ask(action: str, account_id: str, **members: Any) -> dict[str, Any]:
    return worker.handler({"action": action, "account_id": account_id, **members}, object())


def enter_card(session_id: str, number: str = PAN) -> None:
    """What the card form does in the buyer's browser."""
    key = send(sessions, "GET", f"/sessions/{session_id}").json["data"]["jwk"]
    card = {"account_number": number, "expiry_month": 12, "expiry_year": 2040, "security_code": "123"}
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": key["kid"]}
    sealed = jwe.encrypt_compact(
        header, json.dumps(card), RSAKey.import_key(key), algorithms=["RSA-OAEP-256", "A256GCM"]
    )
    body = {"action": "tokenize_card", "result": {"enc_payload": sealed}}
    assert send(sessions, "POST", f"/sessions/{session_id}/complete-action", json_body=body).status == 200


class TestSessions:
    def test_a_card_comes_in_and_its_number_does_not_go_out(self, account_id: str) -> None:
        session_id = ask("open_session", account_id)["session_id"]
        assert ask("read_session", account_id, session_id=session_id) == {"card": None}
        enter_card(session_id)
        card = ask("read_session", account_id, session_id=session_id)["card"]
        assert (card["masked_account_number"], card["scheme"]) == ("424242******4242", "VISA")
        assert PAN not in json.dumps(card)

    def test_a_key_that_another_function_made_is_unwrapped(self, account_id: str) -> None:
        first = ask("open_session", account_id)["session_id"]
        enter_card(first)
        worker._keyring._clear.clear()
        assert ask("read_card", account_id, amount=1000, seconds=0)["card"] is not None

    def test_another_account_s_session_and_none_are_not_told_apart(
        self, account_id: str, provision: Callable[..., dict[str, Any]]
    ) -> None:
        session_id = ask("open_session", account_id)["session_id"]
        enter_card(session_id)
        other = str(provision("create_account", name="other")["id"])
        for asked in (session_id, str(uuid.uuid4()), "x"):
            assert "NotFound" in ask("read_session", other, session_id=asked)["failure"]

    def test_a_card_for_one_payment_ends_by_itself(self, account_id: str, held_clock: HeldClock) -> None:
        ids = {lasting: ask("open_session", account_id, lasting=lasting)["session_id"] for lasting in (False, True)}
        for session_id in ids.values():
            enter_card(session_id)
        tokens = {k: ask("read_session", account_id, session_id=v)["card"]["token_id"] for k, v in ids.items()}
        from vault.acquiring.worker import handler as acquiring

        held_clock.advance(hours=25)
        described = {
            lasting: acquiring({"action": "describe", "account_id": account_id, "token_id": token_id}, object())
            for lasting, token_id in tokens.items()
        }
        assert "failure" in described[False]
        assert described[True]["token_id"] == tokens[True]


class TestTerminals:
    @pytest.mark.parametrize(
        ("amount", "seconds", "card", "cancelled"),
        [
            (1000, 0, True, False),
            (1071, SLOWLY - 1, False, False),
            (1071, SLOWLY, True, False),
            (1072, 0, False, True),
            (1073, 0, True, False),
            (1074, 10**6, False, False),
        ],
    )
    def test_the_amount_says_what_happens(
        self, account_id: str, amount: int, seconds: int, card: bool, cancelled: bool
    ) -> None:
        read = ask("read_card", account_id, amount=amount, seconds=seconds)
        assert (read["card"] is not None, read["cancelled"]) == (card, cancelled)

    def test_there_are_none_outside_a_sandbox(self, account_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(worker._service, "_has_terminals", False)
        assert "NoDevice" in ask("read_card", account_id, amount=1000, seconds=0)["failure"]


def test_an_action_that_there_is_not_is_a_mistake_of_ours(account_id: str) -> None:
    with pytest.raises(ValueError, match="no such action"):
        ask("sell", account_id)
