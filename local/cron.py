"""When a schedule runs next: `rate(…)` and `cron(…)` as EventBridge writes them, in UTC.

`L`, `W` and `#` are refused. Pure: time comes in, time goes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from local.intrinsics import TemplateError

_RATE = re.compile(r"rate\(\s*(\d+)\s+(minute|hour|day)s?\s*\)")
_CRON = re.compile(r"cron\(\s*(.+?)\s*\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day", 1, 31),
    ("month", 1, 12),
    ("weekday", 1, 7),
    ("year", 1970, 2199),
)

# The first run after a moment.
NextRun = Callable[[datetime], datetime]


def parse(expression: str) -> NextRun:
    """Read an expression.

    Raises:
        TemplateError: it is neither form, or uses what is not supported.
    """
    rate = _RATE.fullmatch(expression)
    if rate:
        interval = timedelta(**{f"{rate[2]}s": int(rate[1])})
        if not interval:
            raise TemplateError(f"{expression}: the rate must be positive")
        return lambda after: after + interval
    cron = _CRON.fullmatch(expression)
    parts = cron[1].split() if cron else []
    if len(parts) != len(_FIELDS):
        raise TemplateError(f"{expression}: not a rate and not a cron expression of six fields")
    fields = [_field(text, name, low, high) for text, (name, low, high) in zip(parts, _FIELDS, strict=True)]
    return lambda after: _next(expression, fields, after)


def _field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    names = {"month": _MONTHS, "weekday": _DAYS}.get(name, ())
    for position, word in enumerate(names):
        text = text.upper().replace(word, str(position + 1))
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first in {"*", "?"}:
            first, last = str(low), str(high)
        elif step and not last:
            last = str(high)
        try:
            values |= set(range(int(first), int(last or first) + 1, int(step or 1)))
        except ValueError:
            raise TemplateError(f"the cron field {name} has an unsupported value") from None
    if not values or min(values) < low or max(values) > high:
        raise TemplateError(f"the cron field {name} is outside {low} to {high}")
    return frozenset(values)


def _next(expression: str, fields: list[frozenset[int]], after: datetime) -> datetime:
    minutes, hours, days, months, weekdays, years = fields
    moment = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    last_year = max(years)
    while moment.year <= last_year:
        is_day = moment.month in months and moment.day in days and moment.isoweekday() % 7 + 1 in weekdays
        if moment.year not in years or not is_day:
            moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
        elif moment.hour not in hours:
            moment = moment.replace(minute=0) + timedelta(hours=1)
        elif moment.minute not in minutes:
            moment += timedelta(minutes=1)
        else:
            return moment
    raise TemplateError(f"{expression}: it never runs again")
