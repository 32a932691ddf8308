"""The blacklist over HTTP: entries, their life, what decisions make of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.risk.instances import Instance, MakeInstance

RULE = {"id": "b", "name": "listed", "type": "blacklist", "action": "BLOCK", "fields": ["$.device.ip", "$.customer.id"]}


def add(instance: Instance, path: str = "$.device.ip", value: str = "203.0.113.7", **members: Any) -> Any:
    return instance.send("POST", "/api/admin/blacklist", json_body={"field_path": path, "value": value, **members})


def test_blocks_until_deleted(instance: Instance) -> None:
    instance.activate(RULE)
    assert instance.decide().json["decision"] == "ALLOW"
    made = add(instance)
    assert made.status == 201
    decided = instance.decide().json
    assert decided["decision"] == "BLOCK"
    assert decided["triggered_rules"][0]["matched"] == {"blacklisted": ["$.device.ip"]}
    target = f"/api/admin/blacklist/{made.json['id']}"
    assert instance.send("GET", target).json == made.json
    assert instance.send("DELETE", target).status == 204
    assert instance.decide().json["decision"] == "ALLOW"
    assert instance.send("GET", target).status == instance.send("DELETE", target).status == 404


def test_ends_with_its_time(instance: Instance, held_clock: Any) -> None:
    instance.activate(RULE)
    made = add(instance, ttl_seconds=1).json
    assert instance.decide().json["decision"] == "BLOCK"
    held_clock.advance(seconds=1)
    assert instance.decide().json["decision"] == "ALLOW"
    assert instance.send("GET", f"/api/admin/blacklist/{made['id']}").status == 404
    assert instance.send("GET", "/api/admin/blacklist").json == {"data": [], "links": {"next": None}}
    assert add(instance).status == 201
    assert [each["value"] for each in instance.send("GET", "/api/admin/blacklist").json["data"]] == ["203.0.113.7"]


def test_is_renewed_and_not_doubled(instance: Instance, held_clock: Any) -> None:
    first = add(instance, ttl_seconds=10).json
    held_clock.advance(seconds=9)
    again = add(instance, ttl_seconds=10)
    assert (again.status, again.json["id"], again.json["inserted_at"]) == (200, first["id"], first["inserted_at"])
    assert again.json["expires_at"] > first["expires_at"]
    with ThreadPoolExecutor(6) as pool:
        assert {each.status for each in pool.map(lambda _: add(instance), range(6))} <= {200, 409}
    assert len(instance.send("GET", "/api/admin/blacklist").json["data"]) == 1


def test_spells_addresses_in_one_way(instance: Instance) -> None:
    instance.activate(RULE)
    add(instance, value="2001:0DB8:0:0::0001")
    assert instance.decide(device={"ip": "2001:db8::1"}).json["decision"] == "BLOCK"
    add(instance, value="::ffff:198.51.100.9")
    assert instance.decide(device={"ip": "198.51.100.9"}).json["decision"] == "BLOCK"


def test_compares_exactly(instance: Instance) -> None:
    instance.activate(RULE)
    add(instance, "$.customer.id", "CUSTOMER-1")
    assert instance.decide().json["decision"] == "ALLOW"
    add(instance, "$['customer']['id']", "customer-1")
    assert instance.decide().json["decision"] == "BLOCK"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"field_path": "$.nothing"}, "$.field_path"),
        ({"field_path": "$..ip"}, "$.field_path"),
        ({"field_path": None}, "$.field_path"),
        ({"value": ""}, "$.value"),
        ({"value": 1}, "$.value"),
        ({"value": "not an address"}, "$.value"),
        ({"field_path": "$.customer.id", "value": "4242 4242 4242 4242"}, "$.value"),
        ({"ttl_seconds": 0}, "$.ttl_seconds"),
        ({"ttl_seconds": "1"}, "$.ttl_seconds"),
        ({"display_hint": "4242424242424242"}, "$.display_hint"),
    ],
)
def test_refuses_with_the_path(instance: Instance, changes: dict[str, Any], path: str) -> None:
    body = {"field_path": "$.device.ip", "value": "203.0.113.7"} | changes
    answer = instance.send("POST", "/api/admin/blacklist", json_body=body)
    assert (answer.status, answer.paths()) == (422, [path])


def test_is_nobody_elses(instance: Instance, make_instance: MakeInstance) -> None:
    made, other = add(instance).json, make_instance()
    other.activate(RULE)
    assert other.decide().json["decision"] == "ALLOW"
    for method in ("GET", "DELETE"):
        assert other.send(method, f"/api/admin/blacklist/{made['id']}").status == 404


def test_a_page_goes_on_behind_an_entry_that_is_gone(instance: Instance) -> None:
    ids = [add(instance, "$.customer.id", f"c{n}").json["id"] for n in range(3)]
    page = instance.send("GET", "/api/admin/blacklist?limit=1").json
    assert [each["id"] for each in page["data"]] == ids[:1]
    instance.send("DELETE", f"/api/admin/blacklist/{ids[0]}")
    link = urlsplit(page["links"]["next"])
    rest = instance.send("GET", f"{link.path}?{link.query.replace('limit=1', 'limit=2')}").json
    assert ([each["id"] for each in rest["data"]], rest["links"]["next"]) == (ids[1:], None)


def test_replays_under_an_idempotency_key(instance: Instance) -> None:
    body = {"field_path": "$.customer.id", "value": "x"}
    sent = [
        instance.send("POST", "/api/admin/blacklist", json_body=body, headers={"idempotency-key": "k"})
        for _ in range(2)
    ]
    assert sent[0].body == sent[1].body
    assert sent[1].headers["idempotency-replayed"] == "true"
