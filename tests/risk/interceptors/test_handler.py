"""The interceptor resource over HTTP: versions, activation and rollback, refusals, tenancy, races."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import risk.interceptors.handler as door
from tests.risk.instances import Instance, MakeInstance
from tests.risk.interceptors.conftest import MAPPING, Acquirer, Intercepted
from tests.support.faults import deaths
from tollgate import aws
from tollgate.dialects.risk import SCOPES

PATH = "/api/admin/interceptors"
Make = Callable[..., Intercepted]


def status_of(instance: Instance, made: dict[str, Any]) -> str:
    return str(instance.send("GET", f"{PATH}/{made['id']}").json["status"])


def test_is_active_unless_it_is_not_to_be(instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
    made = intercept(instance).made
    assert (made["status"], made["version"], made["field_mapping"][0]["source"]) == ("ACTIVE", 1, MAPPING[0]["source"])
    assert made["destination"] == {"url": f"{acquirer.peer.url}/v71/payments?x=1", "timeout_ms": 5000}
    assert instance.send("GET", f"{PATH}/{made['id']}").json == made
    draft = intercept(instance, active=False)
    assert (draft.made["status"], draft.send().status) == ("DRAFT", 404)


def test_versions_share_a_reference_and_one_is_active(instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
    one = intercept(instance).made
    two = intercept(instance, ref=one["ref"]).made
    three = intercept(instance, ref=one["ref"], active=False).made
    assert [two["version"], three["version"], three["ref"]] == [2, 3, one["ref"]]
    assert [status_of(instance, each) for each in (one, two, three)] == ["INACTIVE", "ACTIVE", "DRAFT"]
    assert instance.send("POST", f"{PATH}/{three['id']}/activate").json["status"] == "ACTIVE"
    assert instance.send("POST", f"{PATH}/{one['id']}/rollback").json["status"] == "ACTIVE"
    assert [status_of(instance, each) for each in (one, two, three)] == ["ACTIVE", "INACTIVE", "INACTIVE"]
    for each, action in ((one, "activate"), (one, "rollback"), (two, "activate")):
        assert instance.send("POST", f"{PATH}/{each['id']}/{action}").status == 409


def test_only_a_draft_can_be_changed(instance: Instance, intercept: Make) -> None:
    draft = intercept(instance, active=False, description="d").made
    one = f"{PATH}/{draft['id']}"
    changed = instance.send("PATCH", one, json_body={"description": None, "responses": {"block": {"status": 402}}}).json
    assert (changed["description"], changed["responses"]["block"]["status"]) == (None, 402)
    assert changed["field_mapping"] == draft["field_mapping"]
    refused = instance.send("PATCH", one, json_body={"field_mapping": [{"target": "$.x", "value": 1}]})
    assert refused.paths() == ["$.field_mapping[0].target"]
    instance.send("POST", f"{one}/activate")
    assert instance.send("PATCH", one, json_body={"description": "x"}).status == 409


def test_deleting_the_active_version_ends_it(instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
    of = intercept(instance)
    assert of.send().status == 201
    one = f"{PATH}/{of.made['id']}"
    assert instance.send("DELETE", one).status == 204
    assert [instance.send(method, one).status for method in ("GET", "DELETE")] == [404, 404]
    assert (of.send().status, len(acquirer.bodies)) == (404, 1)
    assert instance.send("GET", PATH).json["data"] == []
    assert intercept(instance, ref=of.ref).made["version"] == 2


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"context": "a b"}, "$.context"),
        ({"destination": {"url": "https://127.0.0.1/"}}, "$.destination.url"),
        ({"destination": {"url": "http://acquirer.example/"}}, "$.destination.url"),
        ({"destination": {"url": "https://acquirer.example/", "timeout_ms": 25_001}}, "$.destination.timeout_ms"),
        ({"responses": {"block": {"status": 199}}}, "$.responses.block.status"),
        ({"responses": {"block": {"mode": "template"}}}, "$.responses.block"),
        ({"responses": {"review": {"mode": "template", "body": "x" * 17_000}}}, "$.responses.review"),
        ({"responses": {"review": {"mode": "template", "body": 1.5}}}, "$.responses.review"),
        ({"ref": "0197a000-0000-4000-8000-000000000009"}, "$.ref"),
        ({"field_mapping": [MAPPING[0]] * 101}, "$.field_mapping"),
    ],
)
def test_refuses_what_does_not_hold(instance: Instance, acquirer: Acquirer, changes: dict[str, Any], path: str) -> None:
    sent = {"context": "c", "destination": {"url": acquirer.peer.url}, **changes}
    answer = instance.send("POST", PATH, json_body=sent)
    assert (answer.status, answer.paths()) == (422, [path])


def test_a_foreign_one_is_not_there(instance: Instance, make_instance: MakeInstance, intercept: Make) -> None:
    made, other = intercept(instance).made, make_instance()
    one = f"{PATH}/{made['id']}"
    for method, target in (
        ("GET", one), ("PATCH", one), ("DELETE", one), ("POST", f"{one}/activate"), ("POST", f"{one}/rollback"),
    ):  # fmt: skip
        assert other.send(method, target, json_body={}).status == 404
    sent = {"context": "c", "destination": made["destination"], "ref": made["ref"]}
    assert other.send("POST", PATH, json_body=sent).paths() == ["$.ref"]


def test_every_route_needs_its_scope(instance: Instance) -> None:
    for route in door.ROUTES:
        others = set(SCOPES.values()) - {SCOPES[route.method, route.path]}
        instance.token = instance.token_for(*sorted(others))
        assert instance.send(route.method, route.path.replace("{id}", "x").replace("{ref}", "x")).status == 403


def test_of_many_activations_at_once_one_version_is_active(instance: Instance, intercept: Make) -> None:
    one = intercept(instance).made
    drafts = [intercept(instance, ref=one["ref"], active=False).made for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: instance.send("POST", f"{PATH}/{each['id']}/activate").status, drafts * 2))
    assert set(answers) <= {200, 409}
    active = [each for each in (one, *drafts) if status_of(instance, each) == "ACTIVE"]
    assert len(active) == 1


def test_a_death_leaves_one_version_active(instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
    one = intercept(instance)
    two = intercept(instance, ref=one.ref, active=False).made
    headers = {"idempotency-key": "k"}
    for _ in deaths(aws.dynamodb(), lambda: instance.send("POST", f"{PATH}/{two['id']}/activate", headers=headers)):
        assert sorted(status_of(instance, each) for each in (one.made, two)) in (
            ["ACTIVE", "DRAFT"], ["ACTIVE", "INACTIVE"],
        )  # fmt: skip
        assert one.send().status == 201
    assert status_of(instance, two) == "ACTIVE"


def test_lists_page_by_page(instance: Instance, intercept: Make) -> None:
    made = [intercept(instance).made for _ in range(3)]
    first = instance.send("GET", f"{PATH}?limit=2").json
    second = instance.send("GET", first["links"]["next"].partition("risk.example")[2]).json
    assert (first["data"] + second["data"], second["links"]["next"]) == (made, None)
