"""The provider's two sides: the adapter against peers that answer well, badly and not at all; the simulator's table."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.shared.egress.peers import Peer, Visit
from tests.support.keys import FakeKms
from tollgate import luhn
from tollgate.egress import Egress
from tollgate.errors import Unavailable, UpstreamRefused, UpstreamTimeout
from vault import pans
from vault.network_tokens import public, worker
from vault.network_tokens.clients import gateway
from vault.network_tokens.clients.gateway import Gateway
from vault.network_tokens.clients.provider import NoProvider
from vault.network_tokens.clients.simulator import Simulator
from vault.network_tokens.errors import NetworkTokenEnded
from vault.network_tokens.models import CryptogramRequest, Enrolment, NetworkToken, Outcome

ENROLMENT = Enrolment("3b0f9d0e-4c40-4c58-9d6c-6a1a4ab0a001", "4242424242424242", 4, 2033, "John Doe", "VISA", 1)
MADE = NetworkToken("4895370000000007", 5, 2035, "A" * 29)
REQUEST = CryptogramRequest("r-1", ENROLMENT.id, MADE, "m-1", "Example Merchant", 10000, "EUR")
ACTIVE = {
    "status": "active",
    "network_token": {
        "account_number": MADE.account_number,
        "expiration_month": 5,
        "expiration_year": 2035,
        "payment_account_reference": "A" * 29,
    },
}
CRYPTOGRAM = base64.b64encode(bytes(20)).decode()


class Bridge:
    """A provider's bridge on loopback that gives one answer."""

    def __init__(self) -> None:
        self.status, self.answer = 200, b"{}"
        self.script: Any = None

    def play(self, visit: Visit) -> None:
        if self.script is not None:
            self.script(visit)
            return
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(self.answer)}\r\n\r\n"
        visit.send(head.encode() + self.answer)

    def says(self, status: int, body: object) -> None:
        self.status, self.answer = status, body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


@pytest.fixture
def peer(bridge: Bridge) -> Iterator[Peer]:
    with Peer(bridge.play) as made:
        yield made


@pytest.fixture
def adapter(peer: Peer) -> Gateway:
    return Gateway(Egress({peer.listed}), f"{peer.url}/v1/", lambda: "the credential")


class TestGateway:
    def test_enrols_a_card(self, adapter: Gateway, bridge: Bridge, peer: Peer) -> None:
        bridge.says(201, ACTIVE)
        assert adapter.enrol(ENROLMENT) == Outcome("active", MADE)
        head, _, body = peer.visits[0].request.partition(b"\r\n\r\n")
        assert head.startswith(b"PUT /v1/network-tokens/" + ENROLMENT.id.encode() + b" HTTP/1.1\r\n")
        assert b"authorization: Bearer the credential" in head
        assert json.loads(body) == {
            "account_number": "4242424242424242",
            "expiration_month": 4,
            "expiration_year": 2033,
            "cardholder_name": "John Doe",
            "scheme": "VISA",
            "bypass_identification": False,
        }

    @pytest.mark.parametrize("status", ["pending", "failed", "not_available", "inactive"])
    def test_takes_any_status(self, adapter: Gateway, bridge: Bridge, status: str) -> None:
        bridge.says(200, {"status": status})
        assert adapter.enrol(ENROLMENT) == Outcome(status)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "answer",
        [
            b"", b"[]", b"nonsense", {}, {"status": "fine"}, {"status": "active"}, {"status": 1},
            {**ACTIVE, "network_token": "x"}, {**ACTIVE, "network_token": {}},
            *({**ACTIVE, "network_token": {**ACTIVE["network_token"], **wrong}} for wrong in (  # type: ignore[dict-item]
                {"account_number": "4895370000000006"}, {"account_number": 4895370000000007}, {"expiration_month": 13},
                {"expiration_month": True}, {"expiration_year": 35}, {"payment_account_reference": "A"},
                {"payment_account_reference": "é" * 29},
            )),
        ],
    )  # fmt: skip
    def test_refuses_an_answer_that_does_not_hold(self, adapter: Gateway, bridge: Bridge, answer: object) -> None:
        bridge.says(200, answer)
        with pytest.raises(UpstreamRefused) as refusal:
            adapter.enrol(ENROLMENT)
        assert "4895" not in str(refusal.value)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, UpstreamRefused),
            (500, UpstreamRefused),
            (302, UpstreamRefused),
            (503, Unavailable),
            (429, Unavailable),
        ],
    )
    def test_tells_failures_apart(self, adapter: Gateway, bridge: Bridge, status: int, kind: type[Exception]) -> None:
        bridge.says(status, ACTIVE)
        for call in (
            lambda: adapter.enrol(ENROLMENT),
            lambda: adapter.delete("x"),
            lambda: adapter.cryptogram(REQUEST),
        ):
            with pytest.raises(kind):
                call()

    def test_does_not_wait_for_ever(self, adapter: Gateway, bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gateway, "DEADLINE_SECONDS", 1)
        bridge.script = Visit.hang
        with pytest.raises(UpstreamTimeout):
            adapter.enrol(ENROLMENT)

    @pytest.mark.parametrize("status", [200, 204, 404])
    def test_ends_a_network_token_that_may_be_gone(
        self, adapter: Gateway, bridge: Bridge, peer: Peer, status: int
    ) -> None:
        bridge.says(status, b"")
        adapter.delete(ENROLMENT.id)
        assert peer.visits[0].request.startswith(b"DELETE /v1/network-tokens/" + ENROLMENT.id.encode())

    def test_asks_for_a_cryptogram(self, adapter: Gateway, bridge: Bridge, peer: Peer) -> None:
        bridge.says(200, {"cryptogram": CRYPTOGRAM})
        assert adapter.cryptogram(REQUEST) == CRYPTOGRAM
        head, _, body = peer.visits[0].request.partition(b"\r\n\r\n")
        assert head.startswith(b"PUT /v1/network-tokens/" + ENROLMENT.id.encode() + b"/cryptograms/r-1 HTTP/1.1")
        assert json.loads(body)["merchant"] == {"id": "m-1", "name": "Example Merchant"}

    @pytest.mark.parametrize("cryptogram", [None, 1, "", "é", "AAAA", CRYPTOGRAM + "AAAA", CRYPTOGRAM[:-1]])
    def test_refuses_what_is_no_cryptogram(self, adapter: Gateway, bridge: Bridge, cryptogram: object) -> None:
        bridge.says(200, {"cryptogram": cryptogram})
        with pytest.raises(UpstreamRefused):
            adapter.cryptogram(REQUEST)

    def test_hears_that_a_network_token_has_ended(self, adapter: Gateway, bridge: Bridge) -> None:
        bridge.says(409, {"status": "inactive"})
        with pytest.raises(NetworkTokenEnded) as ended:
            adapter.cryptogram(REQUEST)
        assert ended.value.status == "inactive"

    def test_may_not_be_sent_inside(self) -> None:
        inside = Gateway(Egress(), "https://169.254.169.254", lambda: "x")
        with pytest.raises(Exception, match="not permitted"):
            inside.enrol(ENROLMENT)


class TestSimulator:
    @pytest.mark.parametrize(
        ("number", "scheme"),
        [
            ("4242424242424242", pans.VISA), ("4222222222222", pans.VISA), ("4000000000000000006", pans.VISA),
            ("5555555555554444", pans.MASTERCARD), ("378282246310005", pans.AMERICAN_EXPRESS),
        ],
    )  # fmt: skip
    def test_gives_a_good_number_of_the_scheme(self, number: str, scheme: str) -> None:
        made = Simulator().enrol(dataclasses.replace(ENROLMENT, account_number=number, scheme=scheme)).network_token
        assert made is not None
        assert pans.pan_problem(made.account_number) is None
        assert pans.detect_scheme(made.account_number) == scheme
        assert len(made.account_number) == len(number)
        assert made.account_number != number
        assert re.fullmatch(r"[A-Z0-9]{29}", made.payment_account_reference or "")

    def test_answers_a_repetition_alike(self) -> None:
        assert Simulator().enrol(ENROLMENT) == Simulator().enrol(ENROLMENT)

    def test_has_a_card_for_every_outcome(self) -> None:
        endings = {"0002": "failed", "9995": "inactive", "0119": "active", "0341": "active", "0127": "inactive"}
        for ending, status in endings.items():
            number = next(f"4{n:011d}{ending}" for n in range(10) if luhn.passes(f"4{n:011d}{ending}"))
            enrolment = dataclasses.replace(ENROLMENT, account_number=number, attempt=2)
            assert Simulator().enrol(enrolment).status == status

    def test_has_a_card_whose_issuer_identifies_unless_told_not_to(self) -> None:
        enrolment = dataclasses.replace(ENROLMENT, account_number="4000000000000127", bypass_identification=True)
        assert Simulator().enrol(enrolment).status == "active"


class TestChoice:
    def test_is_the_simulator_in_a_sandbox(self) -> None:
        assert isinstance(public.provider_of(worker._settings), Simulator)

    def test_is_none_in_production(self) -> None:
        assert isinstance(
            public.provider_of(dataclasses.replace(worker._settings, environment="production")), NoProvider
        )

    def test_is_the_provider_that_is_connected_with_the_credential_that_kms_unwraps(
        self, kms: FakeKms, peer: Peer, bridge: Bridge
    ) -> None:
        key_id = worker._settings.vault_key_id
        wrapped = kms.encrypt(key_id, b"the credential", public.SECRET_CONTEXT)["CiphertextBlob"]
        settings = dataclasses.replace(
            worker._settings,
            token_service_url=peer.url,
            token_service_key=base64.b64encode(wrapped).decode(),
            sandbox_allow_targets=(peer.listed,),
        )
        bridge.says(200, {"status": "failed"})
        assert public.provider_of(settings).enrol(ENROLMENT) == Outcome("failed")
        assert b"authorization: Bearer the credential\r\n" in peer.visits[0].request
