"""The SDK's files over HTTP: what they are, who may frame and run what, and how long they are kept."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from tests.support.http import Response, send
from vault.sdk import handler as sdk

FILES = ["/sdk/tollgate.js", "/sdk/card-form"]


def get(path: str, **headers: str) -> Response:
    return send(sdk.handler, "GET", path, headers=headers)


def policy(answer: Response) -> dict[str, list[str]]:
    parts = [part.split() for part in answer.headers["content-security-policy"].split(";")]
    return {name: values for name, *values in parts}


@pytest.mark.parametrize(("path", "kind"), [(FILES[0], "text/javascript"), (FILES[1], "text/html")])
def test_are_served_as_what_they_are(path: str, kind: str) -> None:
    answer = get(path)
    assert (answer.status, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", FILES)
def test_are_kept_for_minutes_and_asked_for_again_by_their_tag(path: str) -> None:
    answer = get(path)
    assert answer.headers["cache-control"] == "public, max-age=300"
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = get(path, **{"if-none-match": known})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert get(path, **{"if-none-match": '"other"'}).status == 200


def test_form_runs_its_own_script_and_style_and_nothing_else() -> None:
    answer = get("/sdk/card-form")
    allowed = policy(answer)
    page = answer.body.decode()
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert allowed[directive] == [f"'sha256-{digest}'"]
    assert allowed["default-src"] == allowed["base-uri"] == allowed["form-action"] == ["'none'"]
    assert allowed["connect-src"] == ["'self'"]


def test_form_carries_no_attribute_that_the_policy_forbids() -> None:
    page = get("/sdk/card-form").body.decode()
    assert not re.search(r"\s(style|on[a-z]+)=|javascript:|https?://", page.partition("<script>")[0])


def test_form_has_a_label_and_an_error_for_every_field() -> None:
    page = get("/sdk/card-form").body.decode()
    fields = re.findall(r'<input id="(\w+)"', page)
    assert fields == ["number", "expiry", "code", "name"]
    for field in fields:
        assert f'<label for="{field}"' in page
        assert f'id="{field}-error" class="error" aria-live="polite"' in page
    assert re.findall(r'autocomplete="(cc-\w+)"', page) == ["cc-number", "cc-exp", "cc-csc", "cc-name"]
    assert page.count('inputmode="numeric"') == 3


def test_form_may_be_framed_over_https_and_in_a_sandbox_over_http_too() -> None:
    assert policy(get("/sdk/card-form"))["frame-ancestors"] == ["https:", "http:"]
    live = sdk._card_form(is_sandbox=False)
    assert live.headers["content-security-policy"].endswith("frame-ancestors https:")


@pytest.mark.parametrize("path", ["/sdk/card-form.js", "/sdk/handler.py", "/sdk/..%2fhandler.py", "/sdk/"])
def test_there_is_nothing_else(path: str) -> None:
    assert get(path).status == 404


def test_nothing_can_be_sent() -> None:
    answer = send(sdk.handler, "POST", "/sdk/card-form", body="x")
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
