"""Notes which function calls which AWS action on which resource, and refuses what the template does not grant.

No emulator enforces IAM, so the tests do: every call that a door makes is compared with the statements of its block in
template.yaml. A call outside them fails with AccessDenied as in the cloud, in the test that made it; a grant that no
test ever needed is found when the whole suite has run (`tests.support.permissions`).

    recorder = Recorder(DEPLOYMENT)
    recorder.watch(aws.session())            # before the first client is made: every botocore client
    kms = recorder.watched("kms", FakeKms()) # a stand-in that has the client's methods

Which function is calling is read off the call stack: the door of the template that is running. A call from outside any
door (a fixture, a repository's own test) is nobody's and is let through.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session

from local.template import Deployment
from tests.support.policies import Grant, grants, resource_arns

ANY_KEY = "any key"  # KMS may read the key off the ciphertext, so a call need not name one

_BY_OTHER_NAME = {
    "dynamodb:Put": "dynamodb:PutItem",
    "dynamodb:Update": "dynamodb:UpdateItem",
    "dynamodb:Delete": "dynamodb:DeleteItem",
    "dynamodb:ConditionCheck": "dynamodb:ConditionCheckItem",
    "dynamodb:Get": "dynamodb:GetItem",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "lambda:Invoke": "lambda:InvokeFunction",
}


class Recorder:
    """The calls of this process, and those that were refused. Safe to use from many threads."""

    def __init__(self, deployment: Deployment) -> None:
        self.used: set[Grant] = set()
        self.refused: list[Grant] = []
        self.granted = grants(deployment)
        self._doors = {
            tuple(function.handler.rsplit(".", 1)): function.logical_id for function in deployment.functions.values()
        }
        self._resources = _names(deployment)

    def watch(self, session: Session) -> None:
        """Note every call of every client that this session makes from now on."""
        session.register("provide-client-params.*.*", self._on_call)

    def watched(self, service: str, stand_in: object) -> Any:
        """The same object, with every call of a client's method noted."""
        return _Watched(self, service, stand_in)

    def note(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        """Compare one call with the template.

        Raises:
            ClientError: AccessDeniedException, if a door makes it that was not granted it.
        """
        function = self._calling_function()
        if function is None:
            return
        for action, resource in actions_of(service, operation, params):
            grant = self._matching(Grant(function, action, self._resources.get(resource, resource)))
            self.used.add(grant)
            if grant not in self.granted:
                self.refused.append(grant)
                text = f"{grant.function} may not {grant.action} on {grant.resource}"
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": text}}, operation)

    def unused(self, used: set[Grant]) -> list[Grant]:
        """Grants that `used` does not need."""
        return sorted(self.granted - used)

    def _matching(self, grant: Grant) -> Grant:
        if grant.resource != ANY_KEY:
            return grant
        same = (each for each in self.granted if (each.function, each.action) == (grant.function, grant.action))
        return next(same, grant)

    def _on_call(self, **event: Any) -> None:
        model = event["model"]
        self.note(model.service_model.service_name, model.name, event["params"])

    def _calling_function(self) -> str | None:
        """The outermost door on the call stack: the one that Lambda would have called."""
        frame: FrameType | None = sys._getframe(2)
        found = None
        while frame is not None:
            found = self._function_of(frame) or found
            frame = frame.f_back
        return found

    def _function_of(self, frame: FrameType) -> str | None:
        module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if (module, name) in self._doors:
            return self._doors[module, name]
        if name != "__call__":
            return None
        called = frame.f_locals.get("self")
        doors = (key for key in self._doors if key[0] in sys.modules)
        return next((self._doors[m, n] for m, n in doors if getattr(sys.modules[m], n, None) is called), None)


class _Watched:
    def __init__(self, recorder: Recorder, service: str, stand_in: object) -> None:
        self._recorder, self._service, self._stand_in = recorder, service, stand_in

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._stand_in, name)
        return self._noting(name, member) if callable(member) else member

    def _noting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        operation = _operation_of(name)

        def call(**params: Any) -> Any:
            self._recorder.note(self._service, operation, params)
            return method(**params)

        return call


def _operation_of(method: str) -> str:
    """`put_object` → `PutObject`."""
    return "".join(part.capitalize() for part in method.split("_"))


def actions_of(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The IAM actions that a call needs, each with the name, URL or ARN of its resource."""
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        for item in params["TransactItems"]:
            ((kind, what),) = item.items()
            yield _BY_OTHER_NAME[f"{service}:{kind}"], what["TableName"]
    elif operation in {"BatchGetItem", "BatchWriteItem"}:
        for table in params["RequestItems"]:
            yield f"{service}:{operation}", table
    elif operation == "GeneratePresignedUrl":
        # Whoever uses the URL acts with the grants of the function that signed it.
        yield from actions_of(service, _operation_of(params["ClientMethod"]), params["Params"])
    elif operation == "ReEncrypt":
        yield "kms:ReEncryptFrom", params.get("SourceKeyId", ANY_KEY)
        yield "kms:ReEncryptTo", params["DestinationKeyId"]
    else:
        action = f"{service}:{operation}"
        yield _BY_OTHER_NAME.get(action, action), _resource(params)


def _resource(params: Mapping[str, Any]) -> str:
    for member in ("TableName", "QueueUrl", "KeyId", "Bucket", "FunctionName"):
        if member in params:
            return str(params[member])
    return ANY_KEY if "CiphertextBlob" in params else "a resource that the call does not name"


def _names(deployment: Deployment) -> dict[str, str]:
    """Everything by which code may call a resource → its logical id."""
    found = {arn: logical_id for logical_id, arn in resource_arns(deployment).items()}
    for kind in (deployment.tables, deployment.queues, deployment.buckets, deployment.functions):
        found |= {item.name: logical_id for logical_id, item in kind.items()}
    found |= {arn.rsplit("/", 1)[-1]: key for arn, key in found.items() if ":key/" in arn}
    for function in deployment.functions:
        for value in deployment.environment(function).values():
            name = value.rsplit("/", 1)[-1]  # a queue's URL ends in its name
            if value.startswith("http") and name in found:
                found[value] = found[name]
    return found
