"""Shapes of documents: what is printed, and a printed one."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Final

PDF: Final = "application/pdf"


@dataclass(frozen=True, slots=True)
class Content:
    """What a document says. `columns` are (heading, width in points, aligned right); `totals` stand below the table."""

    title: str
    heading: str
    sender: tuple[str, ...]
    recipient: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, int, bool], ...]
    rows: tuple[tuple[str, ...], ...]
    totals: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document as it is handed out. `type` is the number of its template's type."""

    type: int
    title: str
    data: bytes

    def shown(self) -> dict[str, Any]:
        return {
            "data": base64.b64encode(self.data).decode(), "documentTemplateType": self.type, "mimeType": PDF,
            "title": self.title,
        }  # fmt: skip
