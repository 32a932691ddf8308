"""Starts localstripe on loopback alone and without a trace: by itself it listens on every interface and keeps whole
card numbers in a file. Usage: python … <port>"""

from __future__ import annotations

import builtins
import os
import runpy
import socket
import sys
from typing import Any

_bind = socket.socket.bind
_open = builtins.open


def _bind_to_loopback(self: socket.socket, address: Any) -> None:
    _bind(self, ("::ffff:127.0.0.1" if self.family == socket.AF_INET6 else "127.0.0.1", *address[1:]))


def _open_nothing(file: Any, *arguments: Any, **options: Any) -> Any:
    """What it would write goes nowhere."""
    return _open(os.devnull if str(file).endswith("localstripe.pickle") else file, *arguments, **options)


if __name__ == "__main__":
    port = sys.argv[1]
    socket.socket.bind = _bind_to_loopback  # type: ignore[method-assign]
    builtins.open = _open_nothing
    sys.argv = ["localstripe", "--port", port, "--from-scratch"]
    runpy.run_module("localstripe", run_name="__main__")
