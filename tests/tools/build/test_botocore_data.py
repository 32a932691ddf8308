"""The trimmed botocore data answers like the whole for everything that the deployed code can call."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.stub import Stubber

from tools.build import botocore_data
from tools.build.artifact import ROOT, Variant

SHARED = ROOT / "layers" / "shared" / "python"


@pytest.fixture
def trimmed(host_artifact: Variant) -> Loader:
    folder = host_artifact.packages / botocore_data.FOLDER
    return Loader(extra_search_paths=[str(folder)], include_default_search_paths=False)


def _client(service: str, loader: Loader | None) -> Any:
    session = botocore.session.Session()
    if loader is not None:
        session.register_component("data_loader", loader)
    make: Any = session.create_client
    return make(service, region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")


def _services(loader: Loader) -> list[str]:
    return [str(name) for name in loader.list_available_services("service-2")]


def test_services_are_those_that_the_code_makes_clients_for(trimmed: Loader) -> None:
    tree = ast.parse((SHARED / "tollgate" / "aws.py").read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    made = {ast.literal_eval(call.args[0]) for call in calls if getattr(call.func, "id", "") == "_client"}
    assert made
    assert made <= set(_services(trimmed))


def test_operations_of_the_code_are_there(trimmed: Loader) -> None:
    """What a client's method call looks like, wherever it stands in the deployed code."""
    called = {name for folder in (SHARED, ROOT / "functions") for name in _methods_called(folder)}
    whole = Loader()
    for service in _services(trimmed):
        operations = {xform_name(name) for name in whole.load_service_model(service, "service-2")["operations"]}
        kept = {xform_name(name) for name in trimmed.load_service_model(service, "service-2")["operations"]}
        assert operations & called <= kept


def test_kept_operations_are_described_as_before(trimmed: Loader) -> None:
    for service in _services(trimmed):
        ours, theirs = _client(service, trimmed), _client(service, None)
        assert ours.meta.endpoint_url == theirs.meta.endpoint_url
        for name in ours.meta.service_model.operation_names:
            mine, original = (client.meta.service_model.operation_model(name) for client in (ours, theirs))
            assert _shape(mine.input_shape) == _shape(original.input_shape)
            assert _shape(mine.output_shape) == _shape(original.output_shape)
            assert [shape.name for shape in mine.error_shapes] == [shape.name for shape in original.error_shapes]


def _shape(shape: Any, above: tuple[str, ...] = ()) -> Any:
    """A shape as plain data, to the depth where it repeats itself."""
    if shape is None or shape.name in above:
        return getattr(shape, "name", None)
    inner = (*above, shape.name)
    members = getattr(shape, "members", {})
    parts = [getattr(shape, name, None) for name in ("member", "key", "value")]
    return (
        shape.type_name,
        sorted(getattr(shape, "required_members", [])),
        {name: _shape(member, inner) for name, member in members.items()},
        [_shape(part, inner) for part in parts if part is not None],
        dict(shape.serialization),
    )


def test_a_trimmed_client_reads_and_raises(trimmed: Loader) -> None:
    client = _client("dynamodb", trimmed)
    key = {"TableName": "t", "Key": {"pk": {"S": "a"}}}
    with Stubber(client) as stub:
        stub.add_response("get_item", {"Item": {"pk": {"S": "a"}}}, key)
        stub.add_client_error("get_item", "ProvisionedThroughputExceededException")
        assert client.get_item(**key)["Item"] == {"pk": {"S": "a"}}
        with pytest.raises(client.exceptions.ProvisionedThroughputExceededException):
            client.get_item(**key)


def test_trimming_keeps_what_is_reached_and_drops_the_rest() -> None:
    model = {
        "metadata": {"endpointPrefix": "x"},
        "operations": {
            "GetThing": {"input": {"shape": "In"}, "documentation": "text"},
            "DropThing": {"input": {"shape": "Other"}},
        },
        "shapes": {
            "In": {"type": "structure", "members": {"documentation": {"shape": "Text", "documentation": "text"}}},
            "Text": {"type": "string"},
            "Other": {"type": "string"},
        },
        "documentation": "text",
    }
    assert botocore_data.trim_model(model, {"get_thing", "drop"}) == {
        "metadata": {"endpointPrefix": "x"},
        "operations": {"GetThing": {"input": {"shape": "In"}}},
        "shapes": {
            "In": {"type": "structure", "members": {"documentation": {"shape": "Text"}}},
            "Text": {"type": "string"},
        },
    }


def test_trimmed_data_is_small(host_artifact: Variant) -> None:
    size = sum(path.stat().st_size for path in (host_artifact.packages / botocore_data.FOLDER).rglob("*.json"))
    assert size < 1_000_000
    endpoints = json.loads((host_artifact.packages / botocore_data.FOLDER / "endpoints.json").read_text("utf-8"))
    assert {partition["partition"] for partition in endpoints["partitions"]} >= {"aws", "aws-us-gov", "aws-cn"}


def _methods_called(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield node.func.attr
