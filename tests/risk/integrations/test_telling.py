"""Telling backends of resolutions and events: at once, again, once each, never of a card."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from risk.integrations.service.notifying import PAUSES_SECONDS
from tests.risk.instances import Instance
from tests.risk.integrations.backends import LinkServer, connected, group, rule, verdict
from tests.risk.integrations.test_later import rows, work_on
from tests.support.http import Response

PAN = "4242424242424242"


def reviewed(instance: Instance, link: LinkServer, *rules: dict[str, Any]) -> str:
    connected(instance, link.peer.url)
    link.answers.setdefault("acme", verdict("REVIEW"))
    instance.activate(*(rules or (rule(),)))
    made = instance.decide().json
    assert made["decision"] == "REVIEW"
    return str(made["id"])


def resolve(instance: Instance, decision_id: str, **headers: str) -> Response:
    target = f"/api/decisions/{decision_id}/resolve"
    return instance.send("POST", target, json_body={"action": "reject"}, headers=headers)


def told(answer: Response) -> list[tuple[str, str, str | None]]:
    return [(each["backend"], each["status"], each["error"]) for each in answer.json["backend_notifications"]]


class TestResolution:
    def test_is_told_to_who_took_part(self, connect: Instance, link: LinkServer) -> None:
        link.answers["b"] = (503, {})
        decision_id = reviewed(connect, link, rule(), group("link/b", id="g"))
        answer = resolve(connect, decision_id)
        assert told(answer) == [("link/acme", "delivered", None)]
        (asked,) = link.of("notify.resolution")
        assert asked.backend == "acme"
        assert asked.headers["idempotency-key"] == f"{decision_id}/notify.resolution/link/acme"
        assert asked.body == {
            "id": decision_id, "decision_id": decision_id, "type": "resolution", "resolution": "REJECTED",
            "resolved_at": answer.json["resolved_at"], "backend_reference": "ref-review",
        }  # fmt: skip
        assert rows(connect) == []

    @pytest.mark.parametrize(
        ("said", "status", "error"),
        [
            ((204, b""), "delivered", None),
            ((404, {}), "skipped", None),
            ((400, {"source": "mapping"}), "failed", "mapping_error"),
            ((503, {}), "pending", "unavailable"),
        ],
    )
    def test_is_answered_as_it_went(
        self, connect: Instance, link: LinkServer, said: Any, status: str, error: str | None
    ) -> None:
        decision_id = reviewed(connect, link)
        link.told["acme"] = said
        assert told(resolve(connect, decision_id)) == [("link/acme", status, error)]
        assert len(rows(connect)) == (status == "pending")

    def test_is_skipped_where_the_backend_does_not_take_it(self, connect: Instance, link: LinkServer) -> None:
        link.describe("acme", actions=["assess"])
        assert told(resolve(connect, reviewed(connect, link))) == [("link/acme", "skipped", None)]
        assert link.of("notify.resolution") == []

    def test_is_told_again_after_silence_for_a_day(self, connect: Instance, link: LinkServer) -> None:
        decision_id = reviewed(connect, link)
        link.told["acme"] = (503, {})
        resolve(connect, decision_id)
        for _ in PAUSES_SECONDS[1:]:
            assert len(rows(connect)) == 1
            work_on(connect)
        assert rows(connect) == []
        asked = link.of("notify.resolution")
        assert (len(asked), len({each.headers["idempotency-key"] for each in asked})) == (len(PAUSES_SECONDS), 1)

    def test_is_replayed_byte_for_byte_and_told_once(self, connect: Instance, link: LinkServer) -> None:
        decision_id = reviewed(connect, link)
        first, again = (resolve(connect, decision_id, **{"idempotency-key": "k"}) for _ in range(2))
        assert again.headers["idempotency-replayed"] == "true"
        assert (again.body, told(first)) == (first.body, [("link/acme", "delivered", None)])
        assert len(link.of("notify.resolution")) == 1

    def test_of_many_at_once_is_told_once(self, connect: Instance, link: LinkServer) -> None:
        decision_id = reviewed(connect, link)
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: resolve(connect, decision_id).status, range(6)))
        assert sorted(answers) == [200, 409, 409, 409, 409, 409]
        assert len(link.of("notify.resolution")) == 1


class TestEvents:
    def send(self, instance: Instance, decision_id: str, kind: str = "chargeback") -> Response:
        body = {
            "type": kind, "decision_id": decision_id, "occurred_at": "2026-01-01T00:00:00Z",
            "data": {"reason_code": "10.4", "note": f"card {PAN}"},
        }  # fmt: skip
        return instance.send("POST", "/api/events", json_body=body)

    def test_are_told_once(self, connect: Instance, link: LinkServer) -> None:
        decision_id = reviewed(connect, link)
        first, again = (self.send(connect, decision_id) for _ in range(2))
        assert told(first) == told(again) == [("link/acme", "delivered", None)]
        (asked,) = link.of("notify.chargeback")
        assert asked.body["id"] == first.json["id"]
        assert asked.body["data"]["reason_code"] == "10.4"
        assert PAN.encode() not in asked.raw

    def test_of_a_kind_that_the_backend_does_not_take_are_skipped(self, connect: Instance, link: LinkServer) -> None:
        link.describe("acme")
        assert told(self.send(connect, reviewed(connect, link), "refund")) == [("link/acme", "skipped", None)]

    def test_at_once_are_told_once(self, connect: Instance, link: LinkServer) -> None:
        decision_id = reviewed(connect, link)
        with ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(lambda _: self.send(connect, decision_id).status, range(5)))
        assert (set(answers), len(link.of("notify.chargeback"))) == ({200}, 1)
