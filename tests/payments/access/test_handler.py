"""Accounts, spaces, users, keys, roles: what each operation does, to whom, and what it refuses."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from payments.access.handler import ROUTES, handler
from payments.access.models import MOST_KEYS
from payments.engine import statics
from payments.resources.access import PERMISSION
from tests.payments.access.tenants import call, give, give_in_space, new_account, new_role, new_space, new_user, refused
from tests.payments.access.test_signed_requests import door
from tests.support.environment import DEPLOYMENT
from tests.support.payments import Merchant
from tollgate import aws
from tollgate.auth import permissions

# ---------------------------------------------------------------------- what a tenant comes with


def test_a_tenant_comes_with_an_account_a_space_a_user_and_roles(admin: Merchant) -> None:
    account = call(admin, "GET", f"/accounts/{admin.account_id}")
    assert (account["name"], account["state"], account["type"], account["active"]) == (
        "shop",
        "ACTIVE",
        "REGULAR",
        True,
    )
    space = call(admin, "GET", f"/spaces/{admin.space_id}?expand=account")
    assert (space["name"], space["account"]["name"], space["active"]) == ("shop", "shop", True)
    user = call(admin, "GET", f"/application-users/{admin.user_id}")
    assert (user["primaryAccount"], user["state"], user["userType"]) == (admin.account_id, "ACTIVE", "APPLICATION_USER")
    assert [each["name"]["en-US"] for each in call(admin, "GET", "/roles")["data"]] == ["Administrator", "Viewer"]
    held = call(admin, "GET", f"/application-users/{admin.user_id}/account-roles", account=admin.account_id)
    assert [each["appliesOnSubAccount"] for each in held["data"]] == [True]


def test_a_tenant_sees_nothing_of_another(admin: Merchant, make_tenant: Any) -> None:
    other = make_tenant(handler)
    for path, number in (
        ("/accounts", other.account_id),
        ("/spaces", other.space_id),
        ("/application-users", other.user_id),
    ):
        assert refused(admin, "GET", f"{path}/{number}") == (404, "not_found")
        assert refused(admin, "PATCH", f"{path}/{number}", {"version": 1}) == (404, "not_found")
        assert refused(admin, "DELETE", f"{path}/{number}") == (404, "not_found")
        assert number not in [each["id"] for each in call(admin, "GET", f"{path}?limit=100")["data"]]
        assert call(admin, "GET", f"{path}/search?query=id:{number}")["data"] == []
    users = f"/application-users/{other.user_id}"
    assert refused(admin, "GET", f"{users}/keys")[0] == 404
    assert refused(admin, "POST", f"{users}/keys")[0] == 404
    role = call(admin, "GET", "/roles")["data"][0]["id"]
    assert refused(admin, "POST", f"{users}/account-roles?roleId={role}", account=admin.account_id)[0] == 404
    assert refused(admin, "POST", f"{users}/account-roles?roleId={role}", account=other.account_id)[0] == 403
    assert refused(admin, "POST", f"/accounts/{other.account_id}/deactivate")[0] == 404
    assert refused(admin, "POST", "/spaces", {"name": "mine", "account": other.account_id})[0] == 422
    assert refused(admin, "POST", "/application-users", {"primaryAccount": other.account_id})[0] == 422
    assert (
        refused(admin, "POST", "/accounts", {"name": "mine", "scope": 1, "parentAccount": other.account_id})[0] == 422
    )
    foreign = call(other, "GET", "/roles")["data"][0]["id"]
    mine = f"/application-users/{admin.user_id}"
    assert refused(admin, "POST", f"{mine}/account-roles?roleId={foreign}", account=admin.account_id)[0] == 400


# ---------------------------------------------------------------------- permissions on every route


def ids_in(path: str, number: int) -> str:
    return "/" + "/".join(str(number) if part.startswith("{") else part for part in path.split("/")[3:])


@pytest.mark.parametrize("route", [route for route in ROUTES if route.permission], ids=lambda route: route.operation_id)
def test_a_user_without_the_permission_may_not(admin: Merchant, route: Any) -> None:
    """Also where the object is not there: who may not look does not learn that."""
    user = new_user(admin)
    others = sorted(permissions.leaves() - {route.permission})
    role = new_role(admin, *others)
    give(admin, user, role)
    scope = {"account": admin.account_id if route.scope == "account" else None, "space": admin.space_id}
    answer = user.call(handler, route.method, ids_in(route.path, 17), None, **scope)
    assert (answer.status, answer.json["code"]) == (403, "permission_denied")
    assert route.permission in answer.json["message"]
    give(admin, user, new_role(admin, route.permission))
    assert user.call(handler, route.method, ids_in(route.path, 17), None, **scope).status != 403


@pytest.mark.parametrize("route", [route for route in ROUTES if route.scope], ids=lambda route: route.operation_id)
def test_a_foreign_scope_is_refused_on_every_route(admin: Merchant, make_tenant: Any, route: Any) -> None:
    other = make_tenant(handler)
    for account, space in ((other.account_id, other.space_id), (17, 17)):
        scope = {"account": account, "space": None} if route.scope == "account" else {"space": space}
        answer = admin.call(handler, route.method, ids_in(route.path, admin.user_id), None, **scope)
        assert (answer.status, answer.json["code"]) == (403, f"{route.scope}_not_permitted")


def test_only_reference_data_asks_no_permission(admin: Merchant) -> None:
    open_routes = [route for route in ROUTES if not route.permission]
    assert {route.method for route in open_routes} == {"GET"}
    assert {route.scope for route in open_routes} == {""}
    assert call(new_user(admin), "GET", "/permissions")["data"]


def test_the_tree_of_permissions_is_published_as_it_is(admin: Merchant) -> None:
    published = statics.objects_of(PERMISSION)
    tree = permissions.tree()
    assert list(published) == list(tree)
    for number, node in tree.items():
        values = published[number].values
        assert (values.get("parent"), values["leaf"], values["group"]) == (node.parent, node.is_leaf, not node.is_leaf)
        assert values["title"] == {"en-US": node.title}
        assert values["pathToRoot"] == ([node.parent] if node.parent else [])
        assert values["twoFactorRequired"] is node.needs_two_factors
    leaf = next(each for each in tree.values() if each.key == "refund.create")
    assert call(admin, "GET", f"/permissions/{leaf.id}")["title"] == {"en-US": "Refund: create"}
    assert call(admin, "GET", f"/permissions/search?query=id:{leaf.id}")["data"][0]["parent"] == leaf.parent
    assert call(admin, "GET", "/permissions?limit=100")["hasMore"] is True


# ---------------------------------------------------------------------- roles in effect


def test_a_role_counts_at_once_where_it_was_given(admin: Merchant) -> None:
    user = new_user(admin)
    role = new_role(admin, "customer.read")
    assert user.call(door, "GET", "/probes").status == 403
    given = give_in_space(admin, user, role)
    assert given["space"] == admin.space_id
    assert user.call(door, "GET", "/probes").status == 200
    assert user.call(door, "POST", "/probes", {}).status == 403
    assert user.call(door, "GET", "/probes", space=new_space(admin)).status == 403
    call(admin, "DELETE", f"/application-users/{user.user_id}/space-roles?roleId={role}", space=admin.space_id)
    assert refused(user, "GET", f"/application-users/{user.user_id}") == (403, "permission_denied")


def test_a_role_in_an_account_reaches_its_spaces_and_no_further_unless_said(admin: Merchant) -> None:
    branch = new_account(admin)
    below = new_space(admin, branch)
    user, role = new_user(admin), new_role(admin, "customer.read")
    give(admin, user, role)
    assert user.call(door, "GET", "/probes").status == 200
    assert user.call(door, "GET", "/probes", space=below).status == 403
    again = give(admin, user, role, below=True)
    assert (again["appliesOnSubAccount"], again["version"]) == (True, 2)
    assert user.call(door, "GET", "/probes", space=below).status == 200


def test_a_role_of_a_branch_does_not_reach_up(admin: Merchant) -> None:
    branch = new_account(admin)
    below = new_space(admin, branch)
    user, role = new_user(admin), new_role(admin, "customer.read", account=branch)
    path = f"/application-users/{user.user_id}/account-roles?roleId={role}"
    assert refused(admin, "POST", path, account=admin.account_id)[0] == 400
    call(admin, "POST", path, account=branch)
    assert user.call(door, "GET", "/probes", space=below).status == 200
    assert user.call(door, "GET", "/probes").status == 403


def test_a_changed_role_counts_for_those_who_have_it(admin: Merchant) -> None:
    user, role = new_user(admin), new_role(admin, "customer.read")
    give(admin, user, role)
    assert user.call(door, "GET", "/probes").status == 200
    by_key = {each.key: each.id for each in permissions.tree().values()}
    call(admin, "PATCH", f"/roles/{role}", {"version": 1, "permissions": [by_key["customer.update"]]})
    assert user.call(door, "PATCH", "/probes/1", {}).status == 200
    call(admin, "DELETE", f"/roles/{role}")
    assert call(admin, "GET", f"/roles/{role}")["state"] == "DELETED"
    assert refused(user, "GET", "/roles")[0] == 403
    path = f"/application-users/{user.user_id}/account-roles?roleId={role}"
    assert refused(admin, "POST", path, account=admin.account_id)[0] == 400


def test_a_group_stands_for_its_leaves(admin: Merchant) -> None:
    user = new_user(admin)
    give(admin, user, new_role(admin, "customer"))
    assert user.call(door, "POST", "/probes", {}).status == 200


def test_nobody_hands_out_what_they_lack(admin: Merchant) -> None:
    user = new_user(admin)
    give(admin, user, new_role(admin, "applicationUser", "role", "customer.read"))
    administrator = call(admin, "GET", "/roles")["data"][0]["id"]
    mine = f"/application-users/{user.user_id}"
    assert refused(user, "POST", f"{mine}/account-roles?roleId={administrator}", account=admin.account_id)[0] == 403
    assert refused(user, "POST", f"{mine}/space-roles?roleId={administrator}", space=admin.space_id)[0] == 403
    by_key = {each.key: each.id for each in permissions.tree().values()}
    for name in ("refund.create", "refund"):
        body = {"account": admin.account_id, "name": {}, "permissions": [by_key[name]]}
        assert refused(user, "POST", "/roles", body)[0] == 403
    own = call(
        user, "POST", "/roles", {"account": admin.account_id, "name": {}, "permissions": [by_key["customer.read"]]}
    )
    changed = {"version": own["version"], "permissions": [by_key["refund.create"]]}
    assert refused(user, "PATCH", f"/roles/{own['id']}", changed)[0] == 403


def test_the_roles_that_a_tenant_came_with_stay(admin: Merchant) -> None:
    role = call(admin, "GET", "/roles")["data"][0]
    assert refused(admin, "PATCH", f"/roles/{role['id']}", {"version": role["version"]}) == (422, "object_protected")
    assert refused(admin, "DELETE", f"/roles/{role['id']}") == (422, "object_protected")
    assert refused(admin, "DELETE", f"/accounts/{admin.account_id}") == (422, "object_protected")


def test_assignments_are_listed_by_place_and_given_once(admin: Merchant) -> None:
    user, role = new_user(admin), new_role(admin, "customer.read")
    first = give(admin, user, role)
    assert give(admin, user, role) == first
    give_in_space(admin, user, role)
    path = f"/application-users/{user.user_id}"
    in_account = call(admin, "GET", f"{path}/account-roles", account=admin.account_id)
    in_space = call(admin, "GET", f"{path}/space-roles", space=admin.space_id)
    assert in_account["data"] == [first]
    assert [each["space"] for each in in_space["data"]] == [admin.space_id]
    assert set(first) == {"id", "version", "account", "appliesOnSubAccount", "role", "user"}
    call(admin, "DELETE", f"{path}/account-roles?roleId={role}", account=admin.account_id)
    assert refused(admin, "DELETE", f"{path}/account-roles?roleId={role}", account=admin.account_id)[0] == 404
    assert len(call(admin, "GET", f"{path}/space-roles", space=admin.space_id)["data"]) == 1


@pytest.mark.parametrize(
    "query", ["", "?roleId=", "?roleId=x", "?roleId=0", "?roleId=-1", "?roleId=1&roleId=2", "?roleId=17"]
)
def test_a_role_must_be_named(admin: Merchant, query: str) -> None:
    path = f"/application-users/{admin.user_id}/account-roles{query}"
    answer = admin.call(handler, "POST", path, account=admin.account_id)
    assert (answer.status, list(answer.json["errors"])) == (400, ["roleId"])


def test_kinds_of_users_keep_apart(admin: Merchant) -> None:
    role = new_role(admin, "customer.read")
    person = call(admin, "POST", "/human-users", {"emailAddress": "ada@example.com"})["id"]
    assert refused(admin, "GET", f"/application-users/{person}")[0] == 404
    path = f"/account-roles?roleId={role}"
    assert refused(admin, "POST", f"/application-users/{person}{path}", account=admin.account_id)[0] == 404
    assert call(admin, "POST", f"/human-users/{person}{path}", account=admin.account_id)["user"] == person
    assert refused(admin, "GET", f"/application-users/{person}/keys")[0] == 404


# ---------------------------------------------------------------------- application users and keys


def test_a_new_user_signs_with_the_key_shown_once(admin: Merchant) -> None:
    made = call(admin, "POST", "/application-users", {"primaryAccount": admin.account_id, "name": "robot"})
    assert len(base64.b64decode(made["macKey"])) == 32
    assert made["version"] == 1
    user = replace(admin, user_id=made["id"], key=made["macKey"])
    assert user.call(door, "GET", "/probes").status == 403
    shown = json.dumps(
        [
            call(admin, "GET", f"/application-users/{user.user_id}"),
            call(admin, "GET", f"/application-users/{user.user_id}/keys"),
        ]
    )
    assert made["macKey"] not in shown
    assert "macKey" not in shown


def test_several_keys_and_their_end(admin: Merchant) -> None:
    path = f"/application-users/{admin.user_id}/keys"
    (first,) = call(admin, "GET", path)
    added = call(admin, "POST", path)
    second = replace(admin, key=added["key"])
    assert added["state"] == "ACTIVE"
    assert call(second, "GET", path) == call(admin, "GET", path)
    call(second, "DELETE", f"{path}/{first['id']}")
    assert refused(admin, "GET", path) == (401, "unauthorized")
    assert [each["state"] for each in call(second, "GET", path)] == ["INACTIVE", "ACTIVE"]
    call(second, "DELETE", f"{path}/{first['id']}")
    assert refused(second, "DELETE", f"{path}/17")[0] == 404


def test_keys_are_bounded_and_spent_ones_make_room(admin: Merchant) -> None:
    path = f"/application-users/{admin.user_id}/keys"
    made = [call(admin, "POST", path)["id"] for _ in range(MOST_KEYS - 1)]
    assert refused(admin, "POST", path) == (422, "limit_reached")
    call(admin, "DELETE", f"{path}/{made[0]}")
    call(admin, "POST", path)
    left = [each["id"] for each in call(admin, "GET", path)]
    assert len(left) == MOST_KEYS
    assert made[0] not in left


def test_users_end_with_their_keys(admin: Merchant) -> None:
    user = new_user(admin)
    give(admin, user, new_role(admin, "customer.read"))
    assert user.call(door, "GET", "/probes").status == 200
    path = f"/application-users/{user.user_id}"
    call(admin, "PATCH", path, {"version": 1, "state": "INACTIVE"})
    assert refused(user, "GET", path) == (401, "unauthorized")
    call(admin, "POST", path, {"version": 2, "state": "ACTIVE"})
    assert refused(user, "GET", path)[0] == 403
    call(admin, "DELETE", path)
    assert refused(user, "GET", path)[0] == 401
    assert call(admin, "GET", path)["state"] == "DELETED"
    assert refused(admin, "PATCH", path, {"version": 4, "state": "ACTIVE"}) == (422, "state_invalid")
    assert refused(admin, "POST", f"{path}/keys")[0] == 404
    call(admin, "DELETE", path)


def test_a_limit_of_a_user_is_kept(admin: Merchant, held_clock: Any) -> None:
    user = new_user(admin, requestLimit=2)
    assert [refused(user, "GET", "/spaces")[0] for _ in range(3)] == [403, 403, 429]
    assert (
        refused(admin, "POST", "/application-users", {"primaryAccount": admin.account_id, "requestLimit": 0})[0] == 422
    )
    assert (
        refused(admin, "POST", "/application-users", {"primaryAccount": admin.account_id, "requestLimit": 10**6})[0]
        == 422
    )


def test_no_key_lies_in_a_table_in_clear(admin: Merchant) -> None:
    added = call(admin, "POST", f"/application-users/{admin.user_id}/keys")["key"]
    for table in ("PaymentsTable", "IdentityTable"):
        stored = repr(aws.dynamodb().scan(TableName=DEPLOYMENT.tables[table].name)["Items"])
        for key in (admin.key, added):
            assert key not in stored
            assert repr(base64.b64decode(key))[2:-1] not in stored


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, 400),
        ({"primaryAccount": "x"}, 400),
        ({"primaryAccount": None}, 400),
        ({"primaryAccount": 17}, 422),
        ({"name": "x" * 257}, 422),
        ({"state": "DELETED"}, 422),
        ({"state": "ON"}, 422),
        ([], 400),
    ],
)
def test_bodies_of_users(admin: Merchant, body: Any, expected: int) -> None:
    if isinstance(body, dict) and body and "primaryAccount" not in body:
        body = {**body, "primaryAccount": admin.account_id}
    assert refused(admin, "POST", "/application-users", body)[0] == expected


def test_unknown_paths_have_the_familys_words(admin: Merchant) -> None:
    for path in ("/nowhere", "/spaces/1/2/3", "/", "/spaces/"):
        assert refused(admin, "GET", path) == (404, "not_found")
    for number in ("0", "-1", "abc", str(2**63), "1.0", "%31%00"):
        assert refused(admin, "GET", f"/spaces/{number}")[0] == 404
