"""Chooses the route of a request as an HTTP API does: the most specific path wins, then the specific method.

Order at each segment: literal text, `{parameter}`, `{proxy+}`; the `$default` route comes last. Paths are compared
segment by segment as sent; only for the comparison with literal text is a segment percent-decoded, and `//` is never
joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from local.events import Route


@dataclass(frozen=True, slots=True)
class Match:
    """The chosen route, and its path parameters percent-decoded."""

    route: Route
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Pattern:
    route: Route
    segments: tuple[str, ...]

    @property
    def rank(self) -> tuple[tuple[int, ...], bool]:
        """Sorts before every pattern that is less specific."""
        kinds = tuple(2 if _is_greedy(part) else 1 if _is_parameter(part) else 0 for part in self.segments)
        return kinds, self.route.method == "ANY"

    def match(self, method: str, parts: list[str]) -> dict[str, str] | None:
        if self.route.method not in {"ANY", method}:
            return None
        found: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            if _is_greedy(segment):
                rest = "/".join(parts[index:])
                return found | {segment[1:-2]: unquote(rest)} if rest else None
            if index >= len(parts) or not self._take(segment, parts[index], found):
                return None
        return found if len(parts) == len(self.segments) else None

    @staticmethod
    def _take(segment: str, part: str, found: dict[str, str]) -> bool:
        if _is_parameter(segment):
            found[segment[1:-1]] = unquote(part)
            return part != ""
        return unquote(part) == segment


class RouteTable:
    """All routes of a template."""

    def __init__(self, routes: Iterable[Route]) -> None:
        everything = list(routes)
        self._default = next((route for route in everything if route.path is None), None)
        patterns = [_Pattern(route, tuple(route.path.split("/")[1:])) for route in everything if route.path is not None]
        self._patterns = sorted(patterns, key=lambda pattern: pattern.rank)

    def match(self, method: str, raw_path: str) -> Match | None:
        """The route for a method (upper case as sent) and a path that starts with `/`, as sent."""
        parts = raw_path.split("/")[1:]
        for pattern in self._patterns:
            parameters = pattern.match(method, parts)
            if parameters is not None:
                return Match(pattern.route, parameters)
        return Match(self._default, {}) if self._default else None


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def _is_greedy(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("+}")
