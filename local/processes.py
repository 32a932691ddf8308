"""Starts the programs of the local machine so that none outlives it, and ends those an earlier, killed run left behind.

On Linux the kernel signals every child when this process dies, however it dies. Elsewhere the next start finds the
children in the register and ends them. Output goes to files of bounded size.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOG_LIMIT = 5 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


class Child:
    """A running program, in a session of its own so that Ctrl-C reaches it only through us."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, register: Register) -> None:
        self.name = name
        self.process = process
        self._register = register
        self.ended: asyncio.Future[int] = asyncio.ensure_future(self._await_end())

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    async def _await_end(self) -> int:
        code = await self.process.wait()
        self._register.remove(self.process.pid)
        return code

    def kill(self) -> None:
        """End it and everything it started, at once."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def stop(self, within: float = 10.0) -> bool:
        """Ask it to end, kill it when it does not. True if it ended by itself within `within` seconds."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
        try:
            async with asyncio.timeout(within):
                await self.wait()
            return True
        except TimeoutError:
            self.kill()
            await self.wait()
            return False


class Register:
    """The children that are running, on disk: `{"<pid>": "<program>"}`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, str] = {}

    def add(self, pid: int, program: str) -> None:
        self._entries[str(pid)] = program
        self._write()

    def remove(self, pid: int) -> None:
        if self._entries.pop(str(pid), None) is not None:
            self._write()

    def end_leftovers(self, within: float = 15.0) -> int:
        """End what an earlier run left running, and wait until it is gone; answers how many that were.

        They are asked first: the key store writes its state when it is asked, and not when it is killed.
        """
        try:
            recorded: dict[str, str] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return 0
        pids = [int(pid) for pid, program in recorded.items() if program in _command_of(int(pid))]
        for chosen, wait in ((signal.SIGTERM, within), (signal.SIGKILL, 5.0)):
            alive = [pid for pid in pids if _is_alive(pid)]
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, chosen)
            _await_end(alive, wait)
        self._write()
        return len(pids)

    def _write(self) -> None:
        replace_file(self._path, json.dumps(self._entries), sync=False)


class Launcher:
    """Starts children with their output in `logs/<name>.log`."""

    def __init__(self, logs: Path, register: Register) -> None:
        self.logs = logs
        self._register = register

    async def start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        folder: Path | None = None,
        on_our_death: signal.Signals = signal.SIGKILL,
    ) -> Child:
        arguments = [str(part) for part in command]
        with self.log_path(name).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                env=dict(environment),
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with(on_our_death),
            )
        self._register.add(process.pid, arguments[0])
        return Child(name, process, self._register)

    def log_path(self, name: str) -> Path:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self.logs / f"{name}.log"

    def bound_logs(self) -> None:
        """Move what is over the limit to `<name>.log.1`; writers append, so truncating is safe under them."""
        for path in self.logs.glob("*.log"):
            if path.stat().st_size > LOG_LIMIT:
                shutil.copyfile(path, path.with_name(f"{path.name}.1"))
                os.truncate(path, 0)


def _die_with(chosen: signal.Signals) -> Callable[[], None] | None:
    """What a child runs before it becomes its program: ask the kernel for a signal at our death (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, int(chosen), 0, 0, 0)
        if os.getppid() != parent:  # we died between the fork and the call
            os._exit(1)

    return prepare


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        pass
    try:
        shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return shown.stdout


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _command_of(pid) != ""  # a zombie has no command line


def _await_end(pids: Sequence[int], within: float) -> None:
    deadline = time.monotonic() + within
    while any(map(_is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)


def replace_file(path: Path, text: str, mode: int = 0o644, *, sync: bool = True) -> None:
    """Write a file whole or not at all; `sync` also guards against a loss of power."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    draft.replace(path)
