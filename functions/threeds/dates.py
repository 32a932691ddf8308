"""The two forms in which EMV 3-D Secure writes time: `yyyyMMddHHmmss` and `yyyyMMdd`, always UTC. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final

MOMENT: Final = "%Y%m%d%H%M%S"
DAY: Final = "%Y%m%d"

_MOMENT_DIGITS: Final = re.compile(r"[0-9]{14}")
_DAY_DIGITS: Final = re.compile(r"[0-9]{8}")


def read_moment(text: str) -> datetime | None:
    """A real moment of the calendar, seconds 00 to 59, or None."""
    if not _MOMENT_DIGITS.fullmatch(text):
        return None
    try:
        return datetime.strptime(text, MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None


def read_day(text: str) -> date | None:
    """A real day of the calendar, or None."""
    if not _DAY_DIGITS.fullmatch(text):
        return None
    try:
        return datetime.strptime(text, DAY).replace(tzinfo=UTC).date()
    except ValueError:
        return None


def write_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(MOMENT)


def write_day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(DAY)
