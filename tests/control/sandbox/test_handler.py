"""The sandbox's routes: provisioning over HTTP, the one clock, the inbox."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from control.sandbox.handler import handler
from tests.support.environment import DEPLOYMENT
from tests.support.http import send
from tollgate import aws, clock
from tollgate.store.table import Table


@pytest.fixture
def inbox() -> str:
    return f"/sandbox/inbox/{uuid.uuid4()}"


@pytest.fixture
def _reset_clock() -> Iterator[None]:
    yield
    Table(DEPLOYMENT.tables["SandboxTable"].name, aws.dynamodb()).delete("CLOCK", "#")
    clock.set_offset(0)


@pytest.fixture
def pauses() -> Iterator[list[float]]:
    """What the code waited, without waiting."""
    waited: list[float] = []
    former = clock.use_pause(waited.append)
    yield waited
    clock.use_pause(former)


def test_provisioning_answers_as_the_direct_invocation_does() -> None:
    answer = send(handler, "POST", "/sandbox/provisioning", json_body={"action": "create_account", "name": "shop"})
    assert answer.status == 200
    assert set(answer.json) >= {"id", "name", "vault"}


@pytest.mark.parametrize(
    "action", ["update_account", "rotate_api_key", "rotate_hmac_key", "add_oidc_member", "remove_oidc_member"]
)
def test_provisioning_does_every_action_with_its_own_grants(action: str) -> None:
    made = send(handler, "POST", "/sandbox/provisioning", json_body={"action": "create_account", "name": "shop"}).json
    member = (
        {"issuer": "https://id.example.com", "client_id": "shop", "subject": "someone"} if "member" in action else {}
    )
    options = {"notification_url": None} if action == "update_account" else {}
    body = {"account_id": made["id"], **member, **options}
    if action == "remove_oidc_member":
        send(handler, "POST", "/sandbox/provisioning", json_body={"action": "add_oidc_member", **body})
    answer = send(handler, "POST", "/sandbox/provisioning", json_body={"action": action, **body})
    assert answer.status == 200, answer.json


def test_provisioning_refuses_with_a_path() -> None:
    answer = send(handler, "POST", "/sandbox/provisioning", json_body={"action": "create_account"})
    assert (answer.status, answer.paths()) == (422, ["$.name"])


@pytest.mark.parametrize("seconds", [-1, "60", 1.5, None, 10**12])
def test_the_clock_moves_forward_in_whole_seconds_only(seconds: Any) -> None:
    answer = send(handler, "POST", "/sandbox/clock", json_body={"advance_seconds": seconds})
    assert (answer.status, answer.paths()) == (422, ["$.advance_seconds"])


@pytest.mark.xdist_group("clock")
@pytest.mark.usefixtures("_reset_clock")
def test_every_function_sees_the_clock_move(monkeypatch: pytest.MonkeyPatch) -> None:
    from control.sandbox import handler as module

    monkeypatch.setattr(module._clock, "_scheduled", ())
    before = datetime.fromisoformat(send(handler, "GET", "/sandbox/clock").json["now"])
    moved = send(handler, "POST", "/sandbox/clock", json_body={"advance_seconds": 3600}).json
    assert moved["offset_seconds"] == 3600
    from control.health.handler import handler as health

    after = datetime.fromisoformat(send(health, "GET", "/health").json["time"])
    assert 3600 <= (after - before).total_seconds() < 3660


def test_an_inbox_shows_what_it_received_oldest_first(inbox: str) -> None:
    for n in range(3):
        assert send(handler, "POST", inbox, body=f'{{"n":{n}}}', headers={"X-Sent": "yes"}).status == 200
    send(handler, "GET", f"{inbox}/deep/path?a=1&a=2")
    requests = send(handler, "GET", inbox).json["requests"]
    assert [each["body"] for each in requests[:3]] == ['{"n":0}', '{"n":1}', '{"n":2}']
    assert requests[0]["headers"]["x-sent"] == "yes"
    assert (requests[3]["method"], requests[3]["path"]) == ("GET", f"{inbox}/deep/path?a=1&a=2")


def test_an_inbox_keeps_bytes_that_are_not_text(inbox: str) -> None:
    send(handler, "POST", inbox, body=b"\xff\x00")
    (received,) = send(handler, "GET", inbox).json["requests"]
    assert (received["body"], received["body_is_base64"]) == ("/wA=", True)


def test_an_inbox_misbehaves_as_often_as_told(inbox: str, pauses: list[float]) -> None:
    send(handler, "PUT", inbox, json_body={"status": 503, "body": "busy", "delay_seconds": 3, "times": 2})
    answers = [send(handler, "POST", inbox, body="x") for _ in range(3)]
    assert [(answer.status, answer.body) for answer in answers[:2]] == [(503, b"busy")] * 2
    assert answers[2].status == 200
    assert pauses == [3, 3]


def test_an_emptied_inbox_forgets_requests_and_behaviour(inbox: str) -> None:
    send(handler, "PUT", inbox, json_body={"status": 500, "times": 5})
    send(handler, "POST", inbox, body="x")
    assert send(handler, "DELETE", inbox).status == 204
    assert send(handler, "GET", inbox).json == {"requests": []}
    assert send(handler, "POST", inbox, body="x").status == 200


@pytest.mark.parametrize("behaviour", [{"status": 99}, {"status": "500"}, {"delay_seconds": 31}, {"times": 0}])
def test_a_behaviour_is_checked(inbox: str, behaviour: dict[str, Any]) -> None:
    assert send(handler, "PUT", inbox, json_body=behaviour).status == 422
