"""Merchants and their keys at Stripe, and what must never leave the card zone."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.vault.acquiring.stripe_cases import (
    CONFIRM,
    INTENTS,
    METHODS,
    asked,
    authorised,
    card,
    connector,
    later,
)
from tests.vault.acquiring.stripe_peer import KEY, StripePeer
from tollgate import aws, config
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.egress import Egress
from tollgate.errors import Failure, UpstreamTimeout
from tollgate.store.table import Table
from vault.acquirer_stripe.public import StripeConnector
from vault.acquirers import NotConnected
from vault.acquiring import worker


class TestMerchants:
    @pytest.mark.parametrize(
        "key", ["", KEY.replace("test", "live"), "pk_test_1", "sk_test_", "sk_test_a\r\nb", "sk_test_é"]
    )
    def test_are_not_connected_by_a_key_of_another_kind(
        self, peer: StripePeer, acquirer: StripeConnector, key: str
    ) -> None:
        with pytest.raises(NotConnected):
            acquirer.connect(str(uuid.uuid4()), "shop", key)
        assert peer.seen == []

    def test_are_connected_by_a_live_key_outside_a_sandbox_alone(self, peer: StripePeer) -> None:
        with pytest.raises(NotConnected):
            connector(peer.base, is_sandbox=False).connect("someone", "shop", KEY)
        connector(peer.base, is_sandbox=False).connect("someone", "shop", KEY.replace("test", "live"))

    def test_are_not_connected_by_a_key_that_stripe_refuses(self, acquirer: StripeConnector) -> None:
        account = str(uuid.uuid4())
        with pytest.raises(NotConnected):  # localstripe knows no restricted keys
            acquirer.connect(account, "shop", KEY.replace("sk", "rk"))
        with pytest.raises(NotConnected):
            acquirer.authorise(asked(account), card())

    def test_are_not_connected_while_stripe_is_out_of_reach(self, peer: StripePeer, acquirer: StripeConnector) -> None:
        account = str(uuid.uuid4())
        peer.plot("GET", INTENTS, "lost")
        with pytest.raises(UpstreamTimeout):
            acquirer.connect(account, "shop", KEY)
        with pytest.raises(NotConnected):
            acquirer.authorise(asked(account), card())

    @pytest.mark.parametrize("credential", [None, "another"])
    def test_need_the_credential_that_is_named(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, credential: str | None
    ) -> None:
        with pytest.raises(NotConnected):
            acquirer.authorise(asked(account_id, credential=credential), card())
        assert peer.seen == []

    def test_go_on_with_the_credential_that_they_began_with(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        acquirer.connect(account_id, "second", "sk_test_second")
        first = authorised(acquirer, account_id, credential="second")
        peer.forget()
        acquirer.carry_out(later(first, "capture"))
        assert {each.headers["authorization"] for each in peer.seen} == {"Bearer sk_test_second"}

    def test_that_disconnect_are_told_what_was_before(self, acquirer: StripeConnector, account_id: str) -> None:
        made = asked(account_id)
        outcome = acquirer.authorise(made, card())
        capture = later(made, "capture")
        captured = acquirer.carry_out(capture)
        acquirer.disconnect(account_id, "shop")
        assert acquirer.authorise(made, card()) == outcome
        assert acquirer.carry_out(capture) == captured
        with pytest.raises(NotConnected):
            acquirer.carry_out(later(made, "refund"))

    def test_that_disconnect_leave_open_what_is_open(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        made = asked(account_id)
        peer.plot("POST", CONFIRM, "deaf")
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(made, card())
        acquirer.disconnect(account_id, "shop")
        with pytest.raises(UpstreamTimeout):
            acquirer.ask(account_id, made.reference)
        with pytest.raises(NotConnected):
            acquirer.authorise(asked(account_id), card())
        acquirer.connect(account_id, "shop", KEY)
        assert acquirer.ask(account_id, made.reference).status == "approved"


PAN, CAVV = "4242424242424242", "jJ81HADVRtXfCBATEp01CJUAAAA="
CARD = {"account_number": PAN, "expiry_month": 12, "expiry_year": 2040, "security_code": "873"}


class TestDoor:
    @pytest.fixture
    def door(self, peer: StripePeer, monkeypatch: pytest.MonkeyPatch) -> Any:
        settings = replace(
            config.load(worker.AcquiringSettings), stripe_api_base=peer.base,
            sandbox_allow_targets=(peer.base.removeprefix("http://"),),
        )  # fmt: skip
        monkeypatch.setattr(worker, "_service", worker.compose(settings))

        def invoke(action: str, account_id: str, **members: Any) -> dict[str, Any]:
            members = {"connector": "stripe", **members}
            return worker.handler({"action": action, "account_id": account_id, **members}, object())

        return invoke

    @pytest.fixture
    def tenant(self, provision: Any) -> str:
        return str(provision("create_account", name="test")["id"])

    def test_connects_and_charges(self, door: Any, tenant: str) -> None:
        assert door("connect", tenant, credential="7", secret=KEY) == {}
        token = door("keep", tenant, card=CARD)["token_id"]
        members = {"reference": str(uuid.uuid4()), "amount": 100, "currency": "EUR"}
        assert door("authorise", tenant, token_id=token, credential="7", **members)["status"] == "approved"
        rest = {**members, "reference": "two", "parent": members["reference"], "final": True}
        assert door("capture", tenant, **rest)["status"] == "approved"
        assert door("disconnect", tenant, credential="7") == {}
        assert "NotConnected" in door("refund", tenant, **{**rest, "reference": "three"})["failure"]

    @pytest.mark.parametrize(("name", "secret"), [("stripe", "sk_live_1"), ("test", KEY), ("none", KEY)])
    def test_says_what_cannot_be_connected(self, door: Any, tenant: str, name: str, secret: str) -> None:
        assert "Invalid" in door("connect", tenant, connector=name, credential="7", secret=secret)["failure"]

    def test_leaves_secrets_nowhere(
        self, door: Any, tenant: str, peer: StripePeer, capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        caplog.set_level(logging.DEBUG)
        door("connect", tenant, credential="7", secret=KEY)
        answers = []
        for plot in (None, "lost", "deaf", "answer"):
            if plot:
                error = {"type": "card_error", "code": "card_declined", "message": f"{PAN} {KEY} 8731"}
                peer.plot("POST", CONFIRM, plot, 402, error=error)  # type: ignore[arg-type]
            token = door("keep", tenant, card=CARD)["token_id"]
            members = {"reference": str(uuid.uuid4()), "amount": 100, "currency": "EUR", "credential": "7"}
            proof = {"eci": "05", "value": CAVV, "ds_transaction_id": str(uuid.uuid4())}
            answers.append(door("authorise", tenant, token_id=token, authentication=proof, **members))
            answers.append(door("ask", tenant, reference=members["reference"]))
        texts = [str(answers), "".join(capfd.readouterr()), caplog.text, dump_of_tables()]
        for secret in (PAN, KEY, CAVV):
            assert not any(secret in text for text in texts)
        sent_to = {each.path for each in peer.seen if PAN in str(each.form)}
        assert sent_to == {METHODS}


def dump_of_tables() -> str:
    """Every item of every table, bytes included."""
    found = []
    for table in DEPLOYMENT.tables.values():
        for page in aws.dynamodb().get_paginator("scan").paginate(TableName=table.name):
            found += [str(item) for item in page["Items"]]
    return "\n".join(found)


class TestGuard:
    @pytest.mark.parametrize("base", ["http://127.0.0.1:1", "https://10.0.0.1", "https://169.254.169.254", "ftp://x"])
    def test_an_address_that_may_not_be_called(self, acquirer: StripeConnector, account_id: str, base: str) -> None:
        table = Table(DEPLOYMENT.tables["VaultTable"].name, aws.dynamodb())
        keyring = Keyring(table, Kms(aws.kms(), "alias/cards"), "cards")
        elsewhere = StripeConnector(table, keyring, Egress(), base, is_sandbox=True)
        assert elsewhere.authorise(asked(account_id), card()).reason == "never_received"
        with pytest.raises(Failure):
            elsewhere.connect(account_id, "shop", KEY)

    def test_a_redirect_is_not_followed(self, peer: StripePeer, acquirer: StripeConnector, account_id: str) -> None:
        made = asked(account_id)
        peer.plot("POST", CONFIRM, "answer", 307, location="http://169.254.169.254/")
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(made, card())
        assert peer.count(CONFIRM) == 1
