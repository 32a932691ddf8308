"""The HTTP door of the browser SDK: the script for a merchant's page and the card form that it frames.

The form is a page of the platform's own origin, so neither the merchant's page nor its server can read what is typed.
It is one answer with its style and script in it, named by their digests, and may load nothing and send nothing but to
this origin. This function reads files and knows no data and no key.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tollgate import config
from tollgate.config import Settings
from tollgate.dialects.vault import VAULT
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal

_settings = config.load(Settings)
_FILES: Final = Path(__file__).parent / "files"
_ANYONE: Final[frozenset[str]] = frozenset()
_CACHE: Final = "public, max-age=300"
_STYLE_PLACE: Final = b"/* card-form.css */"
_SCRIPT_PLACE: Final = b"/* card-form.js */"


@dataclass(frozen=True)
class _File:
    """Ready bytes with their headers."""

    content: bytes
    content_type: str
    headers: Mapping[str, str]

    def answer(self, request: Request) -> Answer:
        etag = f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'
        headers = {**self.headers, "cache-control": _CACHE, "etag": etag}
        if etag in (request.header("if-none-match") or "").replace("W/", "").split(", "):
            return Answer(304, headers=headers)
        return Answer(200, self.content, headers, self.content_type)


def _script() -> _File:
    content = (_FILES / "tollgate.js").read_bytes()
    return _File(content, "text/javascript; charset=utf-8", {"cross-origin-resource-policy": "cross-origin"})


def _card_form(*, is_sandbox: bool) -> _File:
    """The page with style and script put in, and the policy that lets exactly these two run.

    Pages of any origin may frame it, in a sandbox plain HTTP ones too.
    """
    style, script = ((_FILES / name).read_bytes() for name in ("card-form.css", "card-form.js"))
    page = (_FILES / "card-form.html").read_bytes()
    if page.count(_STYLE_PLACE) != 1 or page.count(_SCRIPT_PLACE) != 1:
        raise RuntimeError("card-form.html has no place for its style or its script")
    content = page.replace(_STYLE_PLACE, style).replace(_SCRIPT_PLACE, script)
    policy = [
        "default-src 'none'",
        f"style-src '{_digest(style)}'",
        f"script-src '{_digest(script)}'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
        f"frame-ancestors https:{' http:' if is_sandbox else ''}",
    ]
    headers = {
        "content-security-policy": "; ".join(policy),
        "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=()",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "cross-origin",
    }
    return _File(content, "text/html; charset=utf-8", headers)


def _digest(content: bytes) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"


_sdk = _script()
_form = _card_form(is_sandbox=_settings.is_sandbox)


def read_sdk(request: Request) -> Answer:
    """The script that a merchant's page loads."""
    return _sdk.answer(request)


def read_card_form(request: Request) -> Answer:
    """The page that the script frames."""
    return _form.answer(request)


ROUTES = (
    Route("GET", "/sdk/tollgate.js", read_sdk, "The browser SDK", _ANYONE, answer=str,
          media_type="text/javascript", tag="Sessions"),
    Route("GET", "/sdk/card-form", read_card_form, "The hosted card form", _ANYONE, answer=str,
          media_type="text/html", tag="Sessions", description="Framed by the SDK; of no use by itself."),
)  # fmt: skip

handler = App(VAULT, ROUTES, journal=Journal("sdk", _settings.log_level))
