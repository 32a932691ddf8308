"""A cardholder's browser, as far as its pages go: follows links, fills in forms, sends forms off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

from local.routes import RouteTable
from tests.support.environment import DEPLOYMENT
from tests.support.http import Response, send

ROUTES = RouteTable(DEPLOYMENT.routes)
HTML = {"accept": "text/html,application/xhtml+xml", "host": "tollgate.test"}


@dataclass
class Page(HTMLParser):
    """What came, and the form in it."""

    response: Response
    url: str
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    described_by: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    scripts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.action = self.url
        self._in_script = False
        self.feed(self.text)

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def text(self) -> str:
        return self.response.body.decode()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        self.described_by += given.get("aria-describedby", "").split()
        if tag == "form":
            self.action = given.get("action") or self.url
        elif tag == "label":
            self.labels.append(given["for"])
        elif tag == "script":
            self._in_script = True
        elif tag in ("input", "button") and "name" in given:
            self.names.append(given["name"])
            if given.get("type") == "hidden":
                self.fields[given["name"]] = given["value"]

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)
            self._in_script = False

    def submit(self, **filled: str) -> Page:
        """Send the form off with these fields filled in."""
        return post(self.action, {**self.fields, **filled})


def handler_of(method: str, url: str) -> Any:
    import importlib

    match = ROUTES.match(method, urlsplit(url).path)
    assert match is not None
    module, _, name = DEPLOYMENT.functions[match.route.function].handler.rpartition(".")
    return getattr(importlib.import_module(module), name)


def get(url: str, headers: Mapping[str, str] = HTML) -> Page:
    return Page(send(handler_of("GET", url), "GET", _target(url), headers=headers), url)


def post(url: str, fields: Mapping[str, str], headers: Mapping[str, str] = HTML) -> Page:
    sent = {"content-type": "application/x-www-form-urlencoded", **headers}
    return Page(send(handler_of("POST", url), "POST", _target(url), headers=sent, body=urlencode(fields)), url)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
