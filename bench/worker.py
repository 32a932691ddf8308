"""One function under the real runtime client: latency as the caller sees it, event by event."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from local.runtime_api import RuntimeApi

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / ".build/host"


class Driver:
    """A worker process and its Runtime API. Use as an async context manager."""

    def __init__(self, handler: str, environment: Mapping[str, str], *, built: bool = True) -> None:
        """`built` runs the built artifact; without it, the packages of this interpreter."""
        self._built = built
        self._handler = handler
        self._environment = environment
        self._api = RuntimeApi("arn:aws:lambda:eu-central-1:000000000000:function:bench")

    async def __aenter__(self) -> Self:
        port = await self._api.start()
        artifact = ("functions", "layers/shared/python", "layers/dependencies/python") if self._built else ()
        path = [*(BUILT / part for part in artifact), ROOT]
        environment = {
            **os.environ,
            **self._environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_GROUP_NAME": "-",
            "AWS_LAMBDA_LOG_STREAM_NAME": "-",
            "LAMBDA_TASK_ROOT": str(BUILT / "functions"),
            "_HANDLER": self._handler,
            "PYTHONPATH": os.pathsep.join(map(str, path)),
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "awslambdaric", self._handler,
            env=environment, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await asyncio.wait_for(self._api.ready.wait(), 30)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()
        await self._api.stop()

    async def call(self, event: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
        """One invocation: (seconds on the wall, what the function returned)."""
        payload = json.dumps(event).encode()
        started = time.perf_counter()
        answer = await self._api.submit(str(uuid.uuid4()), payload, 30)
        seconds = time.perf_counter() - started
        if answer.is_error:
            raise RuntimeError(answer.payload.decode())
        return seconds, json.loads(answer.payload)
