"""A function service in the process: runs the doors of template.yaml, each in a thread of its own.

The thread makes the door the outermost one of its call stack, as it is in Lambda, so that its calls are counted as its
own and not as those of the function that invoked it.
"""

from __future__ import annotations

import importlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.template import Deployment


class FakeLambda:
    """Answers in the shapes of the Lambda client. `invoked` holds the logical ids in the order of their invocations."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.invoked: list[str] = []

    def invoke(self, FunctionName: str, InvocationType: str, Payload: str | bytes) -> dict[str, Any]:  # noqa: N803
        function = self._deployment.find_function(FunctionName)
        if function is None:
            raise LookupError(FunctionName)
        self.invoked.append(function.logical_id)
        module, _, name = function.handler.rpartition(".")
        with ThreadPoolExecutor(1) as executor:
            answer = executor.submit(getattr(importlib.import_module(module), name), json.loads(Payload), object())
        status = 202 if InvocationType == "Event" else 200
        try:
            body = json.dumps(answer.result())
        except Exception as error:
            body = json.dumps({"errorType": type(error).__name__})
            return {"StatusCode": status, "FunctionError": "Unhandled", "Payload": io.BytesIO(body.encode())}
        return {"StatusCode": status, "Payload": io.BytesIO(body.encode())}
