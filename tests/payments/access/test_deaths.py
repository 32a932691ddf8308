"""Killed at whatever call: objects and the rows that requests are decided by agree, and counts stay true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from payments.access.handler import handler
from payments.engine.declarations import Resource
from payments.engine.repository import Objects
from payments.resources.access import ACCOUNT, APPLICATION_USER, ROLE, SPACE
from tests.payments.access.tenants import call, new_account, new_role, new_space, new_user
from tests.support.environment import DEPLOYMENT
from tests.support.faults import deaths
from tests.support.payments import Merchant
from tollgate import aws
from tollgate.auth.directory import row_key
from tollgate.store.table import Table

ROWS: tuple[tuple[str, Resource], ...] = (
    ("ACCOUNT", ACCOUNT),
    ("SPACE", SPACE),
    ("USER", APPLICATION_USER),
    ("ROLE", ROLE),
)


def table() -> Table:
    return Table(DEPLOYMENT.tables["PaymentsTable"].name, aws.dynamodb())


def check(admin: Merchant) -> None:
    """Every object has its row and every row of the tenant its object, in the same state; accounts count right."""
    spaces: Counter[int] = Counter()
    subaccounts: Counter[int] = Counter()
    for kind, resource in ROWS:
        for entity in Objects(table()).walk(resource, f"A{admin.account_id}", 0, 10**16 - 1, False):
            row = table().get(*row_key(kind, entity.id))
            assert row is not None, (kind, entity.id)
            assert row["state"] == entity.state
            if resource in {SPACE, APPLICATION_USER}:
                assert row["limit"] == entity.values["requestLimit"]
            if resource is SPACE and entity.state != "DELETED":
                spaces[entity.link("account") or 0] += 1
            if resource is ACCOUNT and entity.state != "DELETED" and entity.link("parentAccount"):
                subaccounts[entity.link("parentAccount") or 0] += 1
    for entity in Objects(table()).walk(ACCOUNT, f"A{admin.account_id}", 0, 10**16 - 1, False):
        row = table().get(*row_key("ACCOUNT", entity.id))
        assert row is not None
        assert (row["spaces"], row["subaccounts"]) == (spaces[entity.id], subaccounts[entity.id])


def user_of(admin: Merchant) -> str:
    return f"/application-users/{new_user(admin).user_id}"


def retried_delete(admin: Merchant, path: str) -> Callable[[], Any]:
    return lambda: call(admin, "DELETE", path)


def change_state(admin: Merchant, path: str) -> Callable[[], Any]:
    def attempt() -> None:
        version = call(admin, "GET", path)["version"]
        call(admin, "PATCH", path, {"version": version, "state": "INACTIVE", "requestLimit": 100})

    return attempt


SCENES: dict[str, Callable[[Merchant], Callable[[], Any]]] = {
    "create account": lambda admin: lambda: new_account(admin),
    "create space": lambda admin: lambda: new_space(admin),
    "create user": lambda admin: lambda: new_user(admin),
    "create role": lambda admin: lambda: new_role(admin, "customer.read"),
    "change space": lambda admin: change_state(admin, f"/spaces/{new_space(admin)}"),
    "change user": lambda admin: change_state(admin, user_of(admin)),
    "delete account": lambda admin: retried_delete(admin, f"/accounts/{new_account(admin)}"),
    "delete space": lambda admin: retried_delete(admin, f"/spaces/{new_space(admin)}"),
    "delete user": lambda admin: retried_delete(admin, user_of(admin)),
    "delete role": lambda admin: retried_delete(admin, f"/roles/{new_role(admin, 'customer.read')}"),
}


@pytest.mark.parametrize("scene", SCENES)
def test_objects_and_rows_agree(make_tenant: Any, scene: str) -> None:
    admin = make_tenant(handler)
    attempt, killed = SCENES[scene](admin), 0
    for _ in deaths(aws.dynamodb(), attempt):
        killed += 1
        check(admin)
    check(admin)
    assert killed >= 2


def test_switching_an_account(make_tenant: Any) -> None:
    admin = make_tenant(handler)
    branch = new_account(admin)
    for _ in deaths(aws.dynamodb(), lambda: call(admin, "POST", f"/accounts/{branch}/deactivate")):
        check(admin)
    assert call(admin, "GET", f"/accounts/{branch}")["state"] == "INACTIVE"


def test_a_key_is_there_or_not(make_tenant: Any) -> None:
    """A key whose answer was lost can be ended like any other; the first key goes on working throughout."""
    admin = make_tenant(handler)
    path = f"/application-users/{admin.user_id}/keys"
    for _ in deaths(aws.dynamodb(), lambda: call(admin, "POST", path)):
        assert all(each["state"] == "ACTIVE" for each in call(admin, "GET", path))
    spare = call(admin, "GET", path)[-1]["id"]
    for _ in deaths(aws.dynamodb(), lambda: call(admin, "DELETE", f"{path}/{spare}")):
        assert len(call(admin, "GET", path)) >= 2
    states = {each["id"]: each["state"] for each in call(admin, "GET", path)}
    assert states[spare] == "INACTIVE"


def test_opening_a_tenant_is_whole_or_not_at_all(provision: Callable[..., dict[str, Any]]) -> None:
    """One transaction makes account, key, risk instance and everything of the payments family."""
    client = aws.dynamodb()
    calls: list[str] = []

    def note(**event: Any) -> None:
        calls.append(str(event["event_name"]).rpartition(".")[2])

    client.meta.events.register("before-send.dynamodb.*", note)
    try:
        provision("create_account", name="whole")
    finally:
        client.meta.events.unregister("before-send.dynamodb.*", note)
    assert calls.count("TransactWriteItems") == 1
