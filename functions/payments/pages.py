"""Pages for a buyer's browser, and what a browser sends back.

One plain style, no foreign content, everything escaped. The policy of a page lets it load nothing, run one script at
most (the one that measures the screen, as the issuer wants to know it) and send its form here, from where the answer
may lead on to the issuer. Without scripts everything works at the press of a button.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import parse_qsl

from tollgate.errors import Invalid, Malformed
from tollgate.http.message import Answer, Request

HTML: Final = "text/html; charset=utf-8"
FORM: Final = "application/x-www-form-urlencoded"
MOST_FIELDS: Final = 20
MEASURES: Final = ("color_depth", "screen_height", "screen_width", "time_zone_offset", "java_enabled")
"""Hidden fields that the script fills in."""

_STYLE: Final = (
    "*{box-sizing:border-box}"
    "body{margin:0;background:#f3f4f6;color:#111827;font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:26rem;margin:2rem auto;padding:1.5rem;background:#fff;border-radius:.75rem}"
    "h1{margin:0 0 .5rem;font-size:1.25rem}"
    "dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:1rem 0}"
    "dt{color:#4b5563}dd{margin:0;text-align:right;overflow-wrap:anywhere}"
    "label{display:block;margin:1rem 0 .25rem;font-weight:600}"
    "input{width:100%;padding:.75rem;border:2px solid #6b7280;border-radius:.5rem;font-size:1.125rem}"
    "button{width:100%;min-height:3rem;margin-top:1rem;border:2px solid #1d4ed8;border-radius:.5rem;"
    "background:#1d4ed8;color:#fff;font:inherit;font-weight:600;cursor:pointer}"
    ":focus-visible{outline:3px solid #f59e0b;outline-offset:2px}"
    ".problem{margin:1rem 0 0;padding:.75rem;border-left:4px solid #b91c1c;background:#fef2f2;color:#7f1d1d}"
    "@media(max-width:30rem){main{margin:0;border-radius:0;min-height:100vh}}"
)
_MEASURE: Final = (
    "var f=document.forms[0],e=f.elements;e.color_depth.value=screen.colorDepth;"
    "e.screen_height.value=screen.height;e.screen_width.value=screen.width;"
    "e.time_zone_offset.value=new Date().getTimezoneOffset();"
    "e.java_enabled.value=navigator.javaEnabled?navigator.javaEnabled():false;"
)
_SEND_OFF: Final = "f.submit()"


@dataclass(frozen=True)
class Pages:
    """Pages of one function. `is_sandbox` lets plain HTTP pages frame them and be gone on to."""

    is_sandbox: bool

    def show(self, title: str, content: str, *, status: int = 200, script: str = "", again_after: int = 0) -> Answer:
        """A page with ready (escaped) content; `again_after` seconds it is asked for anew."""
        refresh = f'<meta http-equiv="refresh" content="{again_after}">' if again_after else ""
        running = f"<script>{script}</script>" if script else ""
        page = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width,initial-scale=1">{refresh}'
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
            f"<body><main><h1>{escape(title)}</h1>{content}</main>{running}</body></html>"
        )
        return Answer(status, page.encode(), self._headers(script), HTML)

    def form(self, title: str, content: str, button: str, *, by_itself: bool = False) -> Answer:
        """A page whose form comes back to its own URL, with what the script measured; `by_itself` without a press."""
        hidden = "".join(f'<input type="hidden" name="{name}" value="">' for name in MEASURES)
        made = f'<form method="post">{hidden}{content}<button>{escape(button)}</button></form>'
        return self.show(title, made, script=_MEASURE + _SEND_OFF if by_itself else _MEASURE)

    def _headers(self, script: str) -> dict[str, str]:
        plain = " http:" if self.is_sandbox else ""
        policy = [
            "default-src 'none'",
            f"style-src '{_digest(_STYLE)}'",
            f"form-action 'self' https:{plain}",
            "base-uri 'none'",
            f"frame-ancestors https:{plain}",
        ]
        if script:
            policy.append(f"script-src '{_digest(script)}'")
        return {
            "content-security-policy": "; ".join(policy),
            "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=()",
            "referrer-policy": "no-referrer",
        }


def go_to(url: str) -> Answer:
    """Send the browser on."""
    return Answer(303, headers={"location": url, "referrer-policy": "no-referrer"})


def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, each given once.

    Raises:
        Malformed, Invalid, TooLarge: it is no form, or gives a field twice.
    """
    body = request.raw_body()
    if (request.header("content-type") or FORM).partition(";")[0].strip().lower() != FORM:
        raise Malformed(f"The content type must be {FORM}", path="header.content-type")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except (UnicodeError, ValueError):
        raise Malformed("The form could not be read") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Invalid.at("$", "gives a field twice")
    return fields


def browser_of(request: Request, fields: Mapping[str, str]) -> dict[str, Any]:
    """What is known of a browser: from its request, and from what the script of its page measured, if it ran."""
    language = (request.header("accept-language") or "").partition(",")[0].partition(";")[0].strip()
    known: dict[str, Any] = {
        "accept_header": request.header("accept"),
        "user_agent": request.header("user-agent"),
        "language": language or None,
        "ip": request.source_ip or None,
    }
    depth = _whole(fields.get("color_depth"), 1, 48)
    if depth is None:
        return known
    return {
        **known,
        "javascript_enabled": True,
        "java_enabled": fields.get("java_enabled") == "true",
        "color_depth": depth,
        "screen_height": _whole(fields.get("screen_height"), 1, 999_999),
        "screen_width": _whole(fields.get("screen_width"), 1, 999_999),
        "time_zone_offset": _whole(fields.get("time_zone_offset"), -1440, 1440),
    }


def _whole(text: str | None, least: int, most: int) -> int | None:
    digits = (text or "").removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 6:
        return None
    number = int(text or "")
    return number if least <= number <= most else None


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
