"""Every operation, route and message has a sample in events/, and every sample is of use.

A sample is called `<function>/<what>.json`, in lower case with hyphens. `what` is an operation of the function's routes
(`tokens/import-card.json`), else an event of its block in template.yaml (`relay/vault.json`), else, for a function that
is only invoked directly, the action that it asks for (`provisioning/create-account.json`).
"""

from __future__ import annotations

import importlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local import intrinsics
from local.events import Route as TemplateRoute
from local.patterns import matches_any
from local.routes import RouteTable
from tests.architecture.code_base import ROOT
from tests.support.environment import DEPLOYMENT

SAMPLES = sorted((ROOT / "events").glob("*/*.json"))
ROUTES = RouteTable(DEPLOYMENT.routes)


def hyphened(name: str) -> str:
    """`SandboxClock` and `sandbox_clock` → `sandbox-clock`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", "-", name).lower()


FUNCTIONS = {hyphened(each): each for each in DEPLOYMENT.functions}


def function_of(sample: Path) -> str:
    """The logical id of the function that a sample is for."""
    return FUNCTIONS[sample.parent.name]


def name_of(sample: Path) -> str:
    return f"{sample.parent.name}/{sample.stem}"


def what_of(sample: Path) -> str:
    return sample.stem


def door_of(function: str) -> Any:
    return importlib.import_module(DEPLOYMENT.functions[function].handler.rpartition(".")[0])


def operations(function: str) -> dict[str, Any]:
    """The routes that the function's code declares, by the hyphened name of the operation."""
    return {hyphened(route.operation_id): route for route in getattr(door_of(function), "ROUTES", ())}


def messages(function: str) -> dict[str, Any]:
    """The event sources of the function's block, but for its routes, by the hyphened name."""
    found = {}
    for source in DEPLOYMENT.functions[function].sources:
        if not isinstance(source, TemplateRoute):
            found[hyphened(source.name.removeprefix(function))] = source
    return found


def load(sample: Path) -> dict[str, Any]:
    return dict(json.loads(sample.read_text("utf-8")))


def is_http(event: dict[str, Any]) -> bool:
    return event.get("version") == "2.0"


@pytest.mark.parametrize("function", sorted(DEPLOYMENT.functions))
def test_nothing_lacks_a_sample(function: str) -> None:
    there = {what_of(sample) for sample in SAMPLES if function_of(sample) == function}
    assert set(operations(function)) | set(messages(function)) <= there
    assert there


def test_every_route_of_the_template_is_asked_for() -> None:
    asked = {match.route for sample in SAMPLES if (match := _match(load(sample))) is not None}
    assert set(DEPLOYMENT.routes) - asked == set()


def _match(event: dict[str, Any]) -> Any:
    return ROUTES.match(event["requestContext"]["http"]["method"], event["rawPath"]) if is_http(event) else None


@pytest.mark.parametrize("sample", SAMPLES, ids=name_of)
def test_sample_is_what_its_name_says(sample: Path) -> None:
    event, function = load(sample), function_of(sample)
    if is_http(event):
        _check_request(event, function, what_of(sample))
    elif messages(function):
        _check_message(event, messages(function)[what_of(sample)])
    else:
        assert hyphened(event["action"]) == what_of(sample)


def _check_request(event: dict[str, Any], function: str, what: str) -> None:
    match = _match(event)
    assert match.route.function == function
    assert event["routeKey"] == event["requestContext"]["routeKey"] == match.route.key
    assert event.get("pathParameters", {}) == match.parameters
    operation = operations(function).get(what)
    if operation is not None:
        pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
        assert event["requestContext"]["http"]["method"] == operation.method
        assert re.fullmatch(pattern, event["rawPath"])
    else:
        assert what in _routes_by_name(function), f"{function} has no operation and no route event of this name"


@cache
def _routes_by_name(function: str) -> set[str]:
    """Names of the route events of a function's block, as written in the template."""
    document = intrinsics.parse((ROOT / "template.yaml").read_text("utf-8"))
    return {hyphened(name) for name in document["Resources"][function]["Properties"]["Events"]}


def _check_message(event: dict[str, Any], source: Any) -> None:
    """A message passes the filter of its source, or the function would never see it."""
    if "Records" in event:
        expected = "aws:sqs" if hasattr(source, "queue_arn") else "aws:dynamodb"
        assert event["Records"]
        for record in event["Records"]:
            assert record["eventSource"] == expected
            assert matches_any(source.filters, record)
    else:
        assert hasattr(source, "expression"), "neither records nor a schedule"


@pytest.mark.parametrize("sample", SAMPLES, ids=name_of)
def test_function_takes_the_sample(sample: Path) -> None:
    """The answer may be a refusal (a sample holds no credential), never a fault of ours."""
    attribute = DEPLOYMENT.functions[function_of(sample)].handler.rpartition(".")[2]
    answer = getattr(door_of(function_of(sample)), attribute)(load(sample), object())
    assert answer.get("statusCode", 200) < 500
    assert answer.get("batchItemFailures", []) == []
