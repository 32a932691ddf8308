"""One OpenAPI 3.1 document from a set of routes.

Schemas come from the same models and typed dictionaries that the code uses. Two different shapes of one name are an
error here, because a merged document would silently keep one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from tollgate.http.query import Parameter
from tollgate.http.route import Route
from tools.openapi.shapes import modelled

_REFERENCE = "#/components/schemas/{model}"
Schema = dict[str, Any]


class NameTaken(ValueError):
    """Two different shapes have one name."""


@dataclass(frozen=True)
class Family:
    """What is particular to a family's document.

    `error` is the schema of its error body, `headers` stand on every answer,
    `request_headers` are taken by every operation, `security` maps an access name to its scheme."""

    title: str
    version: str
    description: str
    error: Mapping[str, Any]
    security: Mapping[str, Mapping[str, Any]]
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    request_headers: Sequence[Mapping[str, Any]] = ()
    idempotency_header: str = ""
    scopes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(method, path) → the OAuth scope that the route takes, where the family has scopes."""
    scope_headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """A route's scope → the header that names whose objects the operation acts on."""
    numbers_in_paths: bool = False
    """Ids are numbers here, not UUIDs."""


class Document:
    """Collects operations and components."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._paths: dict[str, dict[str, Any]] = {}
        self._schemas: dict[str, Schema] = {"Error": dict(family.error)}

    def add(self, routes: Iterable[Route]) -> None:
        for route in routes:
            self._paths.setdefault(route.path, {})[route.method.lower()] = self._operation(route)

    def finished(self) -> dict[str, Any]:
        family = self._family
        return {
            "openapi": "3.1.0",
            "info": {"title": family.title, "version": family.version, "description": family.description},
            "servers": [{"url": "/"}],
            "paths": dict(sorted(self._paths.items())),
            "components": {
                "schemas": dict(sorted(self._schemas.items())),
                "securitySchemes": {name: dict(scheme) for name, scheme in family.security.items()},
            },
        }

    # ------------------------------------------------------------------ parts

    def _operation(self, route: Route) -> dict[str, Any]:
        made: dict[str, Any] = {
            "operationId": route.operation_id,
            "summary": route.summary,
            "tags": [route.tag],
            "parameters": self._parameters(route),
            "responses": self._responses(route),
            "security": [{name: self._scopes(route)} for name in sorted(route.access)],
        }
        if route.description:
            made["description"] = route.description
        if route.permission:
            made["x-permission"] = route.permission
        if route.body is not None:
            content = {route.body_media_type: {"schema": self._schema(route.body, "validation")}}
            made["requestBody"] = {"required": route.body_required, "content": content}
        return made

    def _scopes(self, route: Route) -> list[str]:
        scope = self._family.scopes.get((route.method, route.path))
        return [scope] if scope else []

    def _parameters(self, route: Route) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = [
            {"name": name, "in": "path", "required": True, "schema": self._path_schema(name, route.path)}
            for name in re.findall(r"\{(\w+)\}", route.path)
        ]
        made += [_query(parameter) for parameter in route.query]
        made += [
            {"name": name, "in": "header", "required": required, "schema": dict(schema), "description": text}
            for name, (required, schema, text) in route.headers.items()
        ]
        if route.scope in self._family.scope_headers:
            made.append(dict(self._family.scope_headers[route.scope]))
        made += [dict(each) for each in self._family.request_headers]
        if route.idempotent:
            made.append(_idempotency(self._family.idempotency_header))
        return made

    def _path_schema(self, name: str, path: str) -> Schema:
        if self._family.numbers_in_paths:
            is_number = name in {"id", "other"} or name.endswith("Id")
            is_number = is_number and not path.endswith("/countries/states/{id}")
            return {"type": "integer", "format": "int64", "minimum": 1} if is_number else {"type": "string"}
        return {"type": "string", "format": "uuid"} if name == "id" or name.endswith("_id") else {"type": "string"}

    def _responses(self, route: Route) -> dict[str, Any]:
        success: dict[str, Any] = {"description": "Success", "headers": self._headers()}
        if route.answer is not None:
            success["content"] = {route.media_type: {"schema": self._schema(route.answer, "serialization")}}
        failure = {
            "description": "Failure",
            "headers": self._headers(),
            "content": {"application/json": {"schema": self._refusal(route)}},
        }
        codes = {str(code): failure for code in route.failures}
        return {str(route.status): success, **codes, "default": failure}

    def _refusal(self, route: Route) -> Schema:
        if route.refusal is not None:
            return self._schema(route.refusal, "serialization")
        return {"$ref": _REFERENCE.format(model="Error")}

    def _headers(self) -> dict[str, Any]:
        return {name: dict(schema) for name, schema in self._family.headers.items()}

    def _schema(self, shape: Any, mode: Literal["validation", "serialization"]) -> Schema:
        """A reference to the shape's schema, put among the components with all it refers to."""
        if isinstance(shape, Mapping):
            made = dict(shape)
        else:
            made = TypeAdapter(modelled(shape)).json_schema(ref_template=_REFERENCE, mode=mode)
        for name, schema in made.pop("$defs", {}).items():
            self._put(name, schema)
        if "title" not in made or made.get("type") != "object":
            return made
        self._put(made["title"], made)
        return {"$ref": _REFERENCE.format(model=made["title"])}

    def _put(self, name: str, schema: Schema) -> None:
        if self._schemas.setdefault(name, schema) != schema:
            raise NameTaken(name)


def _query(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "schema": dict(parameter.schema),
        "description": parameter.description,
        **parameter.extra,
    }


def _idempotency(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "description": "An optional idempotency key for safely retrying requests",
    }
