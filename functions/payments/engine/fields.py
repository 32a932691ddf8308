"""Properties and what they are made of: lists, maps, links, embedded objects, and the shapes of bodies and answers.

The types of single values are in `scalars` and are handed on here, so that a declaration imports from one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

from payments.engine.faults import Faults
from payments.engine.scalars import (
    MOST_LONG,
    Comparison,
    CountryCode,
    CurrencyCode,
    Day,
    DecimalNumber,
    Email,
    Flag,
    Json,
    LanguageCode,
    Long,
    Moment,
    OneOf,
    Text,
    TimeZone,
    Type,
    Url,
    day_of,
    decimal_of,
    int32,
    moment_of,
    now,
    stamp,
)

__all__ = [
    "LOCALIZED",
    "METADATA",
    "MOST_LONG",
    "AnyValue",
    "Comparison",
    "CountryCode",
    "CurrencyCode",
    "Day",
    "DecimalNumber",
    "Email",
    "Embedded",
    "Field",
    "Flag",
    "Json",
    "LanguageCode",
    "Link",
    "Long",
    "Many",
    "MapOf",
    "Moment",
    "OneOf",
    "Shape",
    "Text",
    "TimeZone",
    "Type",
    "Url",
    "day_of",
    "decimal_of",
    "int32",
    "moment_of",
    "now",
    "pick",
    "stamp",
]


@dataclass(frozen=True)
class Many(Type):
    """A list of at most `most` values of one type. Search asks whether any of them matches."""

    of: Type
    most: int = 1000
    least: int = 0

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, list):
            return faults.wrong_type(path, "must be a list")
        if not self.least <= len(value) <= self.most:
            faults.broken_rule(path, f"must have {self.least} to {self.most} elements")
            return None
        return [self._element(each, f"{path}[{n}]", faults) for n, each in enumerate(value)]

    def _element(self, value: Any, path: str, faults: Faults) -> Any:
        return faults.wrong_type(path, "must not be null") if value is None else self.of.read(value, path, faults)

    def schema(self) -> Json:
        return self._listed(self.of.schema())

    def request_schema(self) -> Json:
        return self._listed(self.of.request_schema())

    def _listed(self, items: Json) -> Json:
        made: Json = {"type": "array", "items": items, "maxItems": self.most}
        return {**made, "minItems": self.least} if self.least else made


@dataclass(frozen=True)
class MapOf(Type):
    """An object with free keys and values of one type, within limits of number and length."""

    of: Type
    most: int = 100
    longest_key: int = 100

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return faults.wrong_type(path, "must be an object")
        if len(value) > self.most:
            faults.broken_rule(path, f"must have at most {self.most} keys")
        for key in value:
            if not 1 <= len(key) <= self.longest_key:
                faults.broken_rule(path, f"must have keys of 1 to {self.longest_key} characters")
                break
        return {key: self._member(each, path, faults) for key, each in value.items()}

    def _member(self, value: Any, path: str, faults: Faults) -> Any:
        return faults.wrong_type(path, "must hold no null") if value is None else self.of.read(value, path, faults)

    def schema(self) -> Json:
        return {"type": "object", "maxProperties": self.most, "additionalProperties": self.of.schema()}


METADATA: Final = MapOf(Text(512), most=25, longest_key=40)
"""`metaData`: at most 25 keys of at most 40 characters, values of at most 512 (seed, "Metadata")."""

LOCALIZED: Final = MapOf(Text(2000), most=100, longest_key=10)
"""A text per language."""


@dataclass(frozen=True)
class Link(Type):
    """Another object, stored and answered as `{"id": n}` unless expanded; taken as `n` or `{"id": n}`.

    `target` is the name of a declared resource. `checked` says whether writing one requires the other to be there.
    """

    target: str
    checked: bool = True
    comparison: ClassVar[Comparison] = "number"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        number = value.get("id") if isinstance(value, dict) else value
        if isinstance(number, bool) or not isinstance(number, int):
            return faults.wrong_type(path, "must be the id of an object")
        return {"id": number}

    def schema(self) -> Json:
        return {"$ref": f"#/components/schemas/{self.target}"}

    def request_schema(self) -> Json:
        return {"type": "integer", "format": "int64"}


@dataclass(frozen=True)
class AnyValue(Type):
    """Any JSON value, as it is."""

    def read(self, value: Any, path: str, faults: Faults) -> Any:  # noqa: ARG002 -- the form of every type
        return value

    def schema(self) -> Json:
        return {}


@dataclass(frozen=True)
class Field:
    """A property.

    `hidden` ones are left out unless expanded. `secret` ones are stored and neither answered nor searched.
    `expandable` marks what may be named in `expand` beyond links and hidden ones (collections that are always shown).
    """

    name: str
    type: Type
    hidden: bool = False
    secret: bool = False
    expandable: bool = False
    description: str = ""

    @property
    def can_expand(self) -> bool:
        inner = self.type.of if isinstance(self.type, Many) else self.type
        return not self.secret and (self.hidden or self.expandable or isinstance(inner, Link))


@dataclass(frozen=True)
class Shape:
    """The members of an object under a name: the body of an operation, or an embedded value. Unknown members are
    ignored; null means "not given" on creation and "clear" on update."""

    name: str
    fields: tuple[Field, ...]
    required: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        return {field.name: field for field in self.fields}

    def read(self, value: Any, path: str, faults: Faults, *, partial: bool = False) -> dict[str, Any]:
        """The members given, in stored form; None for those given as null. With `partial`, missing ones are no
        fault."""
        if not isinstance(value, dict):
            faults.wrong_type(path or "$", "must be an object")
            return {}
        made: dict[str, Any] = {}
        for field in self.fields:
            here = f"{path}.{field.name}" if path else field.name
            given = value.get(field.name)
            if given is not None:
                made[field.name] = field.type.read(given, here, faults)
            elif field.name in self.required and (field.name in value or not partial):
                self._absent(field.name in value, partial, here, faults)
            elif field.name in value:
                made[field.name] = None
        return made

    def _absent(self, is_null: bool, partial: bool, path: str, faults: Faults) -> None:
        if is_null and partial:
            faults.broken_rule(path, "must not be cleared")
        else:
            faults.wrong_type(path, "is required")

    @property
    def request_name(self) -> str:
        """The schema's name as sent: what is sent and what is answered differ where there are links."""
        is_body = self.name.endswith(("Create", "Update", "Active", "Pending", "Request", "Details"))
        return self.name if is_body else f"{self.name}Create"

    def schema(self) -> Json:
        """The schema as answered."""
        return self._schema(self.name, {each.name: each.type.schema() for each in self.fields if not each.secret})

    def request_schema(self) -> Json:
        """The schema as sent."""
        return self._schema(self.request_name, {each.name: each.type.request_schema() for each in self.fields})

    def _schema(self, title: str, properties: Json) -> Json:
        for field in self.fields:
            if field.description and field.name in properties:
                properties[field.name] = {**properties[field.name], "description": field.description}
        made: Json = {"title": title, "type": "object", "properties": properties}
        return {**made, "required": list(self.required)} if self.required else made


@dataclass(frozen=True)
class Embedded(Type):
    """An object that is a value, without an id of its own."""

    shape: Shape

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return faults.wrong_type(path, "must be an object")
        given = self.shape.read(value, path, faults)
        return {name: each for name, each in given.items() if each is not None}

    def schema(self) -> Json:
        return {"$ref": f"#/components/schemas/{self.shape.name}"}

    def request_schema(self) -> Json:
        return {"$ref": f"#/components/schemas/{self.shape.request_name}"}


def pick(fields: tuple[Field, ...], names: str) -> tuple[Field, ...]:
    """Some of the fields, by names in one text, in that order.

    Raises:
        KeyError: there is no such field.
    """
    by_name = {field.name: field for field in fields}
    return tuple(by_name[name] for name in names.split())
