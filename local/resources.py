"""What a template declares besides functions: tables, queues, keys and buckets, and their names on this machine.

Shapes only; making them is `dynamodb.py` and `cloud.py`. Names follow `tollgate-<LogicalId>` and ARNs look as in the
cloud, so that code which takes an ARN apart meets the parts it expects.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.intrinsics import TemplateError, text_of, truth_of

REGION = "eu-central-1"
ACCOUNT = "000000000000"
STACK = "tollgate"
_KEY_NAMESPACE = uuid.UUID("7d0b6c52-3a6f-4d5c-9f0e-5a4f4f6c0a11")

# What needs nothing here: identities are not enforced, and nobody reads metrics of a laptop.
IGNORED_TYPES = ("AWS::IAM::", "AWS::Logs::", "AWS::CloudWatch::", "AWS::ApplicationAutoScaling::", "AWS::Backup::")
IGNORED = frozenset(
    {
        "AWS::Serverless::LayerVersion",
        "AWS::Serverless::HttpApi",
        "AWS::SQS::QueuePolicy",
        "AWS::S3::BucketPolicy",
        "AWS::Lambda::Permission",
    }
)


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table. `definition` holds the members of CreateTable; `ttl_attribute` is None without a TTL."""

    logical_id: str
    name: str
    definition: Mapping[str, Any]
    ttl_attribute: str | None

    @property
    def arn(self) -> str:
        return arn("dynamodb", f"table/{self.name}")

    @property
    def has_stream(self) -> bool:
        return "StreamSpecification" in self.definition


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue; `attributes` as SetQueueAttributes takes them. Times in seconds, as text."""

    logical_id: str
    name: str
    attributes: Mapping[str, str]

    @property
    def arn(self) -> str:
        return arn("sqs", self.name)

    @property
    def is_fifo(self) -> bool:
        return self.name.endswith(".fifo")


@dataclass(frozen=True, slots=True)
class Key:
    """A KMS key, and the aliases that point at it."""

    logical_id: str
    description: str
    spec: str
    usage: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bucket:
    """An S3 bucket."""

    logical_id: str
    name: str
    versioned: bool


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def placeholder_key_id(logical_id: str) -> str:
    """A key id that looks real, for readers of the template who have no key store."""
    return str(uuid.uuid5(_KEY_NAMESPACE, logical_id))


def physical_name(logical_id: str, kind: str, properties: Mapping[str, Any]) -> str:
    """The name a resource has on this machine: its own, if the template gives one as text, else `tollgate-<id>`."""
    own = properties.get(_NAME_PROPERTY.get(kind, ""))
    name = own if isinstance(own, str) else f"{STACK}-{logical_id}"
    if kind == "AWS::S3::Bucket":
        return name.lower()
    if kind == "AWS::SQS::Queue" and truth_of(properties.get("FifoQueue", False)) and not name.endswith(".fifo"):
        return f"{name}.fifo"
    return name


_NAME_PROPERTY = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Serverless::Function": "FunctionName",
}

_TABLE_MEMBERS = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)

_QUEUE_ATTRIBUTES = (
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "MaximumMessageSize",
    "ReceiveMessageWaitTimeSeconds",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "FifoQueue",
)


def read_table(logical_id: str, name: str, properties: Mapping[str, Any]) -> Table:
    definition = {member: properties[member] for member in _TABLE_MEMBERS if member in properties}
    definition["TableName"] = name
    stream = properties.get("StreamSpecification")
    if stream:
        definition["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    ttl = properties.get("TimeToLiveSpecification", {})
    attribute = ttl.get("AttributeName") if truth_of(ttl.get("Enabled", False)) else None
    return Table(logical_id, name, definition, attribute)


def read_queue(logical_id: str, name: str, properties: Mapping[str, Any]) -> Queue:
    attributes = {key: text_of(properties[key]) for key in _QUEUE_ATTRIBUTES if key in properties}
    redrive = properties.get("RedrivePolicy")
    if redrive:
        attributes["RedrivePolicy"] = (
            f'{{"deadLetterTargetArn":"{redrive["deadLetterTargetArn"]}",'
            f'"maxReceiveCount":"{redrive["maxReceiveCount"]}"}}'
        )
    return Queue(logical_id, name, attributes)


def read_key(logical_id: str, properties: Mapping[str, Any], aliases: tuple[str, ...]) -> Key:
    return Key(
        logical_id,
        description=text_of(properties.get("Description", "")),
        spec=properties.get("KeySpec", "SYMMETRIC_DEFAULT"),
        usage=properties.get("KeyUsage", "ENCRYPT_DECRYPT"),
        aliases=aliases,
    )


def read_bucket(logical_id: str, name: str, properties: Mapping[str, Any]) -> Bucket:
    versioning = properties.get("VersioningConfiguration", {})
    return Bucket(logical_id, name, versioned=versioning.get("Status") == "Enabled")


def check_known(logical_id: str, kind: str, served: frozenset[str]) -> None:
    """Refuse a resource that would exist in the cloud and be missing here.

    Raises:
        TemplateError: its type is neither served nor known to be needless on one machine.
    """
    if kind in served or kind in IGNORED or kind.startswith(IGNORED_TYPES):
        return
    raise TemplateError(f"{logical_id}: the local machine has no {kind}")
