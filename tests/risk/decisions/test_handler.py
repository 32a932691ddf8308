"""The decision resource over HTTP: shapes of the reference, gates, masks, reading, resolving."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.risk.instances import BODY, Instance, MakeInstance, condition, leaf
from tests.support.environment import DEPLOYMENT
from tollgate import aws

REVIEW_ALL = condition("r", leaf("$.transaction.amount", "gte", 1), "REVIEW")
PAN = "4242424242424242"


class TestCreate:
    def test_allows_where_no_ruleset_is_active(self, instance: Instance) -> None:
        answer = instance.decide()
        assert answer.status == 200
        made = answer.json
        assert made["id"][14] == "7"
        assert made["credential_fingerprint"].startswith("crd_")
        assert len(made["credential_fingerprint"]) == 68
        assert isinstance(made["latency_us"], int)
        del made["id"], made["credential_fingerprint"], made["latency_us"], made["evaluated_at"]
        assert made == {
            "decision": "ALLOW",
            "context": "default",
            "credential_type": "pan",
            "masked_credential": "424242 ****** 4242",
            "triggered_rules": [],
            "has_backend_error": False,
            "source": "RULE_ENGINE",
            "ruleset_id": None,
            "ruleset_version": None,
            "resolution": None,
            "events": [],
            "metadata": {},
            "integration": "api",
            "interceptor_id": None,
        }

    def test_has_backend_results_on_connect_alone(self, make_instance: MakeInstance) -> None:
        assert make_instance(edition="connect").decide().json["backend_results"] == []
        assert "backend_results" not in make_instance().decide().json

    def test_says_what_matched(self, instance: Instance) -> None:
        active = instance.activate(
            condition("big", {"all": [leaf("$.transaction.amount", "gt", 10000), leaf("$.device.ip", "exists")]})
        )
        made = instance.decide().json
        assert (made["decision"], made["ruleset_id"], made["ruleset_version"]) == ("BLOCK", active["id"], 1)
        assert made["triggered_rules"] == [
            {
                "rule_id": "big",
                "name": "rule big",
                "type": "condition",
                "action": "BLOCK",
                "live": True,
                "matched": {
                    "all": [
                        {"field": "$.transaction.amount", "op": "gt", "value": 10000, "actual": 14999},
                        {"field": "$.device.ip", "op": "exists", "actual": "203.0.113.7"},
                    ]
                },
            }
        ]

    def test_ends_at_the_first_live_block(self, instance: Instance) -> None:
        instance.activate(
            condition("off", leaf("$.transaction.amount", "gt", 1), enabled=False),
            condition("shadow", leaf("$.transaction.amount", "gt", 2), live=False),
            condition("review", leaf("$.transaction.amount", "gt", 3), "REVIEW"),
            condition("block", leaf("$.transaction.amount", "gt", 4)),
            condition("late", leaf("$.transaction.amount", "gt", 5)),
        )
        made = instance.decide().json
        assert made["decision"] == "BLOCK"
        assert [(each["rule_id"], each["live"]) for each in made["triggered_rules"]] == [
            ("shadow", False),
            ("review", True),
            ("block", True),
        ]

    def test_falls_back_to_the_default_context(self, instance: Instance) -> None:
        instance.activate(condition("d", leaf("$.context", "ne", "x"), "REVIEW"))
        instance.activate(condition("s", leaf("$.context", "eq", "shop")), context="shop")
        decided = [instance.decide(context=name).json["decision"] for name in ("default", "shop", "elsewhere")]
        assert decided == ["REVIEW", "BLOCK", "REVIEW"]

    def test_fingerprints_the_number_alone(self, make_instance: MakeInstance) -> None:
        here, there = make_instance(), make_instance()

        def fingerprint(of: Instance, **pan: Any) -> str:
            sent = {"type": "pan", "pan": {"value": PAN} | pan}
            return str(of.decide(credential=sent).json["credential_fingerprint"])

        same = {
            fingerprint(here),
            fingerprint(here, expiry_year=2040, expiry_month=1),
            fingerprint(here, value="4242 4242 4242 4242", cardholder_name="Jane"),
        }
        assert len(same) == 1
        assert fingerprint(here, value="4111111111111111") not in same
        assert fingerprint(there) not in same
        masked = {"type": "masked_pan", "masked_pan": {"value": "424242******4242"}}
        assert here.decide(credential=masked).json["credential_fingerprint"] not in same

    @pytest.mark.parametrize(
        ("credential", "masked"),
        [
            ({"type": "masked_pan", "masked_pan": {"bin": "41111111", "last4": "1111"}}, "411111 ****** 1111"),
            ({"type": "sepa", "sepa": {"iban": "DE89 3704 0044 0532 0130 00"}}, "DE89 ****** 3000"),
        ],
    )
    def test_masks_other_credentials(self, instance: Instance, credential: dict[str, Any], masked: str) -> None:
        assert instance.decide(credential=credential).json["masked_credential"] == masked

    def test_takes_no_pan_on_saq_a(self, make_instance: MakeInstance, provision: Any) -> None:
        instance = make_instance(pci_level="SAQ_A")
        answer = instance.decide()
        assert (answer.status, answer.paths()) == (422, ["$.credential.type"])
        assert PAN not in answer.body.decode()
        masked = {"type": "masked_pan", "masked_pan": {"value": "424242******4242"}}
        assert instance.decide(credential=masked).status == 200
        provision("update_account", account_id=instance.account_id, risk={"pci_level": "ROC"})
        assert instance.decide().status == 200

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"credential": {"type": "pan", "pan": {"value": "4242424242424241"}}}, "$.credential.pan.value"),
            ({"credential": {"type": "pan"}}, "$.credential"),
            ({"credential": {"type": "card", "pan": {"value": PAN}}}, "$.credential.type"),
            ({"credential": {"type": "sepa", "sepa": {"iban": "DE88370400440532013000"}}}, "$.credential.sepa.iban"),
            ({"credential": {"type": "masked_pan", "masked_pan": {"value": PAN}}}, "$.credential.masked_pan.value"),
            ({"customer": {}}, "$.customer.id"),
            ({"customer": {"id": " "}}, "$.customer.id"),
            ({"transaction": BODY["transaction"] | {"amount": "1"}}, "$.transaction.amount"),
            ({"transaction": BODY["transaction"] | {"amount": 1.5}}, "$.transaction.amount"),
            ({"transaction": BODY["transaction"] | {"currency": "eur"}}, "$.transaction.currency"),
            ({"items": [{"price": 1}]}, "$.items[0]"),
            ({"metadata": {"a": {"b": "c"}}}, "$.metadata.a"),
            ({"metadata": {"a": 1}}, "$.metadata.a"),
            ({"device": {"ip": "999.1.1.1"}}, "$.device.ip"),
            ({"context": ""}, "$.context"),
        ],
    )
    def test_refuses_with_the_path(self, instance: Instance, changes: dict[str, Any], path: str) -> None:
        answer = instance.decide(**changes)
        assert (answer.status, answer.paths()) == (422, [path])
        assert answer.json["classifier"] == "VALIDATION_ERROR"
        assert "4242" not in answer.body.decode()

    def test_replays_under_an_idempotency_key(self, instance: Instance) -> None:
        first = instance.send("POST", "/api/decisions", json_body=BODY, headers={"idempotency-key": "k"})
        again = instance.send("POST", "/api/decisions", json_body=BODY, headers={"idempotency-key": "k"})
        assert first.body == again.body
        assert again.headers["idempotency-replayed"] == "true"
        other = instance.send(
            "POST", "/api/decisions", json_body=BODY | {"context": "x"}, headers={"idempotency-key": "k"}
        )
        assert other.status == 422

    def test_keeps_no_card_number_wherever_it_was_sent(self, instance: Instance) -> None:
        pan = "5555555555554444"
        made = instance.decide(
            credential={"type": "pan", "pan": {"value": pan, "cardholder_name": f"J {pan}"}},
            customer={"id": pan, "email": f"{pan}@a.example"},
            transaction={"reference": f"ref {pan}", "amount": 1, "currency": "EUR"},
            device={"session": pan, "fingerprint": pan},
            metadata={pan: "x", "note": pan},
        )
        assert made.status == 200
        assert pan not in made.body.decode()
        entry = instance.send("GET", f"/api/decisions/{made.json['id']}")
        assert pan not in entry.body.decode()
        stored = repr(aws.dynamodb().scan(TableName=DEPLOYMENT.tables["RiskTable"].name)["Items"])
        assert made.json["id"] in stored
        assert pan not in stored
        assert entry.json["customer_id"].startswith("[masked:")


class TestRead:
    def test_adds_what_it_was_about(self, instance: Instance) -> None:
        made = instance.decide(metadata={"a": "b"}).json
        assert instance.send("GET", f"/api/decisions/{made['id']}").json == {
            **made,
            "amount": 14999,
            "currency": "EUR",
            "customer_id": "customer-1",
            "device_ip": "203.0.113.7",
            "device_fingerprint": "device-1",
            "transaction_reference": "order-1",
            "payment_state": None,
        }

    @pytest.mark.parametrize(
        "unknown",
        [
            "x",
            "019aa4c6-7a00-7000-8000-000000000000",
            "3f2c1a7e-5b1d-4c1e-9a55-0d6c8e1f2a3b",
            "f" * 8 + "-ffff-7fff-bfff-" + "f" * 12,
        ],
    )
    def test_knows_nothing_else(self, instance: Instance, unknown: str) -> None:
        answer = instance.send("GET", f"/api/decisions/{unknown}")
        assert (answer.status, answer.json["classifier"], answer.json["code"]) == (404, "NOT_FOUND", 404)

    def test_shows_nobody_elses(self, instance: Instance, make_instance: MakeInstance) -> None:
        made = instance.decide().json
        assert make_instance().send("GET", f"/api/decisions/{made['id']}").status == 404
        assert make_instance().send("POST", f"/api/decisions/{made['id']}/resolve", json_body={}).status == 404


class TestResolve:
    @pytest.mark.parametrize(("action", "resolution"), [("accept", "ACCEPTED"), ("reject", "REJECTED")])
    def test_ends_a_review(self, make_instance: MakeInstance, action: str, resolution: str) -> None:
        instance = make_instance(edition="connect")
        instance.activate(REVIEW_ALL)
        made = instance.decide().json
        answer = instance.send("POST", f"/api/decisions/{made['id']}/resolve", json_body={"action": action})
        assert answer.status == 200
        at = answer.json["resolved_at"]
        assert answer.json == {
            "id": made["id"],
            "original_decision": "REVIEW",
            "resolution": resolution,
            "resolved_at": at,
            "backend_notifications": [],
        }
        entry = instance.send("GET", f"/api/decisions/{made['id']}").json
        assert (entry["decision"], entry["resolution"]) == ("REVIEW", {"resolution": resolution, "resolved_at": at})

    def test_ends_it_once_however_many_try(self, instance: Instance) -> None:
        instance.activate(REVIEW_ALL)
        target = f"/api/decisions/{instance.decide().json['id']}/resolve"
        with ThreadPoolExecutor(10) as pool:
            sent = pool.map(
                lambda n: instance.send("POST", target, json_body={"action": ("accept", "reject")[n % 2]}), range(20)
            )
        assert sorted(each.status for each in sent) == [200] + [409] * 19

    def test_refuses_what_is_not_under_review(self, instance: Instance) -> None:
        target = f"/api/decisions/{instance.decide().json['id']}/resolve"
        answer = instance.send("POST", target, json_body={"action": "accept"})
        assert (answer.status, answer.json["classifier"]) == (409, "CONFLICT")

    @pytest.mark.parametrize("body", [{}, {"action": "ACCEPT"}, {"action": None}])
    def test_takes_two_actions(self, instance: Instance, body: dict[str, Any]) -> None:
        target = f"/api/decisions/{instance.decide().json['id']}/resolve"
        answer = instance.send("POST", target, json_body=body)
        assert (answer.status, answer.paths()) == (422, ["$.action"])
