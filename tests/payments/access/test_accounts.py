"""People, accounts and spaces: what each operation does, to whom, and what it refuses."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from payments.access.handler import handler
from payments.access.models import MOST_LEVELS
from tests.payments.access.tenants import call, give, new_account, new_role, new_space, new_user, refused
from tests.payments.access.test_signed_requests import door
from tests.support.environment import DEPLOYMENT
from tests.support.payments import Merchant
from tollgate import aws

# ---------------------------------------------------------------------- people


def test_people_have_one_address_each(admin: Merchant) -> None:
    body = {"emailAddress": "ada@example.com", "firstname": "Ada", "language": "en-US", "timeZone": "Europe/London"}
    made = call(admin, "POST", "/human-users", body)
    assert (made["userType"], made["primaryAccount"], made["firstname"]) == ("HUMAN_USER", admin.account_id, "Ada")
    assert refused(admin, "POST", "/human-users", {**body, "emailAddress": "ADA@example.com"}) == (422, "value_taken")
    call(admin, "DELETE", f"/human-users/{made['id']}")
    assert call(admin, "POST", "/human-users", body)["id"] != made["id"]


def test_a_person_signs_nothing(admin: Merchant) -> None:
    person = call(admin, "POST", "/human-users", {"emailAddress": "ada@example.com"})["id"]
    assert refused(replace(admin, user_id=person), "GET", "/spaces") == (401, "unauthorized")


def test_people_as_a_file(admin: Merchant) -> None:
    for name in ("Ada", 'Grace "Amazing"', "Jürgen, Dr."):
        call(admin, "POST", "/human-users", {"firstname": name, "twoFactorEnabled": True})
    target = "/human-users/export?fields=firstname,twoFactorEnabled&order=id:DESC"
    answer = admin.call(handler, "GET", target, space=None, headers={"accept": "text/csv"})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/csv")
    assert answer.body.decode() == (
        'firstname,twoFactorEnabled\r\n"Jürgen, Dr.",true\r\n"Grace ""Amazing""",true\r\nAda,true\r\n'
    )
    found = admin.call(handler, "GET", "/human-users/export?query=firstname:Ada&fields=firstname&limit=5", space=None)
    assert found.json == "firstname\r\nAda\r\n"
    for query, expected in (("fields=key", 400), ("limit=10001", 400), ("offset=100000", 200), ("offset=100001", 416)):
        assert refused_status(admin, f"/human-users/export?{query}") == expected


def refused_status(merchant: Merchant, path: str) -> int:
    return merchant.call(handler, "GET", path, space=None, headers={"accept": "*/*"}).status


def test_single_sign_on_users(admin: Merchant) -> None:
    assert refused(admin, "POST", "/single-sign-on-users", {"firstname": "Ada"})[0] == 400
    made = call(admin, "POST", "/single-sign-on-users", {"provider": 7, "firstname": "Ada"})
    changed = call(admin, "PATCH", f"/single-sign-on-users/{made['id']}", {"version": 1, "lastname": "Lovelace"})
    assert (changed["firstname"], changed["lastname"], changed["version"]) == ("Ada", "Lovelace", 2)
    assert refused(admin, "PATCH", f"/single-sign-on-users/{made['id']}", {"version": 1})[0] == 409
    call(admin, "DELETE", f"/single-sign-on-users/{made['id']}")


# ---------------------------------------------------------------------- accounts and spaces


def test_accounts_below_accounts(admin: Merchant) -> None:
    branch = new_account(admin, subaccountLimit=1)
    leaf = call(admin, "POST", "/accounts?expand=parentAccount", {"name": "leaf", "scope": 1, "parentAccount": branch})
    assert (leaf["type"], leaf["parentAccount"]["name"]) == ("SUBACCOUNT", "branch")
    body = {"name": "second", "scope": 1, "parentAccount": branch}
    assert refused(admin, "POST", "/accounts", body)[0] == 422
    call(admin, "PATCH", f"/accounts/{branch}", {"version": 1, "subaccountLimit": None})
    call(admin, "POST", "/accounts", body)
    assert refused(admin, "DELETE", f"/accounts/{branch}") == (422, "account_not_empty")
    call(admin, "DELETE", f"/accounts/{leaf['id']}")
    deleted = call(admin, "GET", f"/accounts/{leaf['id']}")
    assert (deleted["state"], deleted["deletedBy"], deleted["active"]) == ("DELETED", admin.user_id, False)


def test_accounts_go_only_so_deep(admin: Merchant) -> None:
    parent = admin.account_id
    for _ in range(MOST_LEVELS - 1):
        parent = new_account(admin, parentAccount=parent)
    assert refused(admin, "POST", "/accounts", {"name": "deep", "scope": 1, "parentAccount": parent})[0] == 422


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "branch"}, 400),
        ({"name": "ab", "scope": 1}, 422),
        ({"name": "x" * 201, "scope": 1}, 422),
        ({"name": "branch", "scope": 2}, 422),
        ({"name": "branch", "scope": "1"}, 400),
        ({"name": "branch", "scope": 1, "subaccountLimit": -1}, 422),
    ],
)
def test_bodies_of_accounts(admin: Merchant, body: Any, expected: int) -> None:
    assert refused(admin, "POST", "/accounts", body)[0] == expected


def test_a_closed_account_closes_its_spaces(admin: Merchant) -> None:
    branch = new_account(admin)
    space = new_space(admin, branch)
    assert admin.call(door, "GET", "/probes", space=space).status == 200
    for _ in range(2):
        call(admin, "POST", f"/accounts/{branch}/deactivate")
    assert call(admin, "GET", f"/accounts/{branch}")["state"] == "INACTIVE"
    assert call(admin, "GET", f"/spaces/{space}")["active"] is False
    fresh(door)
    answer = admin.call(door, "GET", "/probes", space=space)
    assert (answer.status, answer.json["code"]) == (403, "space_inactive")
    assert admin.call(door, "GET", "/probes").status == 200
    assert refused(admin, "POST", "/spaces", {"name": "shop three", "account": branch})[0] == 422
    call(admin, "POST", f"/accounts/{branch}/activate")
    assert admin.call(door, "GET", "/probes", space=space).status == 200


def fresh(app: Any) -> None:
    """As if the seconds had passed for which rows are remembered."""
    app._authenticate.directory._rows.clear()


def test_spaces(admin: Merchant) -> None:
    made = call(
        admin, "POST", "/spaces",
        {"name": "shop two", "account": admin.account_id, "primaryCurrency": "CHF", "timeZone": "Europe/Zurich",
         "postalAddress": {"city": "Winterthur", "country": "CH"}, "technicalContactAddresses": ["it@example.com"]},
    )  # fmt: skip
    assert (made["state"], made["timeZone"], made["account"]) == ("ACTIVE", "Europe/Zurich", {"id": admin.account_id})
    path = f"/spaces/{made['id']}"
    call(admin, "PATCH", path, {"version": 1, "state": "INACTIVE"})
    assert admin.call(door, "GET", "/probes", space=made["id"]).json["code"] == "space_inactive"
    call(admin, "PATCH", path, {"version": 2, "state": "ACTIVE", "requestLimit": 50})
    assert admin.call(door, "GET", "/probes", space=made["id"]).status == 200
    call(admin, "DELETE", path)
    assert call(admin, "GET", path)["state"] == "DELETED"
    fresh(door)
    assert admin.call(door, "GET", "/probes", space=made["id"]).status == 403
    assert refused(admin, "PATCH", path, {"version": 4, "state": "ACTIVE"}) == (422, "state_invalid")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"account": None}, 400),
        ({"account": 17}, 422),
        ({"name": "x"}, 422),
        ({"primaryCurrency": "XXQ"}, 422),
        ({"timeZone": "Mars/Olympus"}, 422),
        ({"requestLimit": 60_001}, 422),
        ({"postalAddress": {"country": "Swiss"}}, 422),
        ({"technicalContactAddresses": ["nobody"]}, 422),
        ({"state": "DELETING"}, 422),
    ],
)
def test_bodies_of_spaces(admin: Merchant, members: Any, expected: int) -> None:
    body = {"name": "shop two", "account": admin.account_id, **members}
    assert refused(admin, "POST", "/spaces", body)[0] == expected


def test_lists_and_searches_show_what_the_rights_reach(admin: Merchant) -> None:
    branch, other = new_account(admin, "branch"), new_account(admin, "other")
    mine = [new_space(admin, branch, name=f"shop {n}") for n in range(3)]
    new_space(admin, other)
    user = new_user(admin)
    give(admin, user, new_role(admin, "space", "account.read", account=branch), branch)
    listed = call(user, "GET", "/spaces")
    assert ([each["id"] for each in listed["data"]], listed["hasMore"]) == (mine, False)
    assert [each["id"] for each in call(user, "GET", "/accounts")["data"]] == [branch]
    assert [each["id"] for each in call(user, "GET", "/spaces/search?query=name:~shop&order=id:DESC")["data"]] == mine[
        ::-1
    ]
    assert [each["id"] for each in call(user, "GET", f"/spaces?after={mine[0]}&limit=1")["data"]] == [mine[1]]
    nearest = call(user, "GET", f"/spaces?before={mine[2]}&limit=1")
    assert ([each["id"] for each in nearest["data"]], nearest["hasMore"]) == ([mine[1]], True)
    assert [each["id"] for each in call(user, "GET", "/spaces?order=DESC&limit=2")["data"]] == [mine[2], mine[1]]
    assert refused(user, "GET", f"/spaces/{admin.space_id}")[0] == 404
    assert refused(user, "DELETE", f"/spaces/{admin.space_id}")[0] == 404
    assert refused(user, "POST", "/spaces", {"name": "shop", "account": admin.account_id})[0] == 403
    assert len(call(admin, "GET", "/spaces")["data"]) == 5


def test_two_writers_of_a_space(admin: Merchant) -> None:
    """Of changes from one version exactly one wins, and what requests are decided by agrees with the object."""
    outcomes: list[int] = []

    def change(limit: int) -> None:
        body = {"version": 1, "requestLimit": limit}
        outcomes.append(admin.call(handler, "PATCH", f"/spaces/{admin.space_id}", body, space=None).status)

    threads = [threading.Thread(target=change, args=(100 + n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [200] + [409] * 5
    kept = call(admin, "GET", f"/spaces/{admin.space_id}")["requestLimit"]
    row = aws.dynamodb().get_item(
        TableName=DEPLOYMENT.tables["PaymentsTable"].name,
        Key={"pk": {"S": f"SPACE#{admin.space_id}"}, "sk": {"S": "#"}},
    )["Item"]
    assert int(row["limit"]["N"]) == kept


def test_two_writers_fill_an_account_to_its_limit_and_no_further(admin: Merchant) -> None:
    branch = new_account(admin, subaccountLimit=2)
    body = {"name": "leaf", "scope": 1, "parentAccount": branch}
    statuses: list[int] = []

    def create() -> None:
        statuses.append(admin.call(handler, "POST", "/accounts", body, space=None).status)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 201, 422, 422, 422, 422]
