"""The typed reader of `template.yaml`: functions, their environment, and everything they are connected to.

It serves the local machine and the tests, which take tables, environments and policies from here so that nothing is
listed twice. It makes nothing and speaks to nobody. Values that only a running machine knows (key ids, queue
addresses) are handed in as overrides; without them they are placeholders that look real.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from local import resources
from local.events import QueueSource, Route, Schedule, Source, StreamSource, read_event
from local.intrinsics import Resolver, TemplateError, parse, text_of
from local.resources import ACCOUNT, REGION, STACK, Bucket, Key, Queue, Table, arn

FUNCTION = "AWS::Serverless::Function"
SERVED = frozenset(
    {
        FUNCTION,
        "AWS::DynamoDB::Table",
        "AWS::SQS::Queue",
        "AWS::KMS::Key",
        "AWS::KMS::Alias",
        "AWS::S3::Bucket",
    }
)
Overrides = Mapping[tuple[str, str | None], str]

_PSEUDO_PARAMETERS = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::StackName": STACK,
    "AWS::StackId": arn("cloudformation", f"stack/{STACK}/local"),
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NotificationARNs": [],
}


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function. Times in seconds, memory in MB; `environment` holds expressions, see `Deployment`."""

    logical_id: str
    name: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    timeout: int
    memory: int
    environment: Mapping[str, Any]
    policies: tuple[Any, ...]
    sources: tuple[Source, ...]
    retries: int
    on_failure_arn: str | None

    @property
    def arn(self) -> str:
        return arn("lambda", f"function:{self.name}")

    @property
    def import_path(self) -> tuple[Path, ...]:
        """The folders that go before the interpreter's own: the code, then each layer's `python`."""
        return (self.code, *(path / "python" for path in self.layers if (path / "python").is_dir()))


class Deployment:
    """A template with its parameters filled in. Resources whose condition does not hold are not there."""

    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str], root: Path) -> None:
        self._document = document
        self._root = root
        self._parameters = self._fill_parameters(parameters)
        self._resolver = self._make_resolver({})
        self._resources = self._present_resources()
        self._kinds = {logical_id: item["Type"] for logical_id, item in self._resources.items()}

    # ------------------------------------------------------------------ what the template declares

    @cached_property
    def functions(self) -> dict[str, Function]:
        return {logical_id: self._read_function(logical_id) for logical_id in self._of(FUNCTION)}

    @cached_property
    def tables(self) -> dict[str, Table]:
        return {i: resources.read_table(i, self.name_of(i), p) for i, p in self._each("AWS::DynamoDB::Table")}

    @cached_property
    def queues(self) -> dict[str, Queue]:
        return {i: resources.read_queue(i, self.name_of(i), p) for i, p in self._each("AWS::SQS::Queue")}

    @cached_property
    def buckets(self) -> dict[str, Bucket]:
        return {i: resources.read_bucket(i, self.name_of(i), p) for i, p in self._each("AWS::S3::Bucket")}

    @cached_property
    def keys(self) -> dict[str, Key]:
        aliases: dict[str, list[str]] = {}
        for logical_id in self._of("AWS::KMS::Alias"):
            properties = self._resources[logical_id]["Properties"]
            target = self._resolver.resolve(properties["TargetKeyId"])
            aliases.setdefault(target.rsplit("/", 1)[-1], []).append(self._resolver.resolve(properties["AliasName"]))
        return {
            i: resources.read_key(i, p, tuple(aliases.get(resources.placeholder_key_id(i), ())))
            for i, p in self._each("AWS::KMS::Key")
        }

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        return tuple(source for source in self._sources() if isinstance(source, Route))

    @cached_property
    def queue_sources(self) -> tuple[QueueSource, ...]:
        return tuple(source for source in self._sources() if isinstance(source, QueueSource))

    @cached_property
    def streams(self) -> tuple[StreamSource, ...]:
        return tuple(source for source in self._sources() if isinstance(source, StreamSource))

    @cached_property
    def schedules(self) -> tuple[Schedule, ...]:
        return tuple(source for source in self._sources() if isinstance(source, Schedule))

    # ------------------------------------------------------------------ looking things up

    def environment(self, function: str, overrides: Overrides | None = None) -> dict[str, str]:
        """The variables that the template gives to a function, by its logical id.

        `overrides` maps (logical id, attribute, None for `Ref`) to what a running machine has there.
        """
        resolver = self._make_resolver(overrides) if overrides else self._resolver
        return {name: text_of(resolver.resolve(value)) for name, value in self.functions[function].environment.items()}

    def find_function(self, name: str) -> Function | None:
        """A function by logical id, physical name, ARN (with or without a version), or logical id in any case."""
        for function in self.functions.values():
            if name in {function.logical_id, function.name, function.arn}:
                return function
        bare = name.removeprefix(arn("lambda", "function:")).split(":")[0].lower()
        for function in self.functions.values():
            if bare in {function.logical_id.lower(), function.name.lower()}:
                return function
        return None

    def queue_by_arn(self, queue_arn: str) -> Queue:
        for queue in self.queues.values():
            if queue.arn == queue_arn:
                return queue
        raise TemplateError(f"no queue of the template has the ARN {queue_arn}")

    def table_by_name(self, name: str) -> Table:
        for table in self.tables.values():
            if table.name == name:
                return table
        raise TemplateError(f"no table of the template has the name {name}")

    def name_of(self, logical_id: str) -> str:
        """The physical name of a resource."""
        properties = self._resources[logical_id].get("Properties", {})
        own = {key: self._resolver.resolve(value) for key, value in properties.items() if key.endswith("Name")}
        if "FifoQueue" in properties:
            own["FifoQueue"] = self._resolver.resolve(properties["FifoQueue"])
        return resources.physical_name(logical_id, self._kinds[logical_id], own)

    # ------------------------------------------------------------------ reading

    def _fill_parameters(self, given: Mapping[str, str]) -> dict[str, Any]:
        declared = self._document.get("Parameters", {})
        unknown = set(given) - set(declared)
        if unknown:
            raise TemplateError(f"the template has no parameter {', '.join(sorted(unknown))}")
        filled: dict[str, Any] = dict(_PSEUDO_PARAMETERS)
        for name, declaration in declared.items():
            if name not in given and "Default" not in declaration:
                raise TemplateError(f"the parameter {name} has no default and no value")
            value = text_of(given.get(name, declaration.get("Default")))
            filled[name] = value.split(",") if declaration["Type"] == "CommaDelimitedList" else value
        return filled

    def _make_resolver(self, overrides: Overrides | None) -> Resolver:
        def lookup(logical_id: str, attribute: str | None) -> str:
            return (overrides or {}).get((logical_id, attribute)) or self._attribute(logical_id, attribute)

        document = self._document
        return Resolver(self._parameters, document.get("Mappings", {}), document.get("Conditions", {}), lookup)

    def _present_resources(self) -> dict[str, Mapping[str, Any]]:
        present = {}
        for logical_id, resource in self._document.get("Resources", {}).items():
            if "Condition" in resource and not self._resolver.condition(resource["Condition"]):
                continue
            resources.check_known(logical_id, resource["Type"], SERVED)
            present[logical_id] = resource
        return present

    def _of(self, kind: str) -> list[str]:
        return [logical_id for logical_id, found in self._kinds.items() if found == kind]

    def _each(self, kind: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        for logical_id in self._of(kind):
            yield logical_id, self._resolver.resolve(self._resources[logical_id].get("Properties", {}))

    def _sources(self) -> Iterable[Source]:
        for function in self.functions.values():
            yield from function.sources

    def _read_function(self, logical_id: str) -> Function:
        defaults = self._document.get("Globals", {}).get("Function", {})
        merged = merge_globals(defaults, self._resources[logical_id]["Properties"])
        variables = merged.pop("Environment", {}).get("Variables", {})
        properties = self._resolver.resolve(merged)
        invocation = properties.get("EventInvokeConfig", {})
        policies = properties.get("Policies", [])
        return Function(
            logical_id=logical_id,
            name=self.name_of(logical_id),
            handler=properties["Handler"],
            code=self._root / properties["CodeUri"],
            layers=self._layers(properties.get("Layers", ())),
            timeout=int(properties.get("Timeout", 3)),
            memory=int(properties.get("MemorySize", 128)),
            environment=variables,
            policies=tuple(policies if isinstance(policies, list) else [policies]),
            sources=self._read_sources(logical_id, properties.get("Events", {})),
            retries=int(invocation.get("MaximumRetryAttempts", 2)),
            on_failure_arn=invocation.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
        )

    def _read_sources(self, logical_id: str, events: Mapping[str, Any]) -> tuple[Source, ...]:
        sources = (read_event(logical_id, name, event) for name, event in events.items())
        return tuple(source for source in sources if source is not None)

    def _layers(self, layer_arns: Iterable[str]) -> tuple[Path, ...]:
        """The folders of those layers that the template itself builds."""
        content = {
            self._attribute(logical_id, None): self._root / self._resources[logical_id]["Properties"]["ContentUri"]
            for logical_id in self._of("AWS::Serverless::LayerVersion")
        }
        return tuple(content[layer] for layer in layer_arns if layer in content)

    def _attribute(self, logical_id: str, attribute: str | None) -> str:
        kind = self._kinds.get(logical_id)
        if kind is None:
            raise TemplateError(f"there is no resource or parameter {logical_id}")
        name = self.name_of(logical_id)
        known = _ATTRIBUTES.get(kind)
        if known is None:
            return name
        if attribute not in known:
            raise TemplateError(f"{logical_id}: the local machine does not know its attribute {attribute}")
        return known[attribute].format(name=name, key=resources.placeholder_key_id(logical_id), id=logical_id)


def merge_globals(defaults: Any, own: Any) -> Any:
    """SAM's merge of Globals: mappings join member by member, lists are appended to, all else is overridden."""
    if _is_plain_mapping(defaults) and _is_plain_mapping(own):
        return {
            key: merge_globals(defaults[key], own[key]) if key in defaults and key in own else (own | defaults)[key]
            for key in [*defaults, *(key for key in own if key not in defaults)]
        }
    if isinstance(defaults, list) and isinstance(own, list):
        return [*defaults, *own]
    return own


def _is_plain_mapping(value: Any) -> bool:
    is_expression = isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))
    return isinstance(value, dict) and not is_expression


_ATTRIBUTES: dict[str, dict[str | None, str]] = {
    FUNCTION: {None: "{name}", "Arn": arn("lambda", "function:{name}")},
    "AWS::DynamoDB::Table": {
        None: "{name}",
        "Arn": arn("dynamodb", "table/{name}"),
        "StreamArn": arn("dynamodb", "table/{name}/stream/2026-01-01T00:00:00.000"),
    },
    "AWS::SQS::Queue": {
        None: "https://sqs." + REGION + ".amazonaws.com/" + ACCOUNT + "/{name}",
        "Arn": arn("sqs", "{name}"),
        "QueueName": "{name}",
        "QueueUrl": "https://sqs." + REGION + ".amazonaws.com/" + ACCOUNT + "/{name}",
    },
    "AWS::KMS::Key": {None: "{key}", "KeyId": "{key}", "Arn": arn("kms", "key/{key}")},
    "AWS::S3::Bucket": {None: "{name}", "Arn": "arn:aws:s3:::{name}"},
    "AWS::Serverless::LayerVersion": {
        None: arn("lambda", "layer:{id}:1"),
        "LayerVersionArn": arn("lambda", "layer:{id}:1"),
    },
}


def load(
    path: Path, parameters: Mapping[str, str] | None = None, *, offered: Mapping[str, str] | None = None
) -> Deployment:
    """Read a template with the given parameter values, defaults for the others.

    `offered` values count only for those parameters that the template has.

    Raises:
        TemplateError: the template cannot be served by the local machine; the message says why.
    """
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except OSError:
        raise TemplateError(f"there is no template {path}") from None
    declared = document.get("Parameters", {})
    fitting = {name: value for name, value in (offered or {}).items() if name in declared}
    return Deployment(document, {**fitting, **(parameters or {})}, path.resolve().parent)
