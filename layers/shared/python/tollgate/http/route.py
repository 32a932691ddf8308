"""Routes as data: what validates a request, finds its endpoint and writes the OpenAPI document is one declaration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tollgate.errors import MethodNotAllowed, NoSuchRoute
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter

Endpoint = Callable[[Request], Answer]


@dataclass(frozen=True)
class Route:
    """One operation of an API.

    Shapes: `body` (a pydantic model or a TypedDict) and `query` are what the endpoint reads, `answer` is what it says
    on success (a TypedDict, a pydantic model, or None for no content), `refusal` what it says otherwise where that is
    not the family's error, `headers` are further request headers as name → (required, schema, description). `access`
    names the credentials that the dialect accepts here; empty means none is needed. `permission` and `scope` are what a
    family's authenticator demands beyond a credential, in the family's own words. `operation` names the operation where
    the endpoint's own name cannot, as one endpoint serves many.
    """

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    access: frozenset[str]
    body: Any = None
    body_required: bool = True
    body_media_type: str = "application/json"
    query: Sequence[Parameter] = ()
    answer: Any = None
    status: int = 200
    media_type: str = "application/json"
    idempotent: bool = False
    failures: Sequence[int] = ()
    refusal: Any = None
    headers: Mapping[str, tuple[bool, Mapping[str, Any], str]] = field(default_factory=dict)
    tag: str = ""
    description: str = ""
    permission: str = ""
    scope: str = ""
    operation: str = ""

    @property
    def operation_id(self) -> str:
        """A stable name for generated clients: the one given, or the endpoint's own."""
        return self.operation or str(getattr(self.endpoint, "__name__", self.path)).strip("_")


class Router:
    """Finds the route of a request by its decoded path segments and its method."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_path.setdefault(route.path, {})[route.method] = route
        for path, methods in by_path.items():
            if "{" in path:
                self._patterns.append((_pattern(path), methods))
            else:
                self._exact[path] = methods

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route and its path parameters, percent-decoded.

        Raises:
            NoSuchRoute: no route has this path.
            MethodNotAllowed: one has, under other methods.
        """
        methods, parameters = self._match(path)
        if methods is None:
            raise NoSuchRoute
        if method not in methods:
            raise MethodNotAllowed(sorted(methods))
        return methods[method], parameters

    def _match(self, path: str) -> tuple[dict[str, Route] | None, Mapping[str, str]]:
        if path in self._exact:
            return self._exact[path], {}
        for pattern, methods in self._patterns:
            found = pattern.fullmatch(path)
            if found:
                return methods, {name: _decoded(value) for name, value in found.groupdict().items()}
        return None, {}


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    return re.compile("".join(f"(?P<{part}>[^/]+)" if n % 2 else re.escape(part) for n, part in enumerate(parts)))


def _decoded(value: str) -> str:
    from urllib.parse import unquote

    return unquote(value) if "%" in value else value
