"""The bytes of the report, as the reference shows them ("Token Import Report").

The header is bare, values are quoted (RFC 4180, section 2.7: a quote is doubled), what is missing is empty and bare,
lines end in LF. Times are UTC without a zone, the zeros at the end of the fraction cut off.
"""

from __future__ import annotations

import re
from typing import Final

HEADER: Final = b"id,import_provider,business_key,created_at\n"

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def line(token_id: str, import_provider: str | None, business_key: str | None, created_at: str) -> bytes:
    """One token. `created_at` is RFC 3339 in UTC with six digits of fraction."""
    values = (_cell(token_id), _cell(import_provider), _key_cell(business_key), _cell(_moment(created_at)))
    return (",".join(values) + "\n").encode()


def _moment(created_at: str) -> str:
    whole, dot, fraction = created_at.removesuffix("Z").replace("T", " ").partition(".")
    return f"{whole}{dot}{fraction}".rstrip("0").rstrip(".") if dot else whole


def _cell(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'


def _key_cell(key: str | None) -> str:
    """An original id is another party's text: one that a spreadsheet would run as a formula gets an apostrophe."""
    if key is not None and not _PLAIN.fullmatch(key) and key.startswith(_FORMULA):
        return _cell("'" + key)
    return _cell(key)
