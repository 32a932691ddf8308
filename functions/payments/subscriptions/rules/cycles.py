"""Billing cycles: where a period ends, in the calendar of the space's time zone. Pure.

A cycle is a number of days, weeks, months or years. By default its periods are counted from an anchor, the moment at
which the first one began, and keep the anchor's time of day; a month without the anchor's day ends it on its last day,
and the next one has the day again (31 January, 28 February, 31 March). A cycle with a specific day begins its periods
at midnight of that day, so the first one is shorter. Source: fact file 2.15 and 2.16 (BillingCycleModel); the numbers
of periods allowed are those of the published client's description of `numberOfPeriods`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from payments.engine.models import Entity
from payments.subscriptions.models import moment
from tollgate.errors import Fault, Invalid

DAILY: Final = "DAILY"
WEEKLY: Final = "WEEKLY"
MONTHLY: Final = "MONTHLY"
YEARLY: Final = "YEARLY"

_LETTERS: Final = {"D": DAILY, "W": WEEKLY, "M": MONTHLY, "Y": YEARLY}
_MOST: Final = {DAILY: 30, WEEKLY: 9, MONTHLY: 12, YEARLY: 9}
_DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_MONTHS: Final = tuple(name.upper() for name in calendar.month_name[1:])
_DURATION: Final = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?)?"
)


@dataclass(frozen=True, slots=True)
class Cycle:
    """`count` units of a kind. With `specific`, periods begin on a day: of the week (0 is Monday), of the month, or of
    a month of the year."""

    kind: str
    count: int
    specific: bool = False
    weekday: int = 0
    day: int = 1
    month: int = 1

    @classmethod
    def read(cls, values: Mapping[str, Any], path: str = "") -> Cycle | None:
        """The cycle of a product version's properties, given as a duration or as a model; None without either.

        Raises:
            Invalid: the number is out of range, the model contradicts itself, or the two differ.
        """
        text, model = values.get("billingCycle"), values.get("billingCycleModel")
        if model is None:
            return cls._checked(cls(_LETTERS[text[-1]], int(text[1:-1])), f"{path}billingCycle") if text else None
        cycle = cls._checked(cls._of_model(model, f"{path}billingCycleModel"), f"{path}billingCycleModel")
        if text is not None and text != cycle.duration:
            raise Invalid.at(f"{path}billingCycle", "must be the cycle of billingCycleModel, or left out")
        return cycle

    @classmethod
    def _of_model(cls, model: Mapping[str, Any], path: str) -> Cycle:
        kind, specific = model["billingCycleType"], model.get("customization", "DEFAULT") == "SPECIFIC"
        allowed = {WEEKLY: {"weeklyDay"}, MONTHLY: {"dayOfMonth"}, YEARLY: {"dayOfMonth", "month"}}.get(kind, set())
        wrong = {"weeklyDay", "dayOfMonth", "month"} & {name for name, each in model.items() if each is not None}
        if specific and not allowed:
            raise Invalid.at(f"{path}.customization", "must be DEFAULT for daily cycles")
        faults = [
            Fault(f"{path}.{name}", "does not belong to such a cycle")
            for name in sorted(wrong - (allowed if specific else set()))
        ]
        if faults:
            raise Invalid(faults)
        return cls(
            kind, model["numberOfPeriods"], specific,
            _DAYS.index(model.get("weeklyDay") or "MONDAY"), model.get("dayOfMonth") or 1,
            _MONTHS.index(model.get("month") or "JANUARY") + 1,
        )  # fmt: skip

    @classmethod
    def _checked(cls, cycle: Cycle, path: str) -> Cycle:
        if not 1 <= cycle.count <= _MOST[cycle.kind]:
            raise Invalid.at(path, f"must have 1 to {_MOST[cycle.kind]} periods for {cycle.kind.lower()} cycles")
        return cycle

    @property
    def duration(self) -> str:
        """As a duration of ISO 8601: P1M."""
        return f"P{self.count}{self.kind[0]}"

    @property
    def model(self) -> dict[str, Any]:
        """As the published model has it."""
        made: dict[str, Any] = {
            "billingCycleType": self.kind,
            "numberOfPeriods": self.count,
            "customization": "SPECIFIC" if self.specific else "DEFAULT",
        }
        if self.specific and self.kind == WEEKLY:
            made["weeklyDay"] = _DAYS[self.weekday]
        if self.specific and self.kind != WEEKLY:
            made["dayOfMonth"] = self.day
        if self.specific and self.kind == YEARLY:
            made["month"] = _MONTHS[self.month - 1]
        return made


@dataclass(frozen=True, slots=True)
class Period:
    """A period and the whole cycle that it lies in, which is longer where the period was cut. Moments in UTC; the start
    belongs to the period, the end to the next one."""

    start: datetime
    end: datetime
    cycle_start: datetime
    cycle_end: datetime

    def until(self, end: datetime) -> Period:
        """The same period, ending earlier."""
        return Period(self.start, max(min(end, self.end), self.start), self.cycle_start, self.cycle_end)


def cycle_of(version: Entity) -> Cycle:
    """The billing cycle of a subscription version or a product version, which is complete."""
    found = Cycle.read(version.values)
    if found is None:
        raise LookupError("the version has no billing cycle")
    return found


def period_of(bill: Entity) -> Period:
    """The period that a bill is for, as it was charged."""
    return Period(
        moment(bill.values["periodStartDate"]), moment(bill.values["plannedPeriodEndDate"]),
        moment(bill.attributes["cycle_start"]), moment(bill.attributes["cycle_end"]),
    )  # fmt: skip


def period_from(cycle: Cycle, anchor: datetime, start: datetime, zone: str) -> Period:
    """The period that begins at `start`, in UTC."""
    place = ZoneInfo(zone)
    begin = start.astimezone(place)
    if not cycle.specific:
        return _counted(cycle, anchor.astimezone(place), begin)
    if _begins_at(cycle, begin, place):
        end = _specific(cycle, begin.date(), 1, place)
        return _utc(begin, end, begin, end)
    end = _next_day(cycle, begin, place)
    return _utc(begin, end, _specific(cycle, end.date(), -1, place), end)


def _counted(cycle: Cycle, anchor: datetime, begin: datetime) -> Period:
    """The period from `begin` to the next whole number of cycles from the anchor."""
    steps = _steps_before(cycle, anchor, begin)
    while _step(cycle, anchor, steps) <= begin:
        steps += 1
    end = _step(cycle, anchor, steps)
    return _utc(begin, end, _step(cycle, anchor, steps - 1), end)


def periods_later(cycle: Cycle, anchor: datetime, start: datetime, zone: str, number: int) -> datetime:
    """Where the `number`-th period ends that begins at `start`, counting from 1; `start` itself for none."""
    end = start
    for _ in range(number):
        end = period_from(cycle, anchor, end, zone).end
    return end


def add_duration(moment: datetime, text: str) -> datetime:
    """A moment and a duration of ISO 8601 behind it. Months and years are those of the calendar in UTC."""
    parts = _DURATION.fullmatch(text)
    if parts is None:
        raise ValueError("not a duration")
    number = {name: int(each or 0) for name, each in parts.groupdict().items()}
    day = _add_months(moment.date(), number["years"] * 12 + number["months"], moment.day)
    return datetime.combine(day, moment.timetz()) + timedelta(
        weeks=number["weeks"], days=number["days"], hours=number["hours"], minutes=number["minutes"]
    )


# ---------------------------------------------------------------------- parts


def _utc(*moments: datetime) -> Period:
    return Period(*(each.astimezone(UTC) for each in moments))


def _step(cycle: Cycle, anchor: datetime, steps: int) -> datetime:
    """The anchor and so many cycles behind it, at the same time of day on the wall clock."""
    count = cycle.count * steps
    if cycle.kind in (DAILY, WEEKLY):
        day = anchor.date() + timedelta(days=count * (7 if cycle.kind == WEEKLY else 1))
    else:
        day = _add_months(anchor.date(), count * (12 if cycle.kind == YEARLY else 1), anchor.day)
    return datetime.combine(day, anchor.time(), anchor.tzinfo)


def _steps_before(cycle: Cycle, anchor: datetime, moment: datetime) -> int:
    """A number of cycles from the anchor that does not reach beyond the moment, and not by far."""
    longest = {DAILY: 1, WEEKLY: 7, MONTHLY: 31, YEARLY: 366}[cycle.kind] * cycle.count
    return max((moment.date() - anchor.date()).days // longest - 1, 0)


def _add_months(day: date, months: int, wanted: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(wanted, calendar.monthrange(year, month + 1)[1]))


def _specific(cycle: Cycle, day: date, steps: int, place: ZoneInfo) -> datetime:
    """Midnight of the specific day, so many cycles behind the one of `day`."""
    if cycle.kind == WEEKLY:
        found = day + timedelta(days=7 * cycle.count * steps)
    else:
        found = _add_months(day, cycle.count * steps * (12 if cycle.kind == YEARLY else 1), cycle.day)
    return datetime.combine(found, time(), place)


def _is_specific(cycle: Cycle, day: date) -> bool:
    if cycle.kind == WEEKLY:
        return day.weekday() == cycle.weekday
    last = calendar.monthrange(day.year, day.month)[1]
    return day.day == min(cycle.day, last) and (cycle.kind == MONTHLY or day.month == cycle.month)


def _begins_at(cycle: Cycle, moment: datetime, place: ZoneInfo) -> bool:
    day = moment.date()
    return _is_specific(cycle, day) and moment == datetime.combine(day, time(), place)


def _next_day(cycle: Cycle, moment: datetime, place: ZoneInfo) -> datetime:
    """The first midnight of a specific day behind the moment."""
    day = moment.date() + timedelta(days=1)
    while not _is_specific(cycle, day):
        day += timedelta(days=1)
    return datetime.combine(day, time(), place)
