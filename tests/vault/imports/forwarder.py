"""Plays Stripe in front of localstripe, as a process of its own: a relay that adds the forwarded request.

localstripe has customers and payment methods and no Vault and Forward. This relays every request to it, remembers the
card numbers that pass when payment methods are made, and serves `POST /v1/forwarding/requests` as Stripe documents it:
fills the members of the body in, sends it on with the headers given, and answers what came back. Usage:

    python forwarder.py <port> <port of localstripe>

Ids with a meaning: a card number that ends in 0341 makes the next answers 429, 500 and a dropped line, once each.
"""

from __future__ import annotations

import http.client
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

TROUBLED = "0341"
TROUBLES = [429, 500, None]


class Forwarder(ThreadingHTTPServer):
    """Knows the cards that passed."""

    daemon_threads = True

    def __init__(self, port: int, upstream: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.upstream = upstream
        self.cards: dict[str, dict[str, Any]] = {}
        self.troubles: dict[str, list[int | None]] = {}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Forwarder
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_DELETE(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("content-length", 0))))

    def log_message(self, *_: object) -> None:
        """Nothing: what passes here are card numbers."""

    def _serve(self, body: bytes) -> None:
        if self.path.startswith("/v1/forwarding/requests"):
            self._forward(dict(parse_qsl(body.decode(), keep_blank_values=True)))
        else:
            self._relay(body)

    def _relay(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=10)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        upstream.request(self.command, self.path, body or None, kept)
        answer = upstream.getresponse()
        text = answer.read()
        upstream.close()
        if self.path == "/v1/payment_methods" and self.command == "POST" and answer.status == 200:
            self._remember(json.loads(text), dict(parse_qsl(body.decode())))
        self._answer(answer.status, text)

    def _remember(self, made: Mapping[str, Any], sent: Mapping[str, str]) -> None:
        if made["type"] == "card":
            card = {name: sent[f"card[{name}]"] for name in ("number", "exp_month", "exp_year")}
            self.server.cards[made["id"]] = {**card, "name": sent.get("billing_details[name]")}
            if card["number"].endswith(TROUBLED):
                self.server.troubles[made["id"]] = list(TROUBLES)

    def _forward(self, asked: Mapping[str, str]) -> None:
        card = self.server.cards.get(asked["payment_method"])
        if not self.headers.get("authorization", "").startswith("Bearer sk_"):
            return self._error(401, "Invalid API Key provided")
        if card is None:
            return self._error(404, "No such PaymentMethod")
        troubles = self.server.troubles.get(asked["payment_method"], [])
        if troubles:
            status = troubles.pop(0)
            return self._error(status, "Not now") if status else self.close_line()
        body = json.loads(asked["request[body]"])
        replaced = {value for name, value in asked.items() if name.startswith("replacements[")}
        body |= {"account_number": card["number"]} if "card_number" in replaced else {}
        body |= (
            {"expiry_month": card["exp_month"], "expiry_year": card["exp_year"]} if "card_expiry" in replaced else {}
        )
        body |= {"cardholder_name": card["name"]} if "cardholder_name" in replaced else {}
        status, text = _post(asked["url"], json.dumps(body).encode(), _headers(asked))
        details = {"body": text, "headers": [], "status": status}
        made = {"id": "fwdreq_1", "object": "forwarding.request", "response_details": details, "livemode": False}
        return self._answer(200, json.dumps(made).encode())

    def close_line(self) -> None:
        """Hang up in the middle of things."""
        self.close_connection = True

    def _error(self, status: int, message: str) -> None:
        self._answer(status, json.dumps({"error": {"type": "invalid_request_error", "message": message}}).encode())

    def _answer(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _headers(asked: Mapping[str, str]) -> dict[str, str]:
    count = sum(name.startswith("request[headers]") and name.endswith("[name]") for name in asked)
    places = (f"request[headers][{n}]" for n in range(count))
    return {asked[f"{place}[name]"]: asked[f"{place}[value]"] for place in places}


def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


if __name__ == "__main__":
    Forwarder(int(sys.argv[1]), int(sys.argv[2])).serve_forever()
