"""Runs the local machine as a user does, as a program of its own, on the sample and on a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from local.http_server import bind

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).parent / "sample" / "template.yaml"
READY_WITHIN = 60.0


def own_environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """What a user's shell has: not what other tests set for the functions."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return {**kept, **(more or {})}


def free_port() -> int:
    with contextlib.closing(bind(0)) as bound:
        return int(bound.getsockname()[1])


def until(condition: Callable[[], bool], within: float = 15.0) -> None:
    """Wait for a condition; fail if it does not come."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def command(data: Path, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of the machine's commands to its end."""
    return subprocess.run(
        [sys.executable, "-m", "local", "--data", str(data), "--template", str(SAMPLE), *arguments],
        cwd=ROOT,
        env=own_environment(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Machine:
    """One running machine. Every request is one real HTTP exchange."""

    def __init__(self, data: Path, port: int | None = None, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.port = port or free_port()
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def output(self) -> str:
        return (self.data.parent / "output.txt").read_text()

    def launch(self) -> None:
        """Start it and do not wait."""
        with (self.data.parent / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local", "--data", str(self.data), "--template", str(SAMPLE), "run"],
                cwd=ROOT,
                env=own_environment({**self._environment, "PORT": str(self.port)}),
                stdout=output,
                stderr=output,
            )

    def start(self) -> Machine:
        self.launch()
        until(self._is_ready, READY_WITHIN)
        return self

    def stop(self, chosen: signal.Signals = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does; the exit code."""
        self.process.send_signal(chosen)
        return self.process.wait(30)

    def children(self) -> list[int]:
        with contextlib.suppress(OSError, ValueError):
            return [int(pid) for pid in json.loads((self.data / "processes.json").read_text())]
        return []

    def kill_everything(self) -> None:
        """`kill -9` of the machine and all it started, and until nothing of it is left."""
        pids = [self.process.pid, *self.children()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        until(lambda: not any(map(is_alive, pids)))

    def request(self, method: str, path: str, body: str = "") -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            connection.request(method, path, body or None, {"content-type": "text/plain"} if body else {})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content

    def get(self, path: str) -> Any:
        status, content = self.request("GET", path)
        assert status == 200, (status, content)
        return content

    def seen(self) -> list[str]:
        """What the sample's workers noted so far."""
        found: list[str] = self.get("/seen")
        return found

    def await_seen(self, *wanted: str, within: float = 20.0) -> None:
        until(lambda: set(wanted) <= set(self.seen()), within)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.output
        try:
            return self.request("GET", "/health")[0] == 200
        except OSError:
            return False


@contextlib.contextmanager
def running(data: Path, **options: Any) -> Iterator[Machine]:
    """A machine that is up, and gone afterwards."""
    machine = Machine(data, **options)
    try:
        yield machine.start()
    finally:
        if machine.process.poll() is None:
            machine.kill_everything()
