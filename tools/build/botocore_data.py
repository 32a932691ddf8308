"""Writes the few pages of botocore's data that our code needs, so that a function does not start by reading megabytes.

What is needed is read off the deployed code and listed nowhere: a service counts when its name is a string in
`tollgate.aws`, an operation counts when its method name occurs anywhere in the deployed code. Too many do no harm.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.loaders import Loader

# JSON as botocore ships it: nested, untyped, and only passed through.
Json = dict[str, Any]

FOLDER = "tollgate_botocore_data"
PLAIN_FILES = ("_retry", "partitions", "sdk-default-configuration")


def write(target: Path, *, clients: Path, code: Iterable[Path]) -> list[str]:
    """Write the data into the folder `target` and return the services it holds.

    Args:
        target: a folder that does not exist yet.
        clients: the module that creates the clients.
        code: folders of everything that is deployed.
    """
    loader = Loader()
    known = set(loader.list_available_services("service-2"))
    services = sorted(_strings(clients) & known)
    words = set[str]().union(*(_words(module) for folder in code for module in folder.rglob("*.py")))
    for name in PLAIN_FILES:
        _save(target / f"{name}.json", loader.load_data(name))
    prefixes = {_write_service(loader, target, service, words) for service in services}
    _save(target / "endpoints.json", _trim_endpoints(loader.load_data("endpoints"), prefixes))
    return services


def _write_service(loader: Loader, target: Path, service: str, words: set[str]) -> str:
    """Write one service's model, endpoint rules and page definitions; return its prefix in endpoints.json."""
    version = loader.determine_latest_version(service, "service-2")
    folder = target / service / version
    model = trim_model(loader.load_service_model(service, "service-2"), words)
    _save(folder / "service-2.json", model)
    _save(folder / "endpoint-rule-set-1.json", loader.load_service_model(service, "endpoint-rule-set-1"))
    pages = loader.load_service_model(service, "paginators-1")["pagination"]
    _save(
        folder / "paginators-1.json",
        {"pagination": {name: pages[name] for name in model["operations"] if name in pages}},
    )
    return str(model["metadata"]["endpointPrefix"])


def trim_model(model: Json, words: set[str]) -> Json:
    """Keep the operations whose method name is among `words`, the shapes they reach, and no documentation."""
    operations = {name: shape for name, shape in model["operations"].items() if xform_name(name) in words}
    shapes = {name: model["shapes"][name] for name in _reachable(operations, model["shapes"])}
    kept = {key: value for key, value in model.items() if key not in {"operations", "shapes", "examples"}}
    trimmed = _without_documentation({**kept, "operations": operations, "shapes": shapes})
    assert isinstance(trimmed, dict)  # noqa: S101 - a dict goes in
    return trimmed


def _reachable(operations: Json, shapes: Json) -> list[str]:
    """Names of all shapes that the operations refer to, directly or not, in the model's order."""
    found: set[str] = set()
    waiting = list(_references(operations))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_references(shapes[name]))
    return [name for name in shapes if name in found]


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "shape" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _without_documentation(node: object) -> object:
    # A member may itself be called "documentation"; then its value is no text.
    if isinstance(node, dict):
        return {
            key: _without_documentation(value)
            for key, value in node.items()
            if not (key in {"documentation", "documentationUrl"} and isinstance(value, str))
        }
    if isinstance(node, list):
        return [_without_documentation(value) for value in node]
    return node


def _trim_endpoints(endpoints: Json, prefixes: set[str]) -> Json:
    """Every partition and region, but only our services."""
    partitions = [
        {**partition, "services": {name: part for name, part in partition["services"].items() if name in prefixes}}
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def _strings(module: Path) -> set[str]:
    tree = ast.parse(module.read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _words(module: Path) -> set[str]:
    """Every attribute name and every string of a module: all the ways to name a client's method."""
    tree = ast.parse(module.read_text("utf-8"))
    return _strings(module) | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _save(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, separators=(",", ":")), "utf-8")
