"""`GET /health`, and the answer, in the family's own words, to every path that no other function serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from tollgate import clock, config
from tollgate.config import Settings
from tollgate.dialects.vault import VAULT
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal

_settings = config.load(Settings)


class Health(TypedDict):
    """What a load balancer or a newcomer wants to know."""

    status: str
    environment: str
    time: str


def health(request: Request) -> Answer:
    """The function runs, and this is what time it thinks it is."""
    answer: Health = {"status": "ok", "environment": _settings.environment, "time": clock.iso(clock.now())}
    return Answer(200, answer)


ROUTES = (Route("GET", "/health", health, "Health", frozenset(), answer=Health, tag="Platform"),)


_journal = Journal("health", _settings.log_level)
_apps = {dialect.name: App(dialect, ROUTES, journal=_journal) for dialect in (VAULT,)}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer in the dialect of the family that the path belongs to."""
    return _apps["vault"](event, context)
