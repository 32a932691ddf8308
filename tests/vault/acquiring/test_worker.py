"""The door for those who may not see a card: what goes in stays in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from vault.acquiring.worker import handler

PAN = "4111111111111111"
CARD = {"account_number": PAN, "expiry_month": 12, "expiry_year": 2040, "security_code": "737"}


@pytest.fixture
def account_id(provision: Callable[..., dict[str, Any]]) -> str:
    return str(provision("create_account", name="test")["id"])


def invoke(action: str, account_id: str, **members: Any) -> dict[str, Any]:
    return handler({"action": action, "account_id": account_id, **members}, object())


def authorise(account_id: str, token_id: str, **changes: Any) -> dict[str, Any]:
    members = {"connector": "test", "token_id": token_id, "reference": str(uuid.uuid4()), "amount": 100,
               "currency": "EUR", **changes}  # fmt: skip
    return invoke("authorise", account_id, **members)


def test_keeps_a_card_and_answers_no_number(account_id: str) -> None:
    made = invoke("keep", account_id, card=CARD)
    assert made["masked_account_number"] == "411111******1111"
    assert (made["scheme"], made["expiry_month"], made["expiry_year"]) == ("VISA", 12, 2040)
    assert PAN not in json.dumps(made)
    assert "737" not in json.dumps({name: value for name, value in made.items() if name != "token_id"}).replace(
        made["fingerprint"], ""
    )


def test_the_same_card_has_the_same_fingerprint_within_an_account(
    account_id: str, provision: Callable[..., dict[str, Any]]
) -> None:
    first, second = (invoke("keep", account_id, card=CARD) for _ in range(2))
    other = invoke("keep", str(provision("create_account", name="other")["id"]), card=CARD)
    assert first["token_id"] != second["token_id"]
    assert first["fingerprint"] == second["fingerprint"] != other["fingerprint"]


def test_names_the_faults_of_a_card_without_its_number(account_id: str) -> None:
    refused = invoke("keep", account_id, card={**CARD, "account_number": "4111111111111112"})
    assert "Invalid" in refused["failure"]
    assert [each["path"] for each in refused["faults"]] == ["$.cardData.account_number"]
    assert "4111111111111112" not in json.dumps(refused)


def test_charges_the_card_behind_a_token(account_id: str) -> None:
    token_id = invoke("keep", account_id, card=CARD)["token_id"]
    outcome = authorise(account_id, token_id)
    assert outcome["status"] == "approved"
    asked = invoke("describe", account_id, token_id=token_id)
    assert asked["token_id"] == token_id


def test_goes_on_with_what_was_authorised(account_id: str) -> None:
    token_id = invoke("keep", account_id, card=CARD)["token_id"]
    authorise(account_id, token_id, reference="one")
    rest = {"connector": "test", "parent": "one", "currency": "EUR", "amount": 100}
    assert invoke("capture", account_id, reference="two", **rest)["status"] == "approved"
    assert invoke("refund", account_id, reference="three", **rest)["status"] == "approved"
    assert invoke("void", account_id, reference="four", **rest)["reason"] == "not_voidable"
    assert invoke("ask", account_id, connector="test", reference="two")["status"] == "approved"


@pytest.mark.parametrize("gone", ["another", "forgotten"])
def test_charges_no_token_that_is_not_there(
    account_id: str, provision: Callable[..., dict[str, Any]], gone: str
) -> None:
    owner = str(provision("create_account", name="other")["id"]) if gone == "another" else account_id
    token_id = invoke("keep", owner, card=CARD)["token_id"]
    if gone == "forgotten":
        assert invoke("forget", account_id, token_id=token_id) == {}
    assert "NotFound" in authorise(account_id, token_id)["failure"]


def test_says_that_nobody_knows(account_id: str) -> None:
    token_id = invoke("keep", account_id, card=CARD)["token_id"]
    assert "UpstreamTimeout" in authorise(account_id, token_id, amount=6003)["failure"]


def test_has_no_connector_that_is_not_there(account_id: str) -> None:
    token_id = invoke("keep", account_id, card=CARD)["token_id"]
    assert "UnknownConnector" in authorise(account_id, token_id, connector="nothing")["failure"]


def test_takes_no_other_action(account_id: str) -> None:
    with pytest.raises(ValueError, match="no such action"):
        invoke("reveal", account_id)


def test_loads_no_sdk_before_it_is_needed() -> None:
    """Most payments never need it, and all would wait for it."""
    program = "import sys, vault.acquiring.worker; sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, env=environment()).returncode == 0


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
