"""Which loopback ports the machine uses, and that they stay the same from one start to the next.

ministack saves queues under their address and ids of tokens name their issuer, so a port that moved would strand both.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from local.http_server import bind
from local.processes import replace_file


class Ports:
    """The ports of one data folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: set[int] = set()
        self._known: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):
            self._known = json.loads(path.read_text(encoding="utf-8"))

    def choose(self, name: str, preferred: int = 0) -> int:
        """The port that `name` had before if it is free, else the preferred one, else any."""
        wishes = [port for port in (self._known.get(name, 0), preferred) if port]
        port = next(port for port in (*map(self._free, wishes), self._free(0)) if port)
        self._taken.add(port)
        if self._known.get(name) != port:
            self._known[name] = port
            replace_file(self._path, json.dumps(self._known) + "\n")
        return port

    def _free(self, port: int) -> int:
        if port in self._taken:
            return 0
        try:
            with contextlib.closing(bind(port)) as bound:
                return int(bound.getsockname()[1])
        except (OSError, OverflowError):
            return 0
