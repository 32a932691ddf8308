"""`GET /openapi/<family>.json`: the committed document, as it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tollgate import config
from tollgate.config import Settings
from tollgate.dialects.vault import VAULT
from tollgate.errors import NotFound
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal

_settings = config.load(Settings)
_FOLDER = Path(__file__).parent / "openapi"


@cache
def _documents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in _FOLDER.glob("*.json")}


def read_document(request: Request) -> Answer:
    """One family's OpenAPI 3.1 document."""
    document = _documents().get(request.parameters["document"])
    if document is None:
        raise NotFound("There is no such document")
    return Answer(200, document, {"access-control-allow-origin": "*"})


ROUTES = (
    Route("GET", "/openapi/{document}", read_document, "OpenAPI document", frozenset(), answer=dict, tag="Platform"),
)


handler = App(VAULT, ROUTES, journal=Journal("documents", _settings.log_level))
