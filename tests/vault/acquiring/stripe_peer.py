"""Plays Stripe in front of localstripe: passes requests on, and adds what localstripe lacks for taking payments.

localstripe keeps the objects and their states. What it does not have, and this adds as Stripe documents it: idempotency
keys; cards without a security code; metadata and `final_capture` of a capture; the refusal to capture a canceled
payment, to refund more than was captured, and the codes of these errors. It records what passes, and a test can have
the next matching request go wrong in a way of its choice (`Plot`).

A card number that ends in 0259 is charged, and the answer to that is lost. As a process of its own, in front of a
localstripe on another port: `python stripe_peer.py <port> <port of localstripe>`.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

LOCALSTRIPE = Path(__file__).parents[1] / "imports" / "localstripe_on_loopback.py"
START_SECONDS = 20
KEY = "sk_test_canary0of0these0tests"
SILENT = "0259"
Form = dict[str, str]
Course = Literal["lost", "deaf", "answer", "changed"]


@dataclass(frozen=True)
class Seen:
    """A request as it came. `headers` have lower-case names."""

    method: str
    path: str
    form: Form
    headers: dict[str, str]


@dataclass
class Plot:
    """What goes wrong with the next request that matches: it is *lost* on its way, carried out with a *deaf* line
    back, given this *answer* without being passed on, or carried out with the answer *changed* in these members."""

    method: str
    path: str
    course: Course
    status: int = 500
    body: dict[str, Any] = field(default_factory=dict)

    def fits(self, method: str, path: str) -> bool:
        return method == self.method and re.fullmatch(self.path, path.partition("?")[0]) is not None


class StripePeer(ThreadingHTTPServer):
    """The peer, with what it knows beside localstripe."""

    daemon_threads = True

    def __init__(self, port: int, upstream: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.upstream = upstream
        self.seen: list[Seen] = []
        self.plots: list[Plot] = []
        self.kept: dict[str, tuple[Form, int, bytes]] = {}
        self.silent: set[str] = set()
        self.turn = threading.RLock()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def plot(self, method: str, path: str, course: Course, http_status: int = 500, /, **body: Any) -> None:
        self.plots.append(Plot(method, path, course, http_status, body))

    def count(self, path: str) -> int:
        """How many POST requests came to a path."""
        return sum(each.method == "POST" and re.fullmatch(path, each.path) is not None for each in self.seen)

    def forget(self) -> None:
        self.seen.clear()
        self.plots.clear()

    def forms(self, path: str) -> list[Form]:
        """What was sent to a path, in order."""
        return [each.form for each in self.seen if each.method == "POST" and re.fullmatch(path, each.path)]

    def read(self, path: str) -> Any:
        """What localstripe has at a path now."""
        url = f"http://127.0.0.1:{self.upstream}{path}"
        request = urllib.request.Request(url, headers={"authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())


@contextmanager
def running() -> Iterator[StripePeer]:
    """localstripe in a process of its own, and the peer before it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(LOCALSTRIPE), str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peer = StripePeer(0, port)
    thread = threading.Thread(target=peer.serve_forever, daemon=True)
    thread.start()
    try:
        _wait_for(peer)
        yield peer
    finally:
        peer.shutdown()
        peer.server_close()
        thread.join()
        process.terminate()
        process.wait(10)


def _wait_for(peer: StripePeer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            peer.read("/v1/customers")
        except OSError:
            assert time.monotonic() < deadline, "localstripe did not start"
            threading.Event().wait(0.05)
        else:
            return


class _Handler(BaseHTTPRequestHandler):
    server: StripePeer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve("")

    def do_DELETE(self) -> None:
        self._serve("")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("content-length", 0))).decode())

    def log_message(self, *_: object) -> None:
        """Nothing: what passes here are card numbers."""

    def _serve(self, body: str) -> None:
        form = dict(parse_qsl(body, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.turn:
            self.server.seen.append(Seen(self.command, self.path, form, headers))
            plot = next((each for each in self.server.plots if each.fits(self.command, self.path)), None)
            if plot is not None:
                self.server.plots.remove(plot)
            if plot is not None and plot.course == "answer":
                return self._answer(plot.status, json.dumps(plot.body).encode())
            if plot is not None and plot.course == "lost":
                return self._hang_up()
            status, text = self._once(form, headers.get("idempotency-key"))
        if plot is not None and plot.course == "changed":
            return self._answer(status, json.dumps({**json.loads(text), **plot.body}).encode())
        if plot is not None or self._is_silent():
            return self._hang_up()
        return self._answer(status, text)

    # ------------------------------------------------------------------ what localstripe lacks

    def _once(self, form: Form, key: str | None) -> tuple[int, bytes]:
        """The answer to a request, the first one again where the key is known."""
        known = self.server.kept.get(key or "")
        if known is not None and key:
            if known[0] != form:
                return _refusal("idempotency_error", "idempotency_error", "Keys can only be used with the same request")
            return known[1:]
        status, text = self._carry_out(form)
        if key:
            self.server.kept[key] = (form, status, text)
        return status, text

    def _carry_out(self, form: Form) -> tuple[int, bytes]:
        if self.command == "POST" and self.path == "/v1/payment_methods":
            return self._make_method(form)
        if self.command == "POST" and self.path == "/v1/refunds":
            return self._refund(form)
        if self.command == "POST" and self.path.endswith("/capture"):
            return self._capture(form)
        if self.command == "POST" and self.path.endswith("/confirm"):
            form = {name: value for name, value in form.items() if name.startswith("expand")}
        return self._pass_on(self.command, self.path, form)

    def _make_method(self, form: Form) -> tuple[int, bytes]:
        status, text = self._pass_on("POST", self.path, {"card[cvc]": "999", **form})
        if status == 200 and form.get("card[number]", "").endswith(SILENT):
            self.server.silent.add(json.loads(text)["id"])
        return status, text

    def _capture(self, form: Form) -> tuple[int, bytes]:
        place = self.path.removesuffix("/capture")
        if self._state(place)["status"] != "requires_capture":
            return _refusal("invalid_request_error", "payment_intent_unexpected_state", "Cannot be captured")
        amount = {name: value for name, value in form.items() if name == "amount_to_capture"}
        status, text = self._pass_on("POST", self.path, amount)
        marks = {name: value for name, value in form.items() if name.startswith("metadata")}
        if status != 200:
            return _refusal("invalid_request_error", "amount_too_large", "More than can be captured")
        return self._pass_on("POST", place, marks) if marks else (status, text)

    def _refund(self, form: Form) -> tuple[int, bytes]:
        payment = self._state(f"/v1/payment_intents/{form['payment_intent']}")
        charge = payment.get("latest_charge") or {}
        if not charge or payment["status"] != "succeeded":
            return _refusal("invalid_request_error", "payment_intent_unexpected_state", "Nothing to refund")
        if int(form["amount"]) > charge["amount"] - charge["amount_refunded"]:
            return _refusal("invalid_request_error", None, "More than is left of the charge")
        return self._pass_on("POST", self.path, form)

    def _state(self, place: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._pass_on("GET", f"{place}?expand[]=latest_charge", {})[1])
        return found

    def _is_silent(self) -> bool:
        if self.command != "POST" or not self.path.endswith("/confirm"):
            return False
        return self._state(self.path.removesuffix("/confirm")).get("payment_method") in self.server.silent

    # ------------------------------------------------------------------ the line

    def _pass_on(self, method: str, path: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=10)
        headers = {"authorization": self.headers.get("authorization", "")}
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
        upstream.request(method, path, urlencode(form) if form else None, headers)
        answer = upstream.getresponse()
        text = answer.read()
        upstream.close()
        return answer.status, text

    def _answer(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _hang_up(self) -> None:
        self.close_connection = True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _refusal(kind: str, code: str | None, message: str) -> tuple[int, bytes]:
    error = {"type": kind, "message": message, **({"code": code} if code else {})}
    return 400, json.dumps({"error": error}).encode()


if __name__ == "__main__":
    StripePeer(int(sys.argv[1]), int(sys.argv[2])).serve_forever()
