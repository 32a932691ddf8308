"""No child outlives the machine, however it ends, and logs stay bounded."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.processes import LOG_LIMIT, Launcher, Register, replace_file

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = """
import asyncio, signal, sys
from pathlib import Path
from local.processes import Launcher, Register

async def main(folder):
    launcher = Launcher(folder / "logs", Register(folder / "processes.json"))
    await launcher.start("a", [sys.executable, "-c", "import time; time.sleep(60)"], {})
    await launcher.start("b", [sys.executable, "-c", "import time; time.sleep(60)"], {}, on_our_death=signal.SIGTERM)
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main(Path(sys.argv[1])))
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def until(condition: Callable[[], bool], within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.01)


def registered(folder: Path) -> list[int]:
    return [int(pid) for pid in json.loads((folder / "processes.json").read_text())]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's death signal is Linux's")
def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"started\n"
        children = registered(tmp_path)
        assert len(children) == 2
        assert all(map(is_alive, children))
        parent.kill()
        until(lambda: not any(map(is_alive, children)))


def test_leftovers_are_ended_and_strangers_are_not(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER) as leftover, subprocess.Popen(SLEEPER) as stranger:
        register = tmp_path / "processes.json"
        register.write_text(
            json.dumps({leftover.pid: sys.executable, stranger.pid: "/opt/other/program", 4_000_000: "x"})
        )
        assert Register(register).end_leftovers(within=5.0) == 1
        assert leftover.wait(5) == -signal.SIGTERM
        assert stranger.poll() is None
        assert registered(tmp_path) == []
        stranger.kill()


def test_a_leftover_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as leftover:
        assert leftover.stdout is not None
        leftover.stdout.readline()
        (tmp_path / "processes.json").write_text(json.dumps({leftover.pid: sys.executable}))
        Register(tmp_path / "processes.json").end_leftovers(within=0.2)
        assert leftover.wait(5) == -signal.SIGKILL


def test_a_child_is_asked_before_it_is_killed(tmp_path: Path) -> None:
    async def live() -> None:
        launcher = Launcher(tmp_path / "logs", Register(tmp_path / "processes.json"))
        polite = await launcher.start("polite", SLEEPER, {})
        assert await polite.stop(within=5.0)
        deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
        stubborn = await launcher.start("stubborn", [sys.executable, "-c", deaf], {})
        async with asyncio.timeout(5):
            while launcher.log_path("stubborn").read_text() != "deaf\n":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not await stubborn.stop(within=0.2)
        assert not is_alive(stubborn.process.pid)
        assert registered(tmp_path) == []

    asyncio.run(live())


def test_logs_are_bounded_while_they_are_written(tmp_path: Path) -> None:
    launcher = Launcher(tmp_path, Register(tmp_path / "processes.json"))
    path = launcher.log_path("Busy")
    with path.open("ab") as writer:
        writer.write(b"old\n" * (LOG_LIMIT // 4 + 1))
        writer.flush()
        launcher.bound_logs()
        writer.write(b"new\n")
    assert path.read_bytes() == b"new\n"
    assert (tmp_path / "Busy.log.1").stat().st_size > LOG_LIMIT


def test_a_file_is_replaced_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "below" / "file.json"
    replace_file(path, "one", mode=0o600)
    replace_file(path, "two", mode=0o600)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["file.json"]
