"""Import from a Stripe that other people wrote (localstripe), over real HTTP in every direction."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.http import event
from tests.support.tables import free_port
from tests.vault.imports.driving import BUCKET, Importer
from tollgate import config
from vault.imports import handler as imports
from vault.imports import worker

HERE = Path(__file__).parent
KEY = "sk_test_12345"
START_SECONDS = 20
CARDS = ("4242424242424242", "5555555555554444", "4000056655665556", "5105105105105100", "2223003122003222")


class Receiver(ThreadingHTTPServer):
    """Our API on a socket, for the forwarder to call: each request goes to the door as the gateway brings it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ReceiverHandler)
        self.refuse: list[int] = []
        self.received: list[dict[str, Any]] = []


class _ReceiverHandler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(dict(self.headers.items()))
        if self.server.refuse:
            status, text = self.server.refuse.pop(0), "{}"
        else:
            answer = imports.handler(event("POST", self.path, headers=dict(self.headers.items()), body=body), object())
            status, text = answer["statusCode"], answer["body"]
        self.send_response(status)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@dataclass
class Stripe:
    """The peer: localstripe behind the forwarder."""

    base: str

    def call(self, path: str, **form: Any) -> Any:
        request = urllib.request.Request(
            f"{self.base}{path}", urlencode(form).encode() if form else None, {"authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def customer_with(self, *numbers: str) -> list[str]:
        """A customer with these cards; answers their ids."""
        customer = self.call("/v1/customers", description="a customer")["id"]
        made = []
        for number in numbers:
            card = {"card[number]": number, "card[exp_month]": "4", "card[exp_year]": "2040", "card[cvc]": "123"}
            method = self.call("/v1/payment_methods", type="card", **card, **{"billing_details[name]": "Jane Doe"})
            self.call(f"/v1/payment_methods/{method['id']}/attach", customer=customer)
            made.append(str(method["id"]))
        return made


@pytest.fixture(scope="module")
def peer() -> Iterator[Stripe]:
    """Both processes, for this module."""
    inner, outer = free_port(), free_port()
    commands = (
        [sys.executable, str(HERE / "localstripe_on_loopback.py"), str(inner)],
        [sys.executable, str(HERE / "forwarder.py"), str(outer), str(inner)],
    )
    processes = [subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for each in commands]
    try:
        stripe = Stripe(f"http://127.0.0.1:{outer}")
        _await(lambda: stripe.call("/v1/customers?limit=1"))
        yield stripe
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)


def _await(attempt: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            attempt()
        except (OSError, ValueError):
            assert time.monotonic() < deadline, "localstripe did not start"
            threading.Event().wait(0.05)
        else:
            return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def stripe(peer: Stripe, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Stripe:
    """The peer, empty, and doors that know where it is."""
    urllib.request.urlopen(urllib.request.Request(f"{peer.base}/_config/data", method="DELETE"), timeout=10).close()
    port = receiver.server_address[1]
    place = peer.base.removeprefix("http://")
    settings = replace(
        config.load(worker.StepSettings),
        stripe_api_base=peer.base,
        import_receiver_url=f"http://127.0.0.1:{port}/cde-import/stripe",
        sandbox_allow_targets=(place, f"127.0.0.1:{port}"),
    )
    monkeypatch.setattr(worker, "_service", worker.compose(settings, worker._queue, worker._journal))
    monkeypatch.setattr(imports._service, "_simulated", False)
    return peer


class TestImport:
    def test_takes_every_card_of_every_customer(self, importer: Importer, stripe: Stripe) -> None:
        ids = [*stripe.customer_with(*CARDS[:2]), *stripe.customer_with(), *stripe.customer_with(*CARDS[2:])]
        import_id = importer.begin(KEY)
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], done["failures"]) == ("finished", 5, 0)
        assert done["progress"]["source"] == "api"
        assert [importer.tokens_of(each) for each in ids] == [1] * 5
        masks = {token["masked_account_number"] for token in importer.tokens()}
        assert masks == {f"{number[:6]}******{number[-4:]}" for number in CARDS}
        assert {token["cardholder_name"] for token in importer.tokens()} == {"Jane Doe"}

    def test_follows_the_pages(self, importer: Importer, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
        from vault.imports.clients import stripe_api

        monkeypatch.setattr(stripe_api, "_PAGE", 2)
        for _ in range(5):
            stripe.customer_with(CARDS[0])
        stripe.customer_with(*CARDS)
        import_id = importer.begin(KEY)
        importer.work()
        assert importer.read(import_id)["successes"] == 10

    def test_goes_on_where_a_killed_listing_stopped(
        self, importer: Importer, stripe: Stripe, monkeypatch: pytest.MonkeyPatch, held_clock: Any
    ) -> None:
        from vault.imports.clients import stripe_api

        monkeypatch.setattr(stripe_api.StripeApi, "rows_per_chunk", 2)
        for _ in range(3):
            stripe.customer_with(*CARDS[:2])
        import_id = importer.begin(KEY)
        put, calls = importer.s3.put_object, 0

        def put_one(**params: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise KeyboardInterrupt
            return put(**params)

        monkeypatch.setattr(importer.s3, "put_object", put_one)
        (body,) = importer.messages()
        importer.take(body)
        with pytest.raises(KeyboardInterrupt):
            importer.deliver(body)
        importer.work()
        assert importer.read(import_id)["successes"] == 2
        held_clock.advance(minutes=3)
        importer.resume()
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], done["failures"]) == ("finished", 6, 0)

    def test_waits_when_asked_to_and_survives_a_dropped_line(self, importer: Importer, stripe: Stripe) -> None:
        stripe.customer_with(CARDS[0], "4000000000000341", CARDS[1])
        import_id = importer.begin(KEY)
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], done["failures"]) == ("finished", 3, 0)

    def test_with_a_wrong_key_ends_and_says_so(self, importer: Importer, stripe: Stripe) -> None:
        import_id = importer.begin("rk_nothing_good")
        importer.work()
        assert importer.read(import_id)["status"] == "aborted"
        (failure,) = importer.failures(import_id)["data"]
        assert failure == {
            "reason": "source_error",
            "context": {
                "business_key": None, "row": None, "message": "Stripe refused the API key or its permissions",
            },
        }  # fmt: skip

    def test_records_what_our_endpoint_refused(self, importer: Importer, stripe: Stripe, receiver: Receiver) -> None:
        (refused,) = stripe.customer_with(CARDS[0])
        receiver.refuse = [400]
        import_id = importer.begin(KEY)
        importer.work()
        (failure,) = importer.failures(import_id)["data"]
        assert (failure["reason"], failure["context"]["business_key"]) == ("destination_error", refused)

    def test_asks_again_when_our_endpoint_is_out_of_reach(
        self, importer: Importer, stripe: Stripe, receiver: Receiver
    ) -> None:
        stripe.customer_with(CARDS[0])
        receiver.refuse = [503, 429]
        import_id = importer.begin(KEY)
        importer.work()
        assert importer.read(import_id)["successes"] == 1

    def test_records_what_stripe_no_longer_has(
        self, importer: Importer, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from vault.imports.clients.stripe_api import StripeApi

        stripe.customer_with(CARDS[0])
        capability = StripeApi.fetch

        def lose_the_id(self: StripeApi, entry: Any) -> Any:
            return capability(self, replace(entry, business_key="pm_gone"))

        monkeypatch.setattr(StripeApi, "fetch", lose_the_id)
        import_id = importer.begin(KEY)
        importer.work()
        (failure,) = importer.failures(import_id)["data"]
        assert failure["reason"] == "source_error"

    def test_leaves_numbers_and_keys_nowhere(
        self, importer: Importer, stripe: Stripe, receiver: Receiver, capfd: pytest.CaptureFixture[str]
    ) -> None:
        stripe.customer_with(*CARDS)
        import_id = importer.begin(KEY)
        bodies, objects = [], []
        while waiting := importer.messages():
            bodies.append(waiting[0])
            importer.take(waiting[0])
            assert importer.deliver(waiting[0])
            objects += list(importer.s3.objects.get(BUCKET, {}).values())
        answers = importer.merchant.send("GET", f"/tokens/imports/{import_id}").body
        answers += importer.merchant.send("GET", f"/tokens/imports/{import_id}/failures").body
        written = "".join(capfd.readouterr())
        texts = [*bodies, written, answers.decode(), json.dumps(receiver.received), dump_of_tables()]
        for secret in (*CARDS, KEY):
            assert not any(secret in text for text in texts)
            assert not any(secret.encode() in body for body in objects)


def dump_of_tables() -> str:
    """Every item of every table, bytes included."""
    from tests.support.environment import DEPLOYMENT
    from tollgate import aws

    found = []
    for table in DEPLOYMENT.tables.values():
        for page in aws.dynamodb().get_paginator("scan").paginate(TableName=table.name):
            found += [str(item) for item in page["Items"]]
    return "\n".join(found)


class TestGuard:
    @pytest.mark.parametrize("base", ["http://127.0.0.1:1", "http://10.0.0.1", "https://169.254.169.254", "ftp://x"])
    def test_an_address_that_may_not_be_called_ends_the_job(
        self, importer: Importer, stripe: Stripe, monkeypatch: pytest.MonkeyPatch, base: str
    ) -> None:
        sourcing = worker._service._w.source_of
        monkeypatch.setattr(
            worker._service, "_w", replace(worker._service._w, source_of=replace(sourcing, api_base=base))
        )
        import_id = importer.begin(KEY)
        importer.work()
        (failure,) = importer.failures(import_id)["data"]
        assert failure["context"]["message"] == "The address of the Stripe API may not be called"
