"""The template's grants as data: which function may do which action on which resource of the template.

Raw statements for the rules about how they are written, resolved ones for comparing with what code does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.resources import arn, placeholder_key_id
from local.template import Deployment


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource. `resource` is a logical id, or the ARN where it is not of this template."""

    function: str
    action: str
    resource: str


def statements(policies: object) -> Iterator[Mapping[str, Any]]:
    """Every statement of a function's `Policies`, raw or resolved; `!If` branches count as present."""
    for policy in as_list(policies):
        if not isinstance(policy, Mapping) or "Statement" not in policy:
            raise ValueError("a policy is written as statements; SAM's templates and managed policies allow too much")
        for statement in as_list(policy["Statement"]):
            yield from _branches(statement)


def _branches(statement: Any) -> Iterator[Mapping[str, Any]]:
    if "Fn::If" in statement:
        for branch in statement["Fn::If"][1:]:
            yield from _branches(branch)
    elif statement != {"Ref": "AWS::NoValue"}:
        yield statement


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def grants(deployment: Deployment) -> frozenset[Grant]:
    """Everything that the functions' own statements allow."""
    owners = {owned: logical_id for logical_id, owned in resource_arns(deployment).items()}
    return frozenset(
        Grant(function.logical_id, action, _owner(resource, owners))
        for function in deployment.functions.values()
        for statement in statements(function.policies)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    )


def resource_arns(deployment: Deployment) -> dict[str, str]:
    """Logical id → ARN of every resource that a function can be granted something on."""
    found = {table.logical_id: table.arn for table in deployment.tables.values()}
    found |= {queue.logical_id: queue.arn for queue in deployment.queues.values()}
    found |= {bucket.logical_id: f"arn:aws:s3:::{bucket.name}" for bucket in deployment.buckets.values()}
    found |= {function.logical_id: function.arn for function in deployment.functions.values()}
    return found | {key: arn("kms", f"key/{placeholder_key_id(key)}") for key in deployment.keys}


def _owner(resource: str, owners: Mapping[str, str]) -> str:
    """The logical id behind an ARN; `…/index/*` belongs to its table, `…/exports/*` to its bucket."""
    for known, logical_id in owners.items():
        if resource == known or resource.startswith((f"{known}/", f"{known}:")):
            return logical_id
    return resource
