"""CloudFormation's YAML tags and intrinsic functions: turns a template's expressions into plain values.

Only what an ordinary SAM template uses is known; anything else raises `TemplateError` and is never passed through,
so that a template which would mean something else in the cloud does not start here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times quicker


class TemplateError(Exception):
    """The template says something that the local machine cannot serve."""


class _Absent:
    """What `AWS::NoValue` resolves to: the member or element that holds it disappears."""


ABSENT = _Absent()


def text_of(value: Any) -> str:
    """A scalar as CloudFormation writes it where text is wanted: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def truth_of(value: Any) -> bool:
    """A Boolean that may have come in as a parameter, and so as text."""
    return text_of(value) == "true"


class Lookup(Protocol):
    """Answers what a resource's `Ref` (attribute None) or `GetAtt` stands for."""

    def __call__(self, logical_id: str, attribute: str | None) -> str: ...


class _Loader(_SafeLoader):  # type: ignore[misc]
    """A safe loader that knows CloudFormation's short tags."""


def _construct_tag(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


def _construct_date(loader: Any, node: yaml.ScalarNode) -> str:
    """`Version: 2012-10-17` without quotes stays text, as CloudFormation reads it."""
    return str(loader.construct_scalar(node))


_Loader.add_multi_constructor("!", _construct_tag)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _construct_date)


def parse(text: str) -> dict[str, Any]:
    """Read a template's YAML; expressions come out in their long form (`{"Fn::Sub": …}`).

    Raises:
        TemplateError: not YAML, or not a mapping.
    """
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  # derived from the safe loader
    except yaml.YAMLError as error:
        raise TemplateError(f"the template is not YAML: {error}") from None
    if not isinstance(document, dict):
        raise TemplateError("the template is not a mapping")
    return document


_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass
class Resolver:
    """Evaluates expressions against one set of parameters and one source of resource names."""

    parameters: Mapping[str, Any]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    lookup: Lookup
    _decided: dict[str, bool] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """The plain value of `value`, however deeply expressions are nested in it."""
        if isinstance(value, dict):
            if len(value) == 1:
                ((name, argument),) = value.items()
                if name == "Ref" or name.startswith("Fn::"):
                    return self._call(name, argument)
            pairs = ((key, self.resolve(item)) for key, item in value.items())
            return {key: item for key, item in pairs if item is not ABSENT}
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not ABSENT]
        return value

    def condition(self, name: str) -> bool:
        """Whether the named condition holds."""
        if name not in self._decided:
            if name not in self.conditions:
                raise TemplateError(f"there is no condition {name}")
            self._decided[name] = self._test(self.conditions[name])
        return self._decided[name]

    def _call(self, name: str, argument: Any) -> Any:
        function = _FUNCTIONS.get(name)
        if function is None:
            raise TemplateError(f"{name} is not supported by the local machine")
        return function(self, argument)

    def _test(self, expression: Any) -> bool:
        if isinstance(expression, dict) and "Condition" in expression:
            return self.condition(expression["Condition"])
        result = self.resolve(expression)
        if not isinstance(result, bool):
            raise TemplateError("a condition must be true or false")
        return result

    def ref(self, name: str) -> Any:
        """A pseudo parameter, a parameter, or the `Ref` of a resource."""
        if name == "AWS::NoValue":
            return ABSENT
        if name in self.parameters:
            return self.parameters[name]
        return self.lookup(name, None)

    def get_att(self, argument: Any) -> str:
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        return self.lookup(logical_id, attribute)

    def sub(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})
        names = {key: self.resolve(item) for key, item in own.items()}

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return "${" + name + "}"
            if name in names:
                return text_of(names[name])
            if name in self.parameters or "." not in name:
                return text_of(self.ref(name))
            return self.get_att(name)

        return _PLACEHOLDER.sub(replace, text)

    def choose(self, argument: Any) -> Any:
        name, then, otherwise = argument
        return self.resolve(then if self.condition(name) else otherwise)

    def find_in_map(self, argument: Any) -> Any:
        name, top, second = map(self.resolve, argument[:3])
        try:
            return self.mappings[name][top][second]
        except KeyError:
            raise TemplateError(f"there is no {name}.{top}.{second} in Mappings") from None

    def join(self, argument: Any) -> str:
        separator, parts = argument
        return str(separator).join(text_of(part) for part in self.resolve(parts))

    def select(self, argument: Any) -> Any:
        index, parts = argument
        return self.resolve(parts)[int(self.resolve(index))]

    def split(self, argument: Any) -> list[str]:
        separator, text = argument
        return str(self.resolve(text)).split(separator)

    def equals(self, argument: Any) -> bool:
        left, right = map(self.resolve, argument)
        return text_of(left) == text_of(right)

    def negate(self, argument: Any) -> bool:
        return not self._test(argument[0])

    def every(self, argument: Any) -> bool:
        return all(self._test(part) for part in argument)

    def any(self, argument: Any) -> bool:
        return any(self._test(part) for part in argument)


_FUNCTIONS: dict[str, Callable[[Resolver, Any], Any]] = {
    "Ref": Resolver.ref,
    "Fn::GetAtt": Resolver.get_att,
    "Fn::Sub": Resolver.sub,
    "Fn::If": Resolver.choose,
    "Fn::FindInMap": Resolver.find_in_map,
    "Fn::Join": Resolver.join,
    "Fn::Select": Resolver.select,
    "Fn::Split": Resolver.split,
    "Fn::Equals": Resolver.equals,
    "Fn::Not": Resolver.negate,
    "Fn::And": Resolver.every,
    "Fn::Or": Resolver.any,
}
