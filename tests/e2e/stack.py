"""The whole stack as `make run` starts it, in a process of its own with throw-away data: start, restart, kill."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.environment import ROOT, variables
from tests.support.http import Response
from tests.support.tables import free_port

READY_SECONDS = 60


@dataclass
class Stack:
    """One machine on a port of its own."""

    data: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Start and wait until `GET /health` answers."""
        # This process pretends to be a function; the stack must not inherit that.
        pretended = {*variables(), *(name for name in os.environ if name.startswith("AWS_"))}
        environment = {name: value for name, value in os.environ.items() if name not in pretended}
        command = [sys.executable, "-m", "local", "--data", str(self.data), "run"]
        with (self.data.parent / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**environment, "PORT": str(self.port)}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._await_health()

    def stop(self) -> None:
        """As Ctrl-C does."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a power cut would, for the process that holds the others."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def invoke(self, function: str, event: Any) -> Any:
        """What a function of the running stack answers to an event, as `make invoke` prints it."""
        path = self.data.parent / "event.json"
        path.write_text(json.dumps(event))
        command = [sys.executable, "-m", "local", "--data", str(self.data), "invoke", function, str(path)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=True)
        return json.loads(ran.stdout)

    def _await_health(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError((self.data.parent / "run.log").read_text()[-2000:])
            try:
                if self.send("GET", "/health").status == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("the stack did not become ready")

    # ------------------------------------------------------------------ use

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def credentials(self, name: str = "demo") -> Mapping[str, Any]:
        content = json.loads((self.data / "credentials.json").read_text())
        found: Mapping[str, Any] = next(each for each in content["accounts"] if each["name"] == name)
        return found

    def send(
        self,
        method: str,
        target: str,
        *,
        account: str | None = None,
        headers: Mapping[str, str] | None = None,
        json_body: Any = None,
        body: bytes | None = None,
    ) -> Response:
        """One request over a connection of its own; `account` adds that demo account's API key."""
        sent = dict(headers or {})
        if account is not None:
            sent["x-api-key"] = self.credentials(account)["vault"]["api_key"]
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent.setdefault("content-type", "application/json")
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=60)
        try:
            connection.request(method, target, body=body, headers=sent)
            answer = connection.getresponse()
            return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()
