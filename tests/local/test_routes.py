"""Route precedence of an HTTP API."""

from __future__ import annotations

import pytest

from local.events import Route
from local.routes import RouteTable

ROUTES = (
    Route("default", "ANY", None),
    Route("greedy", "ANY", "/items/{proxy+}"),
    Route("any", "ANY", "/items/{id}"),
    Route("get", "GET", "/items/{id}"),
    Route("exact", "GET", "/items/special"),
    Route("middle", "POST", "/items/{id}/parts/{part}"),
    Route("root", "GET", "/"),
)


@pytest.mark.parametrize(
    ("method", "path", "function", "parameters"),
    [
        ("GET", "/items/special", "exact", {}),
        ("POST", "/items/special", "any", {"id": "special"}),
        ("GET", "/items/7", "get", {"id": "7"}),
        ("BREW", "/items/7", "any", {"id": "7"}),
        ("HEAD", "/items/7", "any", {"id": "7"}),
        ("GET", "/items/7/", "greedy", {"proxy": "7/"}),
        ("GET", "/items//7", "greedy", {"proxy": "/7"}),
        ("GET", "/items/a%2Fb", "get", {"id": "a/b"}),
        ("GET", "/items/a%20b/c%2Fd//e", "greedy", {"proxy": "a b/c/d//e"}),
        ("POST", "/items/7/parts/x%C3%A9", "middle", {"id": "7", "part": "xé"}),
        ("GET", "/items/7/parts/x", "greedy", {"proxy": "7/parts/x"}),
        ("GET", "/%69tems/special", "exact", {}),
        ("GET", "/items/", "default", {}),
        ("GET", "/items", "default", {}),
        ("GET", "/", "root", {}),
        ("POST", "/", "default", {}),
        ("GET", "//", "default", {}),
        ("GET", "/Items/7", "default", {}),
    ],
)
def test_the_most_specific_route_wins(method: str, path: str, function: str, parameters: dict[str, str]) -> None:
    match = RouteTable(ROUTES).match(method, path)
    assert match is not None
    assert (match.route.function, match.parameters) == (function, parameters)


def test_the_order_of_declaration_does_not_matter() -> None:
    forwards, backwards = RouteTable(ROUTES), RouteTable(reversed(ROUTES))
    for path in ("/items/special", "/items/7", "/items/7/8", "/", "/x"):
        assert forwards.match("GET", path) == backwards.match("GET", path)


def test_without_a_default_there_is_nothing() -> None:
    table = RouteTable(ROUTES[1:])
    assert table.match("GET", "/nowhere") is None
    assert table.match("PUT", "/") is None
