"""Provisioning by direct invocation: accounts, keys and their rotation, OpenID members, refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from control.provisioning.handler import handler as provisioning
from tests.support.environment import DEPLOYMENT
from tests.support.http import send
from tollgate import aws
from vault.tokens.handler import handler as tokens

Provision = Callable[..., dict[str, Any]]


def status_with(api_key: str) -> int:
    return send(tokens, "GET", "/tokens", headers={"x-api-key": api_key}).status


def test_an_account_comes_with_its_secrets_once(provision: Provision) -> None:
    account = provision("create_account", name="shop")
    assert re.fullmatch(r"[0-9a-f-]{36}", account["id"])
    assert account["name"] == "shop"
    assert re.fullmatch(r"tg_sbx_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", account["vault"]["api_key"])
    assert len(account["vault"]["hmac_key"]) == 43
    assert status_with(account["vault"]["api_key"]) == 200


def test_no_secret_is_stored_in_clear(provision: Provision) -> None:
    account = provision("create_account", name="shop")
    stored = repr(aws.dynamodb().scan(TableName=DEPLOYMENT.tables["IdentityTable"].name)["Items"])
    secret = account["vault"]["api_key"].split("_", 3)[3]
    assert account["id"] in stored
    assert secret not in stored
    assert account["vault"]["hmac_key"] not in stored


def test_a_rotated_key_holds_on_for_its_grace_period(provision: Provision, held_clock: Any) -> None:
    account = provision("create_account", name="shop")
    former = account["vault"]["api_key"]
    rotated = provision("rotate_api_key", account_id=account["id"], grace_seconds=60)
    assert status_with(rotated["vault"]["api_key"]) == 200
    assert status_with(former) == 200
    held_clock.advance(seconds=61)
    assert status_with(rotated["vault"]["api_key"]) == 200
    from vault.tokens import handler as module

    module.handler._authenticate._identity._api_keys._known.clear()  # type: ignore[union-attr]
    assert status_with(former) == 401


def test_a_rotation_without_grace_ends_the_former_key(provision: Provision) -> None:
    account = provision("create_account", name="shop")
    provision("rotate_api_key", account_id=account["id"], grace_seconds=0)
    assert status_with(account["vault"]["api_key"]) == 401


def test_options_change_one_by_one_and_null_takes_them_away(provision: Provision) -> None:
    account = provision("create_account", name="shop", forward_destinations=["https://a.example/pay"])
    changed = provision("update_account", account_id=account["id"], name="shop 2")
    assert (changed["name"], changed["forward_destinations"]) == ("shop 2", ["https://a.example/pay"])
    assert (
        provision("update_account", account_id=account["id"], forward_destinations=None)["forward_destinations"] == []
    )


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, "$.action"),
        ({"action": "explode"}, "$.action"),
        ({"action": 7}, "$.action"),
        ({"action": "create_account"}, "$.name"),
        ({"action": "create_account", "name": ""}, "$.name"),
        ({"action": "create_account", "name": "x", "surprise": 1}, "$.surprise"),
        (
            {"action": "create_account", "name": "x", "notification_url": "http://169.254.169.254/"},
            "$.notification_url",
        ),
        ({"action": "create_account", "name": "x", "notification_url": "nonsense"}, "$.notification_url"),
        ({"action": "rotate_api_key", "account_id": "x"}, "$.account_id"),
    ],
)
def test_a_bad_payload_is_answered_with_its_path(payload: dict[str, Any], path: str) -> None:
    answer = provisioning(payload, object())
    assert answer["classifier"] == "VALIDATION_ERROR"
    assert [each["path"] for each in answer["validation_errors"]] == [path]


@pytest.mark.parametrize("action", ["update_account", "rotate_api_key"])
def test_an_unknown_account_is_not_found(provision: Provision, action: str) -> None:
    answer = provision(action, account_id="00000000-0000-4000-8000-000000000000")
    assert answer["classifier"] == "NOT_FOUND"
