"""Schemas of the OpenAPI document, made from declarations when somebody asks for them and not at a function's start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from payments.engine import catalogue
from payments.engine.declarations import Resource, inner_type
from payments.engine.fields import Embedded, Field, Link, Many, MapOf, Shape, Type

Json = dict[str, Any]


class Schema(Mapping[str, Any]):
    """A JSON schema with the definitions that it refers to, built at the first look."""

    def __init__(self, build: Callable[[], Json]) -> None:
        self._build = build
        self._built: Json | None = None

    def __getitem__(self, name: str) -> Any:
        return self._made()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made())

    def __len__(self) -> int:
        return len(self._made())

    def _made(self) -> Json:
        if self._built is None:
            self._built = self._build()
        return self._built


def body(shape: Shape) -> Schema:
    """The schema of a request body."""
    return Schema(lambda: with_definitions(shape.request_schema(), shape.fields, request=True))


def answer(resource: Resource) -> Schema:
    """The schema of one object."""
    return Schema(lambda: with_definitions(resource.shape.schema(), resource.fields))


def shaped(shape: Shape) -> Schema:
    """The schema of an answer that is no resource."""
    return Schema(lambda: with_definitions(shape.schema(), shape.fields))


def listed(resource: Resource) -> Schema:
    """The schema of a page of a list."""
    return Schema(lambda: _page(resource, "ListResponse", {}))


def searched(resource: Resource) -> Schema:
    """The schema of a page of a search."""
    return Schema(lambda: _page(resource, "SearchResponse", {"offset": {"type": "integer", "format": "int32"}}))


BULK_RESULT: Json = {
    "title": "RestApiBulkOperationResult",
    "type": "object",
    "properties": {
        "statusCode": {"type": "integer", "format": "int32"},
        "id": {"type": "integer", "format": "int64"},
        "link": {"type": "string", "description": "Where the object can be read"},
        "error": {"$ref": "#/components/schemas/Error"},
    },
}


def bulk(of: Json | Schema) -> Schema:
    """The schema of a list of bodies, ids or results."""

    def build() -> Json:
        element = dict(of)
        definitions = element.pop("$defs", {})
        if "title" not in element:
            return {"type": "array", "items": element, "maxItems": 100}
        items = {"$ref": f"#/components/schemas/{element['title']}"}
        return {"type": "array", "items": items, "maxItems": 100, "$defs": {**definitions, element["title"]: element}}

    return Schema(build)


def _page(resource: Resource, suffix: str, further: Json) -> Json:
    definitions = {resource.name: resource.shape.schema()}
    _define(resource.fields, definitions, False)
    return {
        "title": f"{resource.name}{suffix}",
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{resource.name}"}},
            "hasMore": {"type": "boolean"},
            "limit": {"type": "integer", "format": "int32"},
            **further,
        },
        "$defs": definitions,
    }


def with_definitions(schema: Json, fields: tuple[Field, ...], request: bool = False) -> Json:
    """A schema with the definitions of everything that its fields refer to."""
    definitions: Json = {}
    _define(fields, definitions, request)
    definitions.pop(schema.get("title", ""), None)
    return {**schema, "$defs": definitions}


def _define(fields: tuple[Field, ...], found: Json, request: bool) -> None:
    for field in fields:
        _define_type(field.type, found, request)


def _define_type(of: Type, found: Json, request: bool) -> None:
    inner = inner_type(of)
    if isinstance(inner, (MapOf, Many)):
        _define_type(inner.of, found, request)
    elif isinstance(inner, Embedded):
        title = inner.shape.request_name if request else inner.shape.name
        if title not in found:
            found[title] = inner.shape.request_schema() if request else inner.shape.schema()
            _define(inner.shape.fields, found, request)
    elif isinstance(inner, Link) and not request and inner.target not in found:
        target = catalogue.find(inner.target)
        found[inner.target] = target.shape.schema() if target else _collapsed(inner.target)
        _define(target.fields if target else (), found, request)


def _collapsed(name: str) -> Json:
    return {"title": name, "type": "object", "properties": {"id": {"type": "integer", "format": "int64"}}}
