"""The integration resource over HTTP: shapes, refusals, tenancy, the edition's gate, discovery, secrecy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import risk.integrations.handler as door
from tests.risk.instances import Instance, MakeInstance
from tests.risk.integrations.backends import LinkServer, connected
from tollgate.dialects.risk import SCOPES

PATH = "/api/admin/integrations"
SIMULATOR = {
    "name": "Link", "slug": "link", "type": "link", "base_url": "https://link.simulator.invalid",
}  # fmt: skip


def create(instance: Instance, **changes: Any) -> Any:
    return instance.send("POST", PATH, json_body=SIMULATOR | changes)


def test_is_created_read_changed_and_deleted(connect: Instance) -> None:
    answer = create(connect, access_token="a-secret")
    assert answer.status == 201
    made = answer.json
    assert {name: value for name, value in made.items() if name not in {"id", "inserted_at", "updated_at"}} == {
        **SIMULATOR, "description": None, "enabled": True, "timeout_ms": 5000, "access_token_set": True,
    }  # fmt: skip
    assert b"a-secret" not in answer.body
    one = f"{PATH}/{made['id']}"
    assert connect.send("GET", one).json == made
    changed = connect.send("PATCH", one, json_body={"timeout_ms": 700, "access_token": None, "description": "d"}).json
    assert (changed["timeout_ms"], changed["access_token_set"], changed["description"]) == (700, False, "d")
    assert connect.send("PATCH", one, json_body={"description": None, "slug": "link"}).json["description"] is None
    assert connect.send("DELETE", one).status == 204
    assert [connect.send(method, one).status for method in ("GET", "DELETE")] == [404, 404]
    assert create(connect).status == 201


def test_a_slug_is_one_integrations(connect: Instance) -> None:
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: create(connect).status, range(5)))
    assert sorted(answers) == [201, 409, 409, 409, 409]


def test_is_created_once_per_key(connect: Instance) -> None:
    headers = {"idempotency-key": "k"}
    first, again = (connect.send("POST", PATH, json_body=SIMULATOR, headers=headers) for _ in range(2))
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": " "}, "$.name"),
        ({"slug": "Link"}, "$.slug"),
        ({"slug": "a/b"}, "$.slug"),
        ({"type": "other"}, "$.type"),
        ({"timeout_ms": 99}, "$.timeout_ms"),
        ({"timeout_ms": 10_001}, "$.timeout_ms"),
        ({"timeout_ms": "5000"}, "$.timeout_ms"),
        ({"enabled": 1}, "$.enabled"),
        ({"access_token": "with space"}, "$.access_token"),
        ({"base_url": "ftp://x.example"}, "$.base_url"),
        ({"base_url": "http://x.example"}, "$.base_url"),
        ({"base_url": "https://127.0.0.1/"}, "$.base_url"),
        ({"base_url": "https://169.254.169.254/latest"}, "$.base_url"),
        ({"base_url": "https://localhost/"}, "$.base_url"),
        ({"base_url": "https://x.example:8443/"}, "$.base_url"),
    ],
)
def test_refuses_what_does_not_hold(connect: Instance, changes: dict[str, Any], path: str) -> None:
    answer = create(connect, **changes)
    assert (answer.status, answer.paths()) == (422, [path])


def test_a_change_is_checked_as_well(connect: Instance) -> None:
    one = f"{PATH}/{create(connect).json['id']}"
    for body, path in (
        ({"slug": "other"}, "$.slug"), ({"base_url": "https://10.0.0.1/"}, "$.base_url"), ({"name": None}, "$.name"),
    ):  # fmt: skip
        answer = connect.send("PATCH", one, json_body=body)
        assert (answer.status, answer.paths()) == (422, [path])


def test_a_foreign_one_is_not_there(connect: Instance, make_instance: MakeInstance) -> None:
    one = f"{PATH}/{create(connect).json['id']}"
    other = make_instance(edition="connect")
    assert other.send("PATCH", one, json_body={"name": 1}).status == 404
    for method, target in (("GET", one), ("DELETE", one), ("GET", f"{one}/backends"), ("GET", f"{PATH}/nonsense")):
        assert other.send(method, target).status == 404


def test_core_has_none(instance: Instance) -> None:
    for route in door.ROUTES:
        answer = instance.send(route.method, route.path.replace("{id}", "0197a000-0000-4000-8000-000000000001"))
        assert (answer.status, answer.json["classifier"]) == (404, "NOT_FOUND")


def test_every_route_needs_its_scope(connect: Instance) -> None:
    for route in door.ROUTES:
        others = set(SCOPES.values()) - {SCOPES[route.method, route.path]}
        connect.token = connect.token_for(*sorted(others))
        assert connect.send(route.method, route.path.replace("{id}", "x")).status == 403


def test_lists_page_by_page(connect: Instance) -> None:
    made = [create(connect, slug=f"s{n}").json for n in (3, 1, 2)]
    first = connect.send("GET", f"{PATH}?limit=2").json
    assert first["data"] == made[:2]
    second = connect.send("GET", first["links"]["next"].partition("risk.example")[2]).json
    assert (second["data"], second["links"]["next"]) == (made[2:], None)
    assert connect.send("GET", f"{PATH}?after=nonsense").paths() == ["query.after"]


class TestBackends:
    def test_of_the_simulator(self, connect: Instance) -> None:
        made = create(connect).json
        found = connect.send("GET", f"{PATH}/{made['id']}/backends").json["data"]
        (email,) = [each for each in found if each["id"] == "email"]
        assert (email["backend"], email["required_fields"]) == ("link/email", ["$.customer.email"])

    def test_are_read_strictly(self, connect: Instance, link: LinkServer) -> None:
        made = connected(connect, link.peer.url, access_token="t0ken")
        link.described = [
            {"id": "good", "name": "Good", "actions": ["assess", 7, "x" * 300], "required_fields": ["$.device.ip", 1]},
            {"id": "../evil"}, "text", {"name": "no id"}, {"id": "off", "enabled": False},
        ]  # fmt: skip
        found = connect.send("GET", f"{PATH}/{made['id']}/backends").json["data"]
        assert found == [
            {"backend": "link/good", "id": "good", "name": "Good", "enabled": True, "actions": ["assess"],
             "required_fields": ["$.device.ip"]},
            {"backend": "link/off", "id": "off", "name": None, "enabled": False, "actions": [], "required_fields": []},
        ]  # fmt: skip
        assert link.asked[0].headers["authorization"] == "Bearer t0ken"

    def test_stay_known_where_link_does_not_answer(self, connect: Instance, link: LinkServer) -> None:
        made = connected(connect, link.peer.url)
        link.describe("acme")
        target = f"{PATH}/{made['id']}/backends"
        first = connect.send("GET", target).json
        link.described = None
        assert connect.send("GET", target).json == first
