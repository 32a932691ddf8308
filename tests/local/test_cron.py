"""When schedules run next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from local.cron import parse
from local.intrinsics import TemplateError

AFTER = datetime(2026, 1, 30, 22, 58, 30, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", "2026-01-30T22:59:30"),
        ("rate(2 hours)", "2026-01-31T00:58:30"),
        ("rate(7 days)", "2026-02-06T22:58:30"),
        ("cron(0/5 * * * ? *)", "2026-01-30T23:00:00"),
        ("cron(59 22 * * ? *)", "2026-01-30T22:59:00"),
        ("cron(58 22 * * ? *)", "2026-01-31T22:58:00"),
        ("cron(0 3 * * ? *)", "2026-01-31T03:00:00"),
        ("cron(15,45 6-8 ? * MON-FRI *)", "2026-02-02T06:15:00"),
        ("cron(0 0 31 * ? *)", "2026-01-31T00:00:00"),
        ("cron(0 0 30 * ? *)", "2026-03-30T00:00:00"),
        ("cron(0 12 1 JAN,JUL ? *)", "2026-07-01T12:00:00"),
        ("cron(0 0 ? * 1 2027)", "2027-01-03T00:00:00"),
        ("cron(0 0 29 2 ? *)", "2028-02-29T00:00:00"),
    ],
)
def test_the_next_run(expression: str, expected: str) -> None:
    assert parse(expression)(AFTER) == datetime.fromisoformat(f"{expected}+00:00")


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "rate(0 minutes)",
        "rate(5 weeks)",
        "cron(* * * * *)",
        "cron(60 * * * ? *)",
        "cron(0 0 L * ? *)",
        "cron(0 0 ? * 6#3 *)",
        "cron(x * * * ? *)",
        "at(2026-01-01T00:00:00)",
    ],
)
def test_what_is_not_understood_is_refused(expression: str) -> None:
    with pytest.raises(TemplateError):
        parse(expression)


def test_a_schedule_of_the_past_is_refused_when_it_is_asked() -> None:
    with pytest.raises(TemplateError, match="never runs again"):
        parse("cron(0 0 1 1 ? 2020)")(AFTER)
