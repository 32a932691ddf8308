"""Pages for the cardholder's browser, and what a browser sends back.

One plain style, no foreign content, everything escaped. The policy of a page lets it load nothing, send its form to one
place, and run one script at most: the one that sends the form off; without scripts the cardholder presses its button.
Pages may be framed, as 3-D Secure is used, by https pages, in a sandbox by plain ones too.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from html import escape
from typing import Final
from urllib.parse import parse_qsl

from threeds.addresses import origin
from tollgate.dialects.vault import VAULT
from tollgate.errors import Failure, Invalid, Malformed
from tollgate.http.message import Answer, Request

HTML: Final = "text/html; charset=utf-8"
FORM: Final = "application/x-www-form-urlencoded"
MOST_FIELDS: Final = 20

Endpoint = Callable[[Request], Answer]

_STYLE: Final = (
    "*{box-sizing:border-box}"
    "body{margin:0;background:#f3f4f6;color:#111827;font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:26rem;margin:2rem auto;padding:1.5rem;background:#fff;border-radius:.75rem}"
    "h1{margin:0 0 .5rem;font-size:1.25rem}"
    "dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:1rem 0}"
    "dt{color:#4b5563}dd{margin:0;text-align:right;overflow-wrap:anywhere}"
    "label{display:block;margin:1rem 0 .25rem;font-weight:600}"
    "input{width:100%;padding:.75rem;border:2px solid #6b7280;border-radius:.5rem;font-size:1.25rem;"
    "letter-spacing:.2em}"
    "button{width:100%;min-height:3rem;margin-top:1rem;border:2px solid #1d4ed8;border-radius:.5rem;"
    "background:#1d4ed8;color:#fff;font:inherit;font-weight:600;cursor:pointer}"
    "button.plain{background:#fff;color:#1d4ed8}"
    ":focus-visible{outline:3px solid #f59e0b;outline-offset:2px}"
    ".problem{margin:1rem 0 0;padding:.75rem;border-left:4px solid #b91c1c;background:#fef2f2;color:#7f1d1d}"
    "@media(max-width:30rem){main{margin:0;border-radius:0;min-height:100vh}}"
)
_SEND_OFF: Final = "document.forms[0].submit()"


@dataclass(frozen=True)
class Pages:
    """Pages of one function. `is_sandbox` lets plain HTTP pages frame them."""

    is_sandbox: bool

    def show(
        self, title: str, content: str, *, status: int = 200, sends_to: str = "", by_itself: bool = False
    ) -> Answer:
        """A page with ready (escaped) content. `sends_to` is the URL of its form, `by_itself` sends that form off."""
        script = f"<script>{_SEND_OFF}</script>" if by_itself else ""
        page = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
            f"<body><main><h1>{escape(title)}</h1>{content}</main>{script}</body></html>"
        )
        return Answer(status, page.encode(), self._headers(sends_to, by_itself), HTML)

    def send_off(self, title: str, text: str, url: str, fields: Mapping[str, str]) -> Answer:
        """A page that posts these fields to another party's URL, by itself or at the press of its button."""
        content = (
            f'<p>{escape(text)}</p><form method="post" action="{escape(url)}">{hidden(fields)}'
            "<button>Continue</button></form>"
        )
        return self.show(title, content, sends_to=url, by_itself=True)

    def failure(self, status: int, message: str) -> Answer:
        """The family's error, for a reader."""
        return self.show("This page cannot be shown", f'<p role="alert">{escape(message)}.</p>', status=status)

    def readable(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint whose failures are pages for who asks for pages; all others get the family's error body."""

        @wraps(endpoint)
        def answer(request: Request) -> Answer:
            try:
                return endpoint(request)
            except Failure as failure:
                if "text/html" not in (request.header("accept") or ""):
                    raise
                request.notes["failure"] = type(failure).__name__
                return self.failure(VAULT.kind_of(failure).status, failure.message)

        return answer

    def _headers(self, sends_to: str, by_itself: bool) -> dict[str, str]:
        target = origin(sends_to) if sends_to else "'none'"
        policy = [
            "default-src 'none'",
            f"style-src '{_digest(_STYLE)}'",
            f"form-action {target}",
            "base-uri 'none'",
            f"frame-ancestors https:{' http:' if self.is_sandbox else ''}",
        ]
        if by_itself:
            policy.append(f"script-src '{_digest(_SEND_OFF)}'")
        return {
            "content-security-policy": "; ".join(policy),
            "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=()",
            "referrer-policy": "no-referrer",
        }


def hidden(fields: Mapping[str, str]) -> str:
    """Hidden form fields."""
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )


def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, each given once; empty without a body.

    Raises:
        Malformed, Invalid, TooLarge: it is no form, or gives a field twice.
    """
    body = request.raw_body()
    if not body:
        return {}
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


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
