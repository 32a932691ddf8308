"""What backends hear of lifecycle events: those that took part, of what they take, once per event."""

from __future__ import annotations

from typing import Any

import pytest

from risk.events import handler as door
from risk.integrations.clients.simulator import Simulator
from risk.integrations.models import Call, Reply
from tests.risk.events.test_handler import at, tell
from tests.risk.instances import Instance, MakeInstance
from tests.risk.integrations.backends import connected, group, rule

TOLD = {"backend": "link/allow", "status": "delivered", "error": None}


class Gone(Simulator):
    """Says verdicts and does not answer otherwise."""

    def invoke(self, call: Call) -> Reply:
        return Reply("timeout", is_transient=True) if call.action.startswith("notify.") else super().invoke(call)


@pytest.fixture
def connect(make_instance: MakeInstance, monkeypatch: pytest.MonkeyPatch) -> Instance:
    instance = make_instance("connect")
    connected(instance)
    return instance


def answer_with(monkeypatch: pytest.MonkeyPatch, link: type[Simulator]) -> list[Call]:
    """Backends are this from now on; answers what they are asked."""
    asked: list[Call] = []

    class Watched(link):  # type: ignore[misc,valid-type]
        def invoke(self, call: Call) -> Reply:
            asked.append(call)
            reply: Reply = super().invoke(call)
            return reply

    notifier = door._service._notifier
    monkeypatch.setattr(notifier._directory, "_open_link", lambda *_: Watched())
    return asked


def test_who_took_part_is_told_once(connect: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer_with(monkeypatch, Simulator)
    connect.activate(group("link/allow", "link/deaf", "link/broken", strategy="parallel"))
    decision_id, moment = connect.decide().json["id"], at()
    first = tell(connect, decision_id, "fraud_report", occurred_at=moment, data={"reporter": "issuer"}).json
    assert sorted(first["backend_notifications"], key=lambda each: each["backend"]) == [
        TOLD,
        {"backend": "link/deaf", "status": "skipped", "error": None},
    ]
    again = tell(connect, decision_id, "fraud_report", occurred_at=moment, data={"reporter": "issuer"}).json
    assert again == first == connect.send("GET", f"/api/events/{first['id']}").json
    (call,) = asked
    assert call.action == "notify.fraud_report"
    assert (call.body["type"], call.body["data"]) == ("fraud_report", {"reporter": "issuer"})
    assert (call.body["id"], call.body["decision_id"]) == (first["id"], decision_id)


def test_what_a_backend_does_not_take_is_skipped(connect: Instance) -> None:
    connect.activate(rule("link/allow"))
    told = tell(connect, connect.decide().json["id"], "void").json["backend_notifications"]
    assert told == [{**TOLD, "status": "skipped"}]


def test_who_does_not_answer_is_pending_and_the_event_is_taken(
    connect: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch, Gone)
    connect.activate(rule("link/allow"))
    decision_id = connect.decide().json["id"]
    event = tell(connect, decision_id).json
    assert [each["status"] for each in event["backend_notifications"]] == ["pending"]
    assert connect.send("GET", f"/api/decisions/{decision_id}").json["payment_state"] == "authorized"


def test_a_death_before_telling_is_made_up_for(connect: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    connect.activate(rule("link/allow"))
    decision_id, moment = connect.decide().json["id"], at()
    notifier = door._service._notifier

    def die(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(notifier, "tell", die)
        with pytest.raises(KeyboardInterrupt):
            tell(connect, decision_id, occurred_at=moment)
    (entry,) = connect.send("GET", f"/api/decisions/{decision_id}").json["events"]
    assert connect.send("GET", f"/api/events/{entry['id']}").json["backend_notifications"] == []
    assert tell(connect, decision_id, occurred_at=moment).json["backend_notifications"] == [TOLD]
