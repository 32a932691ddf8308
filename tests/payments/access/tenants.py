"""What tests of access do over and over: calls that must succeed or be refused, new users, roles, accounts, spaces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from payments.access.handler import handler
from tests.support.payments import Merchant
from tollgate.auth import permissions


def call(merchant: Merchant, method: str, path: str, body: Any = None, **arguments: Any) -> Any:
    """The answer's body of a call that has to succeed."""
    answer = merchant.call(handler, method, path, body, **{"space": None, **arguments})
    assert 200 <= answer.status < 300, (answer.status, answer.body)
    return answer.json if answer.body else None


def refused(merchant: Merchant, method: str, path: str, body: Any = None, **arguments: Any) -> tuple[int, str]:
    answer = merchant.call(handler, method, path, body, **{"space": None, **arguments})
    return answer.status, answer.json["code"] if answer.body else ""


def new_user(admin: Merchant, name: str = "robot", **members: Any) -> Merchant:
    """A further application user of the tenant, without any role."""
    made = call(admin, "POST", "/application-users", {"primaryAccount": admin.account_id, "name": name, **members})
    return replace(admin, user_id=made["id"], key=made["macKey"])


def new_role(admin: Merchant, *names: str, account: int | None = None) -> int:
    by_key = {each.key: each.id for each in permissions.tree().values()}
    body = {
        "account": account or admin.account_id,
        "name": {"en-US": "role"},
        "permissions": [by_key[n] for n in names],
    }
    return int(call(admin, "POST", "/roles", body)["id"])


def give(admin: Merchant, user: Merchant, role: int, account: int | None = None, *, below: bool = False) -> Any:
    path = f"/application-users/{user.user_id}/account-roles?roleId={role}&appliesOnSubAccount={str(below).lower()}"
    return call(admin, "POST", path, account=account or admin.account_id)


def give_in_space(admin: Merchant, user: Merchant, role: int, space: int | None = None) -> Any:
    path = f"/application-users/{user.user_id}/space-roles?roleId={role}"
    return call(admin, "POST", path, space=space or admin.space_id)


def new_account(admin: Merchant, name: str = "branch", **members: Any) -> int:
    return int(call(admin, "POST", "/accounts", {"name": name, "scope": 1, **members})["id"])


def new_space(admin: Merchant, account: int | None = None, **members: Any) -> int:
    return int(
        call(admin, "POST", "/spaces", {"name": "shop two", "account": account or admin.account_id, **members})["id"]
    )
