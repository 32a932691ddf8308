"""Transactions as CSV (RFC 4180), line by line. Amounts, dates and states as the API has them; a link is its number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from payments.engine import documents
from payments.engine.errors import BadParameters
from payments.engine.fields import Embedded, Many, MapOf
from payments.engine.models import Context
from payments.engine.service import ResourceService
from payments.resources.transactions import TRANSACTION

DEFAULT_LINES: Final = 2_000
MOST_LINES: Final = 10_000
MOST_OFFSET: Final = 100_000
COLUMNS: Final = tuple(
    field.name for field in TRANSACTION.fields if not isinstance(field.type, (Embedded, Many, MapOf))
)  # fmt: skip


def columns_of(texts: Sequence[str]) -> Sequence[str]:
    """The columns that a parameter `fields` names; all without one.

    Raises:
        BadParameters: it names something else.
    """
    names = [name.strip() for text in texts for name in text.split(",")] or list(COLUMNS)
    if any(name not in COLUMNS for name in names):
        raise BadParameters.at("fields", f"must be a comma-separated list of {', '.join(COLUMNS)}")
    return names


def lines(service: ResourceService, context: Context, asked: Mapping[str, Any]) -> Iterator[str]:
    """The transactions that a search finds, a line each behind a line of names."""
    columns = columns_of(asked["fields"])
    page = service.search(context, asked)
    yield _line(columns)
    for entity in page.entities:
        yield _line([_cell(entity.values.get(name)) for name in columns])


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return str(value["id"])
    return documents.plain(value) if isinstance(value, Decimal) else str(value)
