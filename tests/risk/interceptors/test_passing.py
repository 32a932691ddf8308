"""Requests that pass through an interceptor, over real connections to a destination on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from tests.risk.instances import Instance, MakeInstance, condition, leaf
from tests.risk.interceptors.conftest import BODY, MAPPING, Acquirer, Intercepted, block_above
from tests.shared.egress.peers import Visit
from tests.support import tables
from tests.support.environment import DEPLOYMENT
from tests.support.faults import deaths
from tollgate import aws

PAN = "4242424242424242"
DECISION = "x-specter-decision-id"
Make = Callable[..., Intercepted]


def stages(of: Intercepted) -> list[str]:
    table = DEPLOYMENT.environment("Interceptors")["RISK_TABLE"]
    found = tables.items(aws.dynamodb(), table, f"INTERCEPTION#{of.instance.account_id}#")
    return [each["stage"]["S"] for each in found]


class TestAllow:
    def test_goes_on_byte_for_byte_and_the_answer_comes_back(
        self, instance: Instance, acquirer: Acquirer, intercept: Make
    ) -> None:
        of = intercept(instance)
        answer = of.send()
        assert acquirer.bodies == [BODY]
        assert acquirer.peer.visits[0].request.startswith(b"POST /v71/payments?x=1 HTTP/1.1\r\n")
        assert (answer.status, answer.body) == (201, b'{"ok":true}')
        assert (answer.headers["x-own"], answer.headers["x-tollgate-relayed"]) == ("yes", "true")
        made = instance.send("GET", f"/api/decisions/{answer.headers[DECISION]}").json
        assert (made["decision"], made["integration"], made["interceptor_id"]) == (
            "ALLOW",
            "interceptor",
            of.made["id"],
        )
        assert (made["context"], made["amount"], made["currency"]) == ("checkout", 14999, "EUR")
        assert made["masked_credential"] == "424242 ****** 4242"
        assert stages(of) == ["answered"]

    def test_sends_the_headers_that_are_the_destinations(
        self, instance: Instance, acquirer: Acquirer, intercept: Make
    ) -> None:
        sent = {
            "x-api-key": "the acquirer's", "x-destination-authorization": "Basic theirs", "idempotency-key": "k-1",
            "payment-type": "sale", "cookie": "a=b", "x-forwarded-for": "10.0.0.1", "connection": "x-hop",
            "x-hop": "1", "transfer-encoding": "chunked", "proxy-authorization": "p", "user-agent": "shop/1",
        }  # fmt: skip
        answer = intercept(instance).send(headers=sent)
        (head,) = acquirer.heads
        kept = {name: value for name, value in head.items() if name not in {"host", "connection", "accept-encoding"}}
        assert kept == {
            "content-type": "application/json", "x-api-key": "the acquirer's", "authorization": "Basic theirs",
            "idempotency-key": "k-1", "user-agent": "shop/1", "content-length": str(len(BODY)),
        }  # fmt: skip
        made = instance.send("GET", f"/api/decisions/{answer.headers[DECISION]}").json
        assert (made["payment_type"], made["payment_state"]) == ("sale", "captured")

    @pytest.mark.parametrize("status", [400, 401, 403, 422, 500, 503])
    def test_hands_on_the_destinations_refusals(
        self, instance: Instance, acquirer: Acquirer, intercept: Make, status: int
    ) -> None:
        acquirer.answer = f"HTTP/1.1 {status} No\r\ncontent-length: 2\r\n\r\nno".encode()
        answer = intercept(instance).send()
        assert (answer.status, answer.body, answer.headers["x-tollgate-relayed"]) == (status, b"no", "true")
        assert DECISION in answer.headers

    def test_cannot_be_made_to_speak_for_us(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        lies = "x-specter-decision-id: lie\r\nx-tollgate-relayed: no\r\nstrict-transport-security: max-age=0\r\n"
        acquirer.answer = f"HTTP/1.1 200 OK\r\n{lies}content-length: 0\r\n\r\n".encode()
        answer = intercept(instance).send()
        assert answer.headers[DECISION] != "lie"
        assert answer.headers["strict-transport-security"] == "max-age=63072000"

    def test_keeps_bytes_that_are_no_text(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        acquirer.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-type: image/x\r\n\r\n\xff\x00\xfe"
        assert intercept(instance).send().body == b"\xff\x00\xfe"


class TestBlockAndReview:
    def test_never_reach_the_destination(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        of = intercept(instance, responses={"review": {"status": 202}})
        instance.activate(block_above(1), context="checkout")
        blocked = of.send(headers={"payment-type": "authorization"})
        assert (blocked.status, blocked.json["decision"]) == (200, "BLOCK")
        assert blocked.json["id"] == blocked.headers[DECISION]
        assert (blocked.json["payment_type"], blocked.json["payment_state"]) == ("authorization", None)
        instance.activate(block_above(1, "REVIEW"), context="checkout")
        review = of.send()
        assert (review.status, review.json["decision"]) == (202, "REVIEW")
        assert "x-tollgate-relayed" not in review.headers
        assert (acquirer.peer.dials, stages(of)) == (0, [])

    def test_answer_as_configured(self, instance: Instance, intercept: Make) -> None:
        body = {"id": "{{decision_id}}", "text": "Refused ({{decision}}): {{transaction_reference}}", "list": [1, None]}
        of = intercept(instance, responses={"block": {"mode": "template", "status": 402, "body": body}})
        instance.activate(block_above(1), context="checkout")
        sent = json.loads(BODY) | {"reference": "{{decision_id}} x"}
        answer = of.send(json.dumps(sent))
        assert answer.status == 402
        assert answer.json == {
            "id": answer.headers[DECISION], "text": "Refused (BLOCK): {{decision_id}} x", "list": [1, None],
        }  # fmt: skip

    def test_provisional_is_answered_as_review(
        self, make_instance: MakeInstance, acquirer: Acquirer, intercept: Make
    ) -> None:
        connect = make_instance(edition="connect")
        of = intercept(connect, responses={"review": {"status": 202}})
        connect.activate({"id": "b", "type": "backend", "backend": "link/x", "async": True}, context="checkout")
        answer = of.send()
        assert (answer.status, answer.json["decision"], acquirer.peer.dials) == (202, "PROVISIONAL", 0)

    def test_see_the_payment_type(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        of = intercept(instance)
        instance.activate(condition("t", leaf("$.payment_type", "eq", "moto")), context="checkout")
        assert of.send(headers={"payment-type": "moto"}).json["decision"] == "BLOCK"
        assert of.send().status == 201
        refused = of.send(headers={"payment-type": PAN})
        assert (refused.status, refused.paths()) == (422, ["header.payment-type"])
        assert len(acquirer.bodies) == 1


class TestUndecided:
    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"", "application/json"),
            (b"<xml/>", "application/xml"),
            (b"\xff\xfe\x00", "application/octet-stream"),
            (b"{", "application/json"),
            (b'{"a":1,"a":2}', "application/json"),
            (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "application/json"),
            (b"[" * 100_000, "application/json"),
            (b'{"amount":{"value":1e999999999,"currency":"EUR"}}', "application/json"),
            (BODY.replace(b"14999", b'"14999"'), "application/json"),
            (BODY.replace(b"EUR", b"eur"), "application/json"),
            (BODY.replace(b"4242424242424242", b"4242424242424241"), "application/json"),
            (BODY.replace(b'"03"', b'"x"'), "application/json"),
            (b"a=1&a=2", "application/x-www-form-urlencoded"),
            (b"x" * 1_000_000, "text/plain"),
        ],
    )
    def test_goes_on_as_it_is_without_a_decision(
        self, instance: Instance, acquirer: Acquirer, intercept: Make, body: bytes, content_type: str
    ) -> None:
        answer = intercept(instance).send(body, headers={"content-type": content_type})
        assert (answer.status, acquirer.bodies) == (201, [body])
        assert DECISION not in answer.headers

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"", "application/json"),
            (b"<xml/>", "application/xml"),
            (BODY.replace(b"14999", b'"14999"'), "application/json"),
            (BODY.replace(b"4242424242424242", b"4242424242424241"), "application/json"),
            (BODY.replace(b'"shopperReference":"customer-1",', b""), "application/json"),
        ],
    )
    def test_goes_nowhere_where_the_interceptor_says_so(
        self, instance: Instance, acquirer: Acquirer, intercept: Make, body: bytes, content_type: str
    ) -> None:
        refusal = {"status": 400, "body": {"error": "{{decision_id}}"}}
        of = intercept(instance, responses={"undecided": refusal})
        assert of.made["responses"]["undecided"] == refusal
        answer = of.send(body, headers={"content-type": content_type, "idempotency-key": "k"})
        assert (answer.status, answer.json) == (400, refusal["body"])
        assert {DECISION, "x-tollgate-relayed"}.isdisjoint(answer.headers)
        assert (acquirer.peer.dials, stages(of)) == (0, [])
        assert of.send(headers={"idempotency-key": "k"}).status == 201  # mended, under the same key

    def test_goes_nowhere_where_the_instance_takes_no_card_numbers_either(
        self, make_instance: MakeInstance, acquirer: Acquirer, intercept: Make
    ) -> None:
        answer = intercept(make_instance(pci_level="SAQ_A"), responses={"undecided": {"body": None}}).send()
        assert (answer.status, answer.body, acquirer.peer.dials) == (422, b"", 0)

    def test_has_no_answer_of_its_own_without_a_mapping(self, instance: Instance, intercept: Make) -> None:
        responses = {"undecided": {"body": {}}}
        made = intercept(instance, responses=responses, active=False).made
        sent = {"context": "c", "destination": made["destination"], "responses": responses}
        created = instance.send("POST", "/api/admin/interceptors", json_body=sent)
        changed = instance.send("PATCH", f"/api/admin/interceptors/{made['id']}", json_body={"field_mapping": []})
        for answer in (created, changed):
            assert (answer.status, answer.paths()) == (422, ["$.responses.undecided"])

    @pytest.mark.parametrize("undecided", [{}, {"status": 200, "body": 1}, {"body": 1.5}, {"body": "x" * 16_385}, []])
    def test_an_answer_of_its_own_has_a_form(self, instance: Instance, acquirer: Acquirer, undecided: Any) -> None:
        sent = {"context": "c", "destination": {"url": acquirer.peer.url}, "field_mapping": MAPPING}
        sent["responses"] = {"undecided": undecided}
        answer = instance.send("POST", "/api/admin/interceptors", json_body=sent)
        assert answer.status == 422
        assert all(path.startswith("$.responses.undecided") for path in answer.paths())

    def test_where_the_instance_takes_no_card_numbers(
        self, make_instance: MakeInstance, acquirer: Acquirer, intercept: Make
    ) -> None:
        answer = intercept(make_instance(pci_level="SAQ_A")).send()
        assert (answer.status, DECISION in answer.headers, acquirer.bodies) == (201, False, [BODY])

    def test_is_refused_over_a_mebibyte(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        assert intercept(instance).send(b" " * 1_048_577).status == 413
        assert acquirer.peer.dials == 0

    def test_without_a_mapping_shows_what_is_there_to_map(
        self, instance: Instance, acquirer: Acquirer, intercept: Make
    ) -> None:
        of = intercept(instance, field_mapping=[])
        answer = of.send()
        assert (answer.status, DECISION in answer.headers, acquirer.bodies) == (201, False, [BODY])
        of.send(json.dumps({"a b": {"it's": True}, PAN: 1, f"x{PAN}y": 2, "card": {"security-code": "1"}, "e": {}}))
        seen = {each["key"]: each["type"] for each in self.keys(of)}
        assert seen == {
            "$.amount.currency": "string", "$.amount.value": "integer", "$.reference": "string",
            "$.shopperReference": "string", "$.paymentMethod.number": "string", "$.paymentMethod.expiryMonth": "string",
            "$.paymentMethod.holder": "string", "$.z[0]": "number", "$.e": "object",
            '$[\'a b\']["it\'s"]': "boolean",
        }  # fmt: skip
        listed = instance.send("GET", "/api/admin/interceptors").json["data"]
        assert listed[0]["discovered_keys"] == self.keys(of)

    def keys(self, of: Intercepted) -> list[dict[str, str]]:
        shown = of.instance.send("GET", f"/api/admin/interceptors/{of.made['id']}").json
        return list(shown["discovered_keys"])

    def test_keeps_a_bounded_number_of_keys(self, instance: Instance, intercept: Make) -> None:
        of = intercept(instance, field_mapping=[])
        for start in range(0, 1500, 150):
            of.send(json.dumps({f"k{start + n}": n for n in range(150)}))
        assert 200 <= len(self.keys(of)) < 400


class TestSilence:
    def test_of_the_destination_is_unknown_and_decided_all_the_same(
        self, instance: Instance, acquirer: Acquirer, intercept: Make
    ) -> None:
        acquirer.script = Visit.hang
        of = intercept(instance, destination={"url": f"{acquirer.peer.url}/pay", "timeout_ms": 100})
        answer = of.send()
        assert (answer.status, answer.json["classifier"]) == (504, "GATEWAY_TIMEOUT")
        assert DECISION in answer.headers
        assert (stages(of), len(acquirer.bodies)) == (["unknown"], 1)

    def test_of_nobody_there_is_not_sent(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        of = intercept(instance)
        acquirer.peer.__exit__()
        answer = of.send()
        assert (answer.status, stages(of)) == (502, ["not sent"])

    def test_is_not_kept_from_the_caller_when_it_cannot_be_written_down(
        self, instance: Instance, acquirer: Acquirer, intercept: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of = intercept(instance)

        def fail(*_: Any) -> None:
            raise ConnectionError

        monkeypatch.setattr("risk.interceptors.handler._repository.note_outcome", fail)
        assert of.send().status == 201
        assert stages(of) == ["sent"]


class TestTheSameRequestAgain:
    def test_is_decided_once_and_goes_on_again(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        of = intercept(instance)
        first, second = (of.send(headers={"idempotency-key": "k"}) for _ in range(2))
        assert first.headers[DECISION] == second.headers[DECISION]
        assert [head["idempotency-key"] for head in acquirer.heads] == ["k", "k"]
        other = of.send(BODY.replace(b"14999", b"1"), headers={"idempotency-key": "k"})
        assert (other.status, len(acquirer.bodies)) == (422, 2)

    def test_at_once_is_decided_once(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        of = intercept(instance)
        of.send()  # a token and the keys are there
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: of.send(headers={"idempotency-key": "same"}), range(6)))
        assert {each.status for each in answers} == {201}
        assert len({each.headers[DECISION] for each in answers}) == 1

    def test_blocked_stays_blocked(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        of = intercept(instance)
        instance.activate(block_above(1), context="checkout")
        first = of.send(headers={"idempotency-key": "k"})
        instance.activate(context="checkout")
        second = of.send(headers={"idempotency-key": "k"})
        assert (second.json, acquirer.peer.dials) == (first.json, 0)


class TestDeath:
    """The process dies at any of its calls; the caller, who heard nothing, sends the same again."""

    def test_sends_once_and_the_same_request_again_is_the_same_decision(
        self, instance: Instance, acquirer: Acquirer, intercept: Make
    ) -> None:
        of, tries = intercept(instance), count()
        of.send()  # a token and the keys are there
        sent: list[int] = []

        def attempt() -> None:
            of.send(headers={"idempotency-key": f"k{next(tries)}"})

        before = self._state(of, acquirer)
        for number, _ in enumerate(deaths(aws.dynamodb(), attempt)):
            died = self._state(of, acquirer)
            sent.append(len(acquirer.bodies) - before["sent"])
            assert sent[-1] == died["noted"] - before["noted"] or (sent[-1], died["noted"] - before["noted"]) == (0, 1)
            answer = of.send(headers={"idempotency-key": f"k{number}"})
            assert (answer.status, DECISION in answer.headers) == (201, True)
            after = self._state(of, acquirer)
            assert after["decisions"] == before["decisions"] + 1
            assert after["sent"] == died["sent"] + 1
            assert {head["idempotency-key"] for head in acquirer.heads[before["sent"] :]} == {f"k{number}"}
            before = after
        assert set(sent) == {0, 1}  # it died before it was sent, and after

    def test_without_a_key_sends_once(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        of = intercept(instance)
        of.send()
        before = len(acquirer.bodies)
        for _ in deaths(aws.dynamodb(), of.send):
            assert len(acquirer.bodies) - before <= 1
            before = len(acquirer.bodies)

    def _state(self, of: Intercepted, acquirer: Acquirer) -> dict[str, int]:
        table = DEPLOYMENT.environment("Interceptors")["RISK_TABLE"]
        decisions = tables.items(aws.dynamodb(), table, f"DECISIONS#{of.instance.account_id}")
        return {"decisions": len(decisions), "sent": len(acquirer.bodies), "noted": len(stages(of))}


class TestMapping:
    def test_of_a_form(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        mapping = [
            {"source": "$.amount", "target": "$.transaction.amount", "convert": "minor_units"},
            {"source": "$.currency", "target": "$.transaction.currency", "convert": "upper"},
            {"source": "$['card[number]']", "target": "$.credential.pan.value"},
            {"source": "$['items[0][name]']", "target": "$.items[0].name"},
            {"source": "$.order", "target": "$.transaction.reference"},
            {"value": "guest", "target": "$.customer.id"},
            {"value": "form", "target": "$.metadata.via"},
        ]
        body = f"amount=149.9&currency=eur&card[number]={PAN}&card[cvc]=987&order=o%201&items[0][name]=Hat"
        answer = intercept(instance, field_mapping=mapping).send(
            body, headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        )
        assert acquirer.bodies == [body.encode()]
        made = instance.send("GET", f"/api/decisions/{answer.headers[DECISION]}").json
        assert (made["amount"], made["currency"], made["transaction_reference"]) == (14990, "EUR", "o 1")
        assert (made["metadata"], made["customer_id"]) == ({"via": "form"}, "guest")

    def test_keeps_of_the_request_what_it_names(self, instance: Instance, intercept: Make) -> None:
        sent = json.loads(BODY) | {"reference": f"card {PAN}", PAN: "x"}
        answer = intercept(instance).send(json.dumps(sent))
        payload = instance.send("GET", f"/api/decisions/{answer.headers[DECISION]}").json["payload"]
        reference = payload.pop("reference")
        names = [name for name in payload if name.startswith("[masked:")]
        assert payload.pop(names[0]) == "[string]"
        assert reference.startswith("card [masked:")
        assert payload == {
            "amount": {"currency": "EUR", "value": 14999},
            "shopperReference": "customer-1",
            "paymentMethod": {"number": "[masked]", "cvc": "[string]", "expiryMonth": "03", "holder": "[string]"},
            "z": ["[number]", "[null]"],
        }

    @pytest.mark.parametrize(
        ("mapping", "path"),
        [
            ({"source": "$.a", "target": "$.no.such"}, ".target"),
            ({"source": "$.a", "target": "$.credential_fingerprint"}, ".target"),
            ({"source": "$.a", "target": "$.context"}, ".target"),
            ({"source": "$.a", "target": "$.credential.pan.cvc"}, ".target"),
            ({"source": "$..a", "target": "$.customer.id"}, ".source"),
            ({"source": "$.a[?@.b]", "target": "$.customer.id"}, ".source"),
            ({"source": "$.card.cvc", "target": "$.metadata.x"}, ".source"),
            ({"source": "$.paymentMethod.encryptedSecurityCode", "target": "$.metadata.x"}, ".source"),
            ({"source": "$['card[cvc]']", "target": "$.metadata.x"}, ".source"),
            ({"source": "$.card_cvv2", "target": "$.metadata.x"}, ".source"),
            ({"target": "$.customer.id"}, ""),
            ({"source": "$.a", "value": "b", "target": "$.customer.id"}, ""),
            ({"source": "$.a", "target": "$.customer.id", "convert": "reverse"}, ".convert"),
        ],
    )
    def test_that_cannot_work_is_refused(
        self, instance: Instance, acquirer: Acquirer, mapping: dict[str, Any], path: str
    ) -> None:
        sent = {"context": "c", "destination": {"url": acquirer.peer.url}, "field_mapping": [MAPPING[0], mapping]}
        answer = instance.send("POST", "/api/admin/interceptors", json_body=sent)
        assert (answer.status, answer.paths()) == (422, [f"$.field_mapping[1]{path}"])

    def test_names_a_target_once(self, instance: Instance, acquirer: Acquirer) -> None:
        sent = {"context": "c", "destination": {"url": acquirer.peer.url}, "field_mapping": [MAPPING[0]] * 2}
        answer = instance.send("POST", "/api/admin/interceptors", json_body=sent)
        assert answer.paths() == ["$.field_mapping[1].target"]


class TestWho:
    def test_a_foreign_reference_is_not_there(
        self, instance: Instance, make_instance: MakeInstance, acquirer: Acquirer, intercept: Make
    ) -> None:
        of = intercept(instance)
        other = Intercepted(make_instance(), of.ref, of.made)
        assert other.send().status == 404
        assert Intercepted(instance, "nonsense", {}).send().status == 404
        assert Intercepted(instance, of.made["id"], {}).send().status == 404
        assert acquirer.peer.dials == 0

    def test_needs_the_scope(self, instance: Instance, acquirer: Acquirer, intercept: Make) -> None:
        of = intercept(instance)
        instance.token = instance.token_for("decisions:create", "admin:interceptors:write")
        assert of.send().status == 403
        assert acquirer.peer.dials == 0


def test_nothing_of_the_card_is_kept(instance: Instance, acquirer: Acquirer, intercept: Make, sqs: Any) -> None:
    of, bare = intercept(instance), intercept(instance, field_mapping=[])
    for each in (of, bare):
        each.send(headers={"idempotency-key": "k"})
    for name in ("RISK_TABLE", "IDENTITY_TABLE"):
        for page in (
            aws.dynamodb().get_paginator("scan").paginate(TableName=DEPLOYMENT.environment("Interceptors")[name])
        ):
            kept = [item for item in page["Items"] if instance.account_id in repr(item)]
            assert PAN not in repr(kept)
            assert "987" not in json.dumps([item.get("packed") for item in kept])
    assert PAN not in repr(sqs.sent)
