"""The credentials file is made once, follows the base URL and the issuer, and is made anew only when it must be."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from local.credentials import Credentials, ProvisioningError
from local.workers import Ending, Outcome


class Provisioning:
    """Stands for the function; numbers the accounts it makes."""

    def __init__(self, failing: Outcome | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._failing = failing

    async def __call__(self, payload: bytes) -> Outcome:
        call = json.loads(payload)
        self.calls.append(call)
        number = sum(made["action"] == "create_account" for made in self.calls)
        answer = {"id": str(number), "name": call.get("name"), "vault": {"api_key": f"key {number}"}}
        return self._failing or Outcome(json.dumps(answer).encode(), Ending.RETURNED)

    @property
    def actions(self) -> list[str]:
        return [call["action"] for call in self.calls]


def ensure(path: Path, provision: Provisioning | None, issuer: str = "http://i:1", **more: Any) -> bool:
    options = {"is_new_data": False, **more}
    url = options.pop("url", "http://h:1")
    return asyncio.run(Credentials(path, provision).ensure(url, issuer, **options))


def test_two_accounts_with_a_member_each_for_the_owner_s_eyes(tmp_path: Path) -> None:
    path, provision = tmp_path / "credentials.json", Provisioning()
    assert ensure(path, provision)
    content = json.loads(path.read_text())
    assert content["base_url"] == "http://h:1"
    assert [(account["name"], account["vault"]["api_key"]) for account in content["accounts"]] == [
        ("demo", "key 1"),
        ("other", "key 2"),
    ]
    demo, other = (account["oidc"] for account in content["accounts"])
    assert demo == {"issuer": "http://i:1", "client_id": "tollgate-demo", "subject": "demo-operator"}
    assert not set(demo.values()) - {demo["issuer"]} & set(other.values())
    assert provision.calls[2:] == [
        {"action": "add_oidc_member", "account_id": "1", **demo},
        {"action": "add_oidc_member", "account_id": "2", **other},
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_restart_keeps_the_secrets_and_follows_the_port(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    ensure(path, Provisioning())
    before, again = json.loads(path.read_text()), Provisioning()
    assert not ensure(path, again, url="http://h:2")
    assert again.calls == []
    assert json.loads(path.read_text()) == before | {"base_url": "http://h:2"}


def test_an_issuer_that_moved_is_registered_again(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    ensure(path, Provisioning())
    again = Provisioning()
    ensure(path, again, issuer="http://i:2")
    assert again.actions == ["add_oidc_member"] * 2
    assert {account["oidc"]["issuer"] for account in json.loads(path.read_text())["accounts"]} == {"http://i:2"}


@pytest.mark.parametrize("content", [None, "", "[1]", '{"accounts": []}', '{"accounts": [{"name": "demo"}]}'])
def test_a_lost_or_broken_file_means_new_accounts(tmp_path: Path, content: str | None) -> None:
    path, provision = tmp_path / "credentials.json", Provisioning()
    if content is not None:
        path.write_text(content)
    assert ensure(path, provision)
    assert provision.actions[:2] == ["create_account"] * 2


def test_a_file_of_forgotten_data_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    ensure(path, Provisioning())
    assert ensure(path, Provisioning(), is_new_data=True)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(b'{"errorType":"Boom","errorMessage":"x"}', Ending.RAISED),
        Outcome(b'{"classifier":"INVALID","message":"no"}', Ending.RETURNED),
        Outcome(b"[]", Ending.RETURNED),
    ],
)
def test_a_failure_is_plain_and_leaves_no_file(tmp_path: Path, outcome: Outcome) -> None:
    with pytest.raises(ProvisioningError):
        ensure(tmp_path / "credentials.json", Provisioning(outcome))
    assert not (tmp_path / "credentials.json").exists()
