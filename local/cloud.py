"""ministack: the queues, keys and buckets of the template, with their state on disk.

It writes its state only when it is asked to stop. Keys must never be lost while the rows they open remain, so after new
keys were made it is stopped and started once, before any request is served; `state.py` has the other half.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from local.aws_client import ACCESS_KEY, AwsClient, AwsError
from local.layout import Layout
from local.processes import Child, Launcher
from local.resources import ACCOUNT, REGION, Bucket, Key, Queue, arn
from local.state import Manifest, State
from local.template import Deployment

START_LIMIT = 20.0


class CloudError(Exception):
    """ministack did not start, or refused a resource of the template."""


class Cloud:
    """The running ministack."""

    def __init__(self, layout: Layout, launcher: Launcher, port: int) -> None:
        self.port = port
        self.client = AwsClient(port)
        self._layout = layout
        self._launcher = launcher
        self._child: Child | None = None

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            CloudError: it ended, or did not answer in time.
        """
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._layout.data),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self._layout.cloud_state),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self._layout.objects),
            "DOCKER_HOST": "unix:///nonexistent",
            "LOG_LEVEL": "WARNING",
        }
        command = [self._layout.ministack.with_name("python"), Path(__file__).with_name("ministack_process.py")]
        self._child = await self._launcher.start("ministack", command, environment, on_our_death=signal.SIGTERM)
        await self._await_ready()

    async def stop(self) -> None:
        """Stop it and wait until its state is on disk."""
        await self.client.close()
        if self._child is not None and not await self._child.stop(within=20.0):
            raise CloudError("ministack did not stop when asked; what it had not saved is lost")

    async def kill(self) -> None:
        """End it at once; what it had not saved is lost."""
        await self.client.close()
        if self._child is not None:
            self._child.kill()
            await self._child.wait()

    def wait(self) -> asyncio.Future[int]:
        """Done when the process has ended."""
        if self._child is None:
            raise RuntimeError("it was not started")
        return self._child.ended

    async def deploy(self, deployment: Deployment, manifest: Manifest, state: State) -> None:
        """Make what is missing, bring the rest up to date, and put new keys on disk.

        Raises:
            CloudError: a resource was refused. StateError: a key that rows depend on is gone.
        """
        new_keys = [key for key in deployment.keys.values() if not await self._has_key(key, manifest, state)]
        for key in new_keys:
            manifest.keys[key.logical_id] = await self._make_key(key)
        new_queues = [await self._put_queue(queue) for queue in _dead_letter_queues_first(deployment)]
        new_buckets = [await self._put_bucket(bucket) for bucket in deployment.buckets.values()]
        if new_keys or any(new_queues) or any(new_buckets):
            await self.stop()
            await self.start()
            for key in new_keys:
                await self._has_key(key, manifest, state)

    def overrides(self, deployment: Deployment, manifest: Manifest) -> dict[tuple[str, str | None], str]:
        """What `Ref` and `GetAtt` of keys and queues are on this machine."""
        found: dict[tuple[str, str | None], str] = {}
        for logical_id in deployment.keys:
            key_id = manifest.keys[logical_id]
            found |= {(logical_id, None): key_id, (logical_id, "KeyId"): key_id}
            found[logical_id, "Arn"] = arn("kms", f"key/{key_id}")
        for logical_id, queue in deployment.queues.items():
            found |= {(logical_id, None): self.queue_url(queue), (logical_id, "QueueUrl"): self.queue_url(queue)}
        return found

    def queue_url(self, queue: Queue) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}/{queue.name}"

    def environment(self) -> dict[str, str]:
        """The variables by which the SDK finds this cloud."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    async def _await_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            if self._child is None or not self._child.is_running:
                break
            try:
                answer = await self.client.rest("s3", "GET", "/_ministack/ready")
                if answer.status == 200:
                    return
            except OSError:
                await asyncio.sleep(0.02)
        raise CloudError(f"ministack did not start; see {self._launcher.log_path('ministack')}")

    async def _has_key(self, key: Key, manifest: Manifest, state: State) -> bool:
        key_id = manifest.keys.get(key.logical_id)
        if key_id is None:
            return False
        try:
            await self.client.call("kms", "DescribeKey", {"KeyId": key_id})
        except AwsError:
            raise state.lost_key(key.logical_id) from None
        return True

    async def _make_key(self, key: Key) -> str:
        body = {"Description": key.description, "KeySpec": key.spec, "KeyUsage": key.usage}
        try:
            made = await self.client.call("kms", "CreateKey", body)
            key_id = str(made["KeyMetadata"]["KeyId"])
            for alias in key.aliases:
                await self.client.call("kms", "CreateAlias", {"AliasName": alias, "TargetKeyId": key_id})
        except AwsError as error:
            raise CloudError(f"the key {key.logical_id} was refused: {error}") from None
        return key_id

    async def _put_queue(self, queue: Queue) -> bool:
        """Make it or bring it up to date; True if it is new."""
        address = {"QueueUrl": self.queue_url(queue)}
        changeable = {name: value for name, value in queue.attributes.items() if name != "FifoQueue"}
        try:
            is_new = not await self._has_queue(queue)
            if is_new:
                await self.client.call("sqs", "CreateQueue", _creation(queue))
            if changeable:
                await self.client.call("sqs", "SetQueueAttributes", {**address, "Attributes": changeable})
        except AwsError as error:
            raise CloudError(f"the queue {queue.logical_id} was refused: {error}") from None
        return is_new

    async def _has_queue(self, queue: Queue) -> bool:
        try:
            found = await self.client.call("sqs", "GetQueueUrl", {"QueueName": queue.name})
        except AwsError:
            return False
        return bool(found["QueueUrl"] == self.queue_url(queue))  # another address: saved under another port

    async def _put_bucket(self, bucket: Bucket) -> bool:
        """Make it if it is not there; True if it is new."""
        is_new = (await self.client.rest("s3", "HEAD", f"/{bucket.name}")).status != 200
        if is_new:
            answer = await self.client.rest("s3", "PUT", f"/{bucket.name}", _LOCATION)
            if answer.status != 200:
                raise CloudError(f"the bucket {bucket.logical_id} was refused with {answer.status}")
        if bucket.versioned:
            body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
            await self.client.rest("s3", "PUT", f"/{bucket.name}?versioning", body)
        return is_new


_LOCATION = (
    f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>".encode()
)


def _creation(queue: Queue) -> dict[str, Any]:
    return {"QueueName": queue.name, "Attributes": dict(queue.attributes)}


def _dead_letter_queues_first(deployment: Deployment) -> list[Queue]:
    """A queue's redrive policy names a queue that must exist."""
    targets = {
        json.loads(queue.attributes["RedrivePolicy"])["deadLetterTargetArn"]
        for queue in deployment.queues.values()
        if "RedrivePolicy" in queue.attributes
    }
    return sorted(deployment.queues.values(), key=lambda queue: queue.arn not in targets)
