"""What every resource of template.yaml must be like: least privilege, no lost message, no lost table, within limits."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from local import intrinsics, template
from local.template import merge_globals
from tests.architecture import edges
from tests.architecture.code_base import ROOT
from tests.support import policies

PATH = ROOT / "template.yaml"
RAW = intrinsics.parse(PATH.read_text("utf-8"))
RESOURCES: dict[str, dict[str, Any]] = RAW["Resources"]
SANDBOX = template.load(PATH, {"Environment": "sandbox"})
PRODUCTION = template.load(PATH, {"Environment": "production"})

MOST_EXPANDED_RESOURCES = 350
VISIBILITY_PER_TIMEOUT = 6
TWO_WEEKS_SECONDS = 1209600


def _of(kind: str) -> list[str]:
    return sorted(name for name, resource in RESOURCES.items() if resource["Type"] == kind)


FUNCTIONS = _of("AWS::Serverless::Function")
TABLES = _of("AWS::DynamoDB::Table")
QUEUES = _of("AWS::SQS::Queue")
KEYS = _of("AWS::KMS::Key")


def _properties(name: str) -> dict[str, Any]:
    """A resource's properties as written, Globals merged in for functions."""
    own: dict[str, Any] = RESOURCES[name].get("Properties", {})
    if RESOURCES[name]["Type"] == "AWS::Serverless::Function":
        merged: dict[str, Any] = merge_globals(RAW.get("Globals", {}).get("Function", {}), own)
        return merged
    return own


def _texts(node: Any) -> Iterator[str]:
    """Every scalar and every key below a node, as text."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
    else:
        yield str(node)


def _mentions(node: Any, logical_id: str) -> bool:
    """Whether an expression refers to a resource by Ref, GetAtt or Sub."""
    return any(text == logical_id or f"${{{logical_id}" in text for text in _texts(node))


# ------------------------------------------------------------------ least privilege


@pytest.mark.parametrize("function", FUNCTIONS)
def test_policies_name_actions_one_by_one(function: str) -> None:
    for statement in policies.statements(_properties(function).get("Policies", [])):
        assert statement["Effect"] == "Allow"
        assert "NotAction" not in statement
        for action in policies.as_list(statement["Action"]):
            service, _, name = action.partition(":")
            assert service, statement
            assert name, statement
            assert "*" not in action


@pytest.mark.parametrize("function", FUNCTIONS)
def test_policies_name_resources_one_by_one(function: str) -> None:
    """A resource is one of this template; behind it `/*` may stand (a table's indexes, a bucket's objects)."""
    for statement in policies.statements(_properties(function).get("Policies", [])):
        assert "NotResource" not in statement
        for resource in policies.as_list(statement["Resource"]):
            assert any(_mentions(resource, name) for name in RESOURCES), f"{resource} is not of this template"
            for text in _texts(resource):
                assert "*" not in text or text.startswith("${"), f"{text} is a wildcard"


@pytest.mark.parametrize("key", KEYS)
def test_key_policies_name_actions_one_by_one(key: str) -> None:
    for statement in policies.statements([_properties(key)["KeyPolicy"]]):
        assert not any("*" in action for action in policies.as_list(statement["Action"]))
        assert statement["Principal"] != "*"


@pytest.mark.parametrize("key", KEYS)
def test_everybody_in_the_account_uses_a_key_through_dynamodb_alone(key: str) -> None:
    """A table under a key of ours is opened in its caller's name; no other service opens anything so."""
    open_to_all = [
        statement for statement in policies.statements([_properties(key)["KeyPolicy"]])
        if statement["Principal"] == {"AWS": "*"}
    ]  # fmt: skip
    (condition,) = [statement["Condition"] for statement in open_to_all]
    assert set(condition["StringEquals"]) == {"kms:CallerAccount", "kms:ViaService"}
    assert "dynamodb." in str(condition["StringEquals"]["kms:ViaService"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_the_card_zone_names_card_keys(function: str) -> None:
    family = _properties(function)["Handler"].split(".")[0]
    if family not in edges.CARD_ZONE:
        assert [key for key in edges.CARD_KEYS if _mentions(_properties(function), key)] == []


def test_card_keys_exist() -> None:
    assert set(KEYS) >= edges.CARD_KEYS


@pytest.mark.parametrize("key", KEYS)
def test_keys_rotate_and_stay(key: str) -> None:
    assert _properties(key)["EnableKeyRotation"] is True
    assert RESOURCES[key]["DeletionPolicy"] == RESOURCES[key]["UpdateReplacePolicy"] == "Retain"


# ------------------------------------------------------------------ nothing gets lost


def _dead_letter_queues() -> set[str]:
    """Queues that take what another queue, a stream or an invocation gave up."""
    found = {
        name
        for queue in QUEUES
        for name in QUEUES
        if _mentions(_properties(queue).get("RedrivePolicy", {}).get("deadLetterTargetArn"), name)
    }
    destinations = [_properties(function).get("EventInvokeConfig") for function in FUNCTIONS]
    destinations += [event["Properties"].get("DestinationConfig") for _, event in _events("DynamoDB")]
    return found | {name for name in QUEUES for destination in destinations if _mentions(destination, name)}


def _events(kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (function, event)
        for function in FUNCTIONS
        for event in _properties(function).get("Events", {}).values()
        if event["Type"] == kind
    ]


@pytest.mark.parametrize("queue", QUEUES)
def test_queue_has_somewhere_to_put_what_fails(queue: str) -> None:
    properties = _properties(queue)
    if queue in _dead_letter_queues():
        assert "RedrivePolicy" not in properties
        assert properties["MessageRetentionPeriod"] == TWO_WEEKS_SECONDS
    else:
        target = properties["RedrivePolicy"]["deadLetterTargetArn"]
        (dead_letters,) = [name for name in QUEUES if _mentions(target, name)]
        assert _properties(dead_letters).get("FifoQueue") == properties.get("FifoQueue")
        assert properties["RedrivePolicy"]["maxReceiveCount"] > 1


@pytest.mark.parametrize("queue", QUEUES)
def test_queue_is_encrypted(queue: str) -> None:
    properties = _properties(queue)
    assert properties.get("SqsManagedSseEnabled") is True or "KmsMasterKeyId" in properties


@pytest.mark.parametrize("deployment", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])
def test_queue_sources(deployment: template.Deployment) -> None:
    """A message stays invisible for six times the function's timeout, and one bad message does not repeat a batch."""
    for source in deployment.queue_sources:
        queue = deployment.queue_by_arn(source.queue_arn)
        timeout = deployment.functions[source.function].timeout
        assert int(queue.attributes.get("VisibilityTimeout", "30")) >= VISIBILITY_PER_TIMEOUT * timeout, source.name
        assert source.reports_failures, source.name


@pytest.mark.parametrize("deployment", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])
def test_streams(deployment: template.Deployment) -> None:
    """One bad record is found by halving, retried a stated number of times, and then kept."""
    for source in deployment.streams:
        assert source.on_failure_arn is not None, source.name
        assert deployment.queue_by_arn(source.on_failure_arn).logical_id in _dead_letter_queues()
        assert source.retries is not None, source.name
        assert source.bisects, source.name
        assert source.reports_failures, source.name


# ------------------------------------------------------------------ tables


def _is_ephemeral(table: str) -> bool:
    """Said by the name, or by living in a sandbox only."""
    return "Ephemeral" in table or RESOURCES[table].get("Condition") == "IsSandbox"


@pytest.mark.parametrize("table", TABLES)
def test_table_is_on_demand_and_encrypted(table: str) -> None:
    properties = _properties(table)
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["SSESpecification"]["SSEEnabled"] is True
    assert "TableName" not in properties, "a fixed name keeps a second stack out of the account"


@pytest.mark.parametrize("table", TABLES)
def test_table_outlives_mistakes(table: str) -> None:
    resource, properties = RESOURCES[table], _properties(table)
    if _is_ephemeral(table):
        assert "PointInTimeRecoverySpecification" not in properties, "what must be forgotten is not backed up"
        assert resource["DeletionPolicy"] == "Delete"
        return
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    protection = properties["DeletionProtectionEnabled"]
    assert protection["Ref"] in RAW["Parameters"]
    assert RAW["Parameters"][protection["Ref"]]["Default"] == "true"


def test_buckets_are_private_and_forget() -> None:
    """Encrypted, closed to the public in all four ways, reached over TLS only, and emptied by a lifecycle."""
    for bucket in _of("AWS::S3::Bucket"):
        _check_bucket(bucket)


def _check_bucket(bucket: str) -> None:
    properties = _properties(bucket)
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["LifecycleConfiguration"]["Rules"]
    assert "BucketName" not in properties
    policies_of = [
        _properties(name)["PolicyDocument"]
        for name in _of("AWS::S3::BucketPolicy")
        if _mentions(_properties(name)["Bucket"], bucket)
    ]
    denied = [each for policy in policies_of for each in policies.statements([policy]) if each["Effect"] == "Deny"]
    assert any("aws:SecureTransport" in set(_texts(statement.get("Condition", {}))) for statement in denied)


# ------------------------------------------------------------------ sandbox, functions, budget


def test_sandbox_resources_are_absent_elsewhere() -> None:
    mine = {name for name in RESOURCES if name.startswith("Sandbox")}
    mine |= {name for name in FUNCTIONS if _properties(name)["Handler"].split(".")[1] == "sandbox"}
    assert mine
    assert {name: RESOURCES[name].get("Condition") for name in mine} == dict.fromkeys(mine, "IsSandbox")


def test_production_serves_no_sandbox_route() -> None:
    sandbox_paths = [route.path for route in SANDBOX.routes if route.path and route.path.startswith("/sandbox")]
    assert sandbox_paths
    assert [route.path for route in PRODUCTION.routes if route.path and route.path.startswith("/sandbox")] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_takes_code_and_layers_from_globals(function: str) -> None:
    """One artifact for all, so that every door always runs the same commit. `Layers` of a block are added to them."""
    own = RESOURCES[function]["Properties"]
    assert {"CodeUri", "Runtime", "Architectures"} & set(own) == set()
    assert own["Description"]


def test_runtime_is_the_one_the_build_makes() -> None:
    from tools.build import artifact

    defaults = RAW["Globals"]["Function"]
    assert defaults["Runtime"] == f"python{artifact.LAMBDA_PYTHON}"
    assert defaults["Architectures"] == ["arm64"]
    assert all("aarch64" in platform for platform in artifact.LAMBDA_PLATFORMS)


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_samconfig_gives_parameters_that_exist(environment: str) -> None:
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))[environment]["deploy"]["parameters"]
    given = dict(pair.split("=", 1) for pair in settings["parameter_overrides"].split())
    assert given["Environment"] == environment
    assert template.load(PATH, given).functions


def test_routes_are_unique() -> None:
    keys = [route.key for route in SANDBOX.routes]
    assert sorted(keys) == sorted(set(keys))


def test_stack_stays_within_its_budget() -> None:
    """CloudFormation takes 500 resources; the limit is to be met in review and not on the day of a deployment."""
    expanded = _expand()
    assert len(RESOURCES) < len(expanded) <= MOST_EXPANDED_RESOURCES


def _expand() -> dict[str, Any]:
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    document = yaml_parse(PATH.read_text("utf-8"))
    for resource in document["Resources"].values():
        for member in ("CodeUri", "ContentUri"):
            if resource["Type"].startswith("AWS::Serverless") and member in resource["Properties"]:
                resource["Properties"][member] = "s3://artifacts/code.zip"
    document["Globals"]["Function"]["CodeUri"] = "s3://artifacts/code.zip"
    translated = Translator({}, Parser()).translate(document, _parameters(document))
    return dict(json.loads(json.dumps(translated["Resources"])))


def _parameters(document: Mapping[str, Any]) -> dict[str, str]:
    return {name: declared["Default"] for name, declared in document["Parameters"].items()}
