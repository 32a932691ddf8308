"""A shop of one page: what a merchant's server and page have to do to take a card without ever seeing it.

    python sdk/example/shop.py --credentials .local/credentials.json --port 8090

The server opens a session with its API key, the page mounts the card form, and what comes back to the server is the id
of a token, which it looks up before it believes it. Standard library only; not part of the platform.
"""

from __future__ import annotations

import argparse
import json
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qsl

PAGE = Template((Path(__file__).parent / "shop.html").read_text("utf-8"))


class Platform:
    """The two calls that a merchant's server makes."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url = base_url
        self._api_key = api_key

    def open_session(self) -> str:
        return str(self._call("POST", "/tokens/session")["session_id"])

    def token_of(self, session_id: str) -> Any:
        """The token that a session made. The session is asked, not the browser: a page may claim anything."""
        session = self._call("GET", f"/sessions/{session_id}")
        return self._call("GET", f"/tokens/{session['data']['token_id']}")

    def _call(self, method: str, path: str) -> Any:
        request = urllib.request.Request(self.base_url + path, method=method, headers={"x-api-key": self._api_key})  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- the platform's own address
            return json.load(answer)


class Shop(BaseHTTPRequestHandler):
    """`GET /` shows the form, `POST /order` takes the id of the session that was completed."""

    platform: Platform
    # Sessions of this shop, so that nobody passes off another's. A shop with customers keeps theirs in its database.
    sessions: set[str]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path != "/":
            self._answer(404, "text/plain", "There is nothing here")
            return
        session_id = self.platform.open_session()
        self.sessions.add(session_id)
        options = dict(parse_qsl(query))
        page = PAGE.substitute(
            base_url=self.platform.base_url, session_id=session_id, options=json.dumps(options).replace("<", "\\u003c")
        )
        self._answer(200, "text/html; charset=utf-8", page)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        session_id = str(body.get("session_id"))
        if self.path != "/order" or session_id not in self.sessions:
            self._answer(404, "application/json", "{}")
            return
        token = self.platform.token_of(session_id)
        shown = {name: token[name] for name in ("id", "masked_account_number", "scheme", "cardholder_name")}
        self._answer(200, "application/json", json.dumps(shown))

    def _answer(self, status: int, content_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- named by the standard library
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description="A shop of one page")
    parser.add_argument("--credentials", type=Path, default=Path(".local/credentials.json"))
    parser.add_argument("--port", type=int, default=8090)
    chosen = parser.parse_args()
    credentials = json.loads(chosen.credentials.read_text("utf-8"))
    Shop.platform = Platform(credentials["base_url"], credentials["accounts"][0]["vault"]["api_key"])
    Shop.sessions = set()
    server = ThreadingHTTPServer(("127.0.0.1", chosen.port), Shop)
    print(f"The shop is open: http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
