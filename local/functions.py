"""The template's functions as they run here: their processes with their environment, and the ways to invoke them."""

from __future__ import annotations

import json
import os
import sys

from local.background import timestamp
from local.cloud import Cloud
from local.http_server import HttpServer
from local.invoke_api import InvokeApi
from local.layout import Layout
from local.processes import Child, Launcher
from local.template import Deployment, Function, Overrides
from local.workers import Outcome, Workers


class Functions:
    """The pool of workers and the Invoke API in front of it.

    `endpoints` are the variables by which an SDK finds the machine's services, `overrides` what the template's
    references to keys and queues stand for.
    """

    def __init__(
        self, layout: Layout, launcher: Launcher, deployment: Deployment, cloud: Cloud, overrides: Overrides
    ) -> None:
        self._layout = layout
        self._launcher = launcher
        self._deployment = deployment
        self._cloud = cloud
        self._overrides = overrides
        self.endpoints: dict[str, str] = cloud.environment()
        self.workers = Workers(self._start_process, self.note)
        self._invoke_api = InvokeApi(deployment, self.workers, self.send_to)
        self._server = HttpServer(self._invoke_api.handle)

    async def start(self, database_port: int | None) -> None:
        """Open the Invoke API. `database_port`: where DynamoDB is, if not in the cloud's own process."""
        await self._server.start()
        if database_port is not None:
            address = f"http://127.0.0.1:{database_port}"
            self.endpoints |= {"AWS_ENDPOINT_URL_DYNAMODB": address, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": address}
        self.endpoints["AWS_ENDPOINT_URL_LAMBDA"] = self.invoke_url

    async def stop(self) -> None:
        await self._invoke_api.close()
        await self.workers.close()
        await self._server.stop()

    @property
    def invoke_url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    async def invoke(self, logical_id: str, payload: bytes) -> Outcome:
        """Run a function and wait for its result."""
        return await self.workers.invoke(self._deployment.functions[logical_id], payload)

    def begin(self, logical_id: str, payload: bytes) -> None:
        """Run a function asynchronously, with retries, as an event would."""
        self._invoke_api.start(self._deployment.functions[logical_id], payload)

    async def send_to(self, queue_arn: str, text: str) -> None:
        """Send a message of the machine's own, such as a failed batch, to a queue."""
        url = self._cloud.queue_url(self._deployment.queue_by_arn(queue_arn))
        await self._cloud.client.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": text})

    def note(self, function: Function, request_id: str, text: str) -> None:
        """Write a line of the machine's own to a function's log."""
        line = {"timestamp": timestamp(), "level": "ERROR", "message": text, "requestId": request_id}
        with self._launcher.log_path(function.logical_id).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    async def _start_process(self, function: Function, runtime_port: int) -> Child:
        environment = {
            **self._runtime_environment(function, runtime_port),
            **self.endpoints,
            **self._deployment.environment(function.logical_id, self._overrides),
        }
        command = [sys.executable, "-m", "awslambdaric", function.handler]
        return await self._launcher.start(function.logical_id, command, environment, folder=function.code)

    def _runtime_environment(self, function: Function, runtime_port: int) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(self._layout.data),
            "MALLOC_ARENA_MAX": "2",
            "PYTHONPATH": os.pathsep.join(map(str, function.import_path)),
            "LAMBDA_TASK_ROOT": str(function.code),
            "_HANDLER": function.handler,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime_port}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        }
