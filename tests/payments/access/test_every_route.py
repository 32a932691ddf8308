"""All routes of all functions of the family: none without a signature, without its permission, in a foreign scope."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any

import pytest

from payments.access.handler import handler as access
from tests.payments.access.tenants import give, new_role, new_user
from tests.support.environment import DEPLOYMENT
from tests.support.http import send
from tests.support.payments import BASE, Merchant
from tollgate.auth import permissions
from tollgate.dialects.payments import ACCOUNT, SIGNED, SPACE
from tollgate.http.route import Route

FUNCTIONS = sorted(
    name for name, function in DEPLOYMENT.functions.items() if function.handler.startswith("payments.")
)  # fmt: skip


def door_of(function: str) -> tuple[Any, Sequence[Route]]:
    """The handler of a function and the routes that take signatures."""
    module = importlib.import_module(DEPLOYMENT.functions[function].handler.rpartition(".")[0])
    return module.handler, [route for route in getattr(module, "ROUTES", ()) if route.access == SIGNED]


def path_of(route: Route) -> str:
    return re.sub(r"\{\w+\}", "17", route.path).removeprefix(BASE)


def answers(door: Any, routes: Sequence[Route], user: Merchant, **scope: Any) -> dict[str, tuple[int, str]]:
    """Status and code of each operation, asked for without body and parameters."""
    found = {}
    for route in routes:
        answer = user.call(door, route.method, path_of(route), **scope)
        found[route.operation_id] = (answer.status, answer.json["code"] if answer.status >= 400 else "")
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nobody_without_a_signature(function: str) -> None:
    door, routes = door_of(function)
    for route in routes:
        assert send(door, route.method, BASE + path_of(route)).status == 401, route.operation_id


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nobody_without_the_permission(make_tenant: Any, function: str) -> None:
    door, routes = door_of(function)
    admin = make_tenant(access)
    user = new_user(admin)
    give(admin, user, new_role(admin, "savedView.read"))
    asked = [route for route in routes if route.permission and route.permission != "savedView.read"]
    found = answers(door, asked, user, account=admin.account_id)
    assert {name: each for name, each in found.items() if each != (403, "permission_denied")} == {}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("number", ["foreign", "absent"])
def test_nobody_in_a_foreign_scope(make_tenant: Any, function: str, number: str) -> None:
    door, routes = door_of(function)
    admin, other = make_tenant(access), make_tenant(access)
    space, account = (other.space_id, other.account_id) if number == "foreign" else (17, 17)
    for scope, code in ((SPACE, "space_not_permitted"), (ACCOUNT, "account_not_permitted")):
        asked = [route for route in routes if route.scope == scope]
        found = answers(door, asked, admin, space=space, account=account)
        assert {name: each for name, each in found.items() if each != (403, code)} == {}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_permissions_are_of_the_tree_and_missing_on_reference_data_alone(function: str) -> None:
    _, routes = door_of(function)
    assert {route.permission for route in routes if route.permission} <= permissions.leaves()
    bare = [route for route in routes if not route.permission]
    assert [route.operation_id for route in bare if route.method != "GET" or route.scope] == []
