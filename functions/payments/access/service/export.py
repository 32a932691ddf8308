"""Human users as CSV (RFC 4180), for people who keep lists of them. Dates and states as the API has them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from payments.engine.errors import BadParameters
from payments.engine.models import Context
from payments.engine.service import ResourceService
from payments.resources.access import HUMAN_USER

DEFAULT_ROWS: Final = 2_000
MOST_ROWS: Final = 10_000
MOST_OFFSET: Final = 100_000
COLUMNS: Final = tuple(field.name for field in HUMAN_USER.fields if field.name != "plannedPurgeDate")


def columns_of(texts: Sequence[str]) -> Sequence[str]:
    """The columns that a parameter `fields` names; all without one.

    Raises:
        BadParameters: it names something else.
    """
    names = [name.strip() for text in texts for name in text.split(",")] or list(COLUMNS)
    if any(name not in COLUMNS for name in names):
        raise BadParameters.at("fields", f"must be a comma-separated list of {', '.join(COLUMNS)}")
    return names


def exported(service: ResourceService, context: Context, asked: Mapping[str, Any]) -> bytes:
    """The users that a search finds, a line each under a line of names."""
    columns = columns_of(asked["fields"])
    page = service.search(context, asked)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for entity in page.entities:
        writer.writerow([_cell(entity.values.get(name)) for name in columns])
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
