"""The rules of billing: where periods end, what tiers cost, what a part of a period costs, what may be chosen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.subscriptions.models import Component, Group, Offer
from payments.subscriptions.rules import pricing, terms
from payments.subscriptions.rules.cycles import Cycle, Period, add_duration, period_from, periods_later
from payments.subscriptions.rules.pricing import Tier
from tollgate.errors import Invalid

ZURICH = "Europe/Zurich"


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def ends(cycle: Cycle, start: datetime, zone: str, number: int) -> list[str]:
    """Where the first periods end, on the wall clock."""
    found, moment = [], start
    for _ in range(number):
        moment = period_from(cycle, start, moment, zone).end
        found.append(moment.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")[:16])
    return found


class TestCycles:
    def test_a_month_without_the_day_ends_on_its_last_one_and_the_next_has_the_day_again(self) -> None:
        assert ends(Cycle("MONTHLY", 1), at("2026-01-31T10:00", ZURICH), ZURICH, 4) == [
            "2026-02-28T10:00", "2026-03-31T10:00", "2026-04-30T10:00", "2026-05-31T10:00",
        ]  # fmt: skip

    def test_leap_years(self) -> None:
        start = at("2024-02-29T00:00")
        assert [each[:10] for each in ends(Cycle("YEARLY", 1), start, "UTC", 5)] == [
            "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29", "2029-02-28",
        ]  # fmt: skip
        assert ends(Cycle("MONTHLY", 1), at("2028-01-31T00:00"), "UTC", 1) == ["2028-02-29T00:00"]

    def test_the_time_of_day_stays_through_summer_time(self) -> None:
        start = at("2026-03-28T09:30", ZURICH)
        found = period_from(Cycle("DAILY", 1), start, start, ZURICH)
        assert found.end - found.start == timedelta(hours=23)
        assert ends(Cycle("WEEKLY", 1), at("2026-10-20T09:30", ZURICH), ZURICH, 1) == ["2026-10-27T09:30"]

    def test_a_specific_day_begins_at_midnight_and_makes_the_first_period_shorter(self) -> None:
        cycle, start = Cycle("MONTHLY", 1, True, day=31), at("2026-01-15T12:00", ZURICH)
        assert ends(cycle, start, ZURICH, 4) == [
            "2026-01-31T00:00", "2026-02-28T00:00", "2026-03-31T00:00", "2026-04-30T00:00",
        ]  # fmt: skip
        first = period_from(cycle, start, start, ZURICH)
        assert pricing.share(first) == Fraction(31, 62)  # 15.5 of the 31 days since 31 December
        assert pricing.share(period_from(cycle, start, first.end, ZURICH)) == 1

    def test_weeks_and_years_with_a_day(self) -> None:
        weekly = Cycle("WEEKLY", 2, True, weekday=0)
        assert [each[:10] for each in ends(weekly, at("2026-06-03T08:00"), "UTC", 2)] == ["2026-06-08", "2026-06-22"]
        yearly = Cycle("YEARLY", 1, True, day=29, month=2)
        assert [each[:10] for each in ends(yearly, at("2026-06-03T08:00"), "UTC", 3)] == [
            "2027-02-28", "2028-02-29", "2029-02-28",
        ]  # fmt: skip

    @settings(max_examples=50, deadline=None)
    @given(
        st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
        st.integers(1, 9),
        st.integers(0, 8 * 365 * 24 * 60),
        st.sampled_from(["UTC", ZURICH, "America/St_Johns", "Pacific/Apia"]),
        st.booleans(),
    )
    def test_periods_follow_one_another_without_gaps(
        self, kind: str, count: int, minutes: int, zone: str, specific: bool
    ) -> None:
        begin = at("2024-01-01T00:00") + timedelta(minutes=minutes)
        cycle = Cycle(kind, count, specific and kind != "DAILY", weekday=2, day=30, month=2)
        moment, found = begin, []
        for _ in range(4):
            found.append(period_from(cycle, begin, moment, zone))
            moment = found[-1].end
        assert found[0].start == begin
        for one, other in pairwise(found):
            assert one.start < one.end == other.start
        for each in found:
            assert each.cycle_start <= each.start
            assert each.end == each.cycle_end
            assert 0 < pricing.share(each) <= 1
        assert all(pricing.share(each) == 1 for each in found[1:])
        assert periods_later(cycle, begin, begin, zone, 4) == moment

    @pytest.mark.parametrize(
        ("values", "model"),
        [
            (
                {"billingCycle": "P3M"},
                {"billingCycleType": "MONTHLY", "numberOfPeriods": 3, "customization": "DEFAULT"},
            ),
            (
                {"billingCycleModel": {"billingCycleType": "WEEKLY", "numberOfPeriods": 2, "customization": "SPECIFIC",
                                       "weeklyDay": "FRIDAY"}},
                {"billingCycleType": "WEEKLY", "numberOfPeriods": 2, "customization": "SPECIFIC",
                 "weeklyDay": "FRIDAY"},
            ),
            (
                {"billingCycleModel": {"billingCycleType": "YEARLY", "numberOfPeriods": 1, "customization": "SPECIFIC",
                                       "month": "APRIL"}},
                {"billingCycleType": "YEARLY", "numberOfPeriods": 1, "customization": "SPECIFIC", "month": "APRIL",
                 "dayOfMonth": 1},
            ),
        ],
    )  # fmt: skip
    def test_both_forms(self, values: dict[str, Any], model: dict[str, Any]) -> None:
        cycle = Cycle.read(values)
        assert cycle is not None
        assert cycle.model == model
        assert Cycle.read({"billingCycle": cycle.duration, "billingCycleModel": model}) == cycle

    @pytest.mark.parametrize(
        "values",
        [
            {"billingCycle": "P13M"},
            {"billingCycle": "P10W"},
            {"billingCycle": "P31D"},
            {"billingCycle": "P2M", "billingCycleModel": {"billingCycleType": "MONTHLY", "numberOfPeriods": 1}},
            {"billingCycleModel": {"billingCycleType": "DAILY", "numberOfPeriods": 1, "customization": "SPECIFIC"}},
            {"billingCycleModel": {"billingCycleType": "MONTHLY", "numberOfPeriods": 1, "dayOfMonth": 5}},
            {"billingCycleModel": {"billingCycleType": "WEEKLY", "numberOfPeriods": 1, "customization": "SPECIFIC",
                                   "dayOfMonth": 5}},
            {"billingCycleModel": {"billingCycleType": "YEARLY", "numberOfPeriods": 10}},
        ],
    )  # fmt: skip
    def test_cycles_that_are_none(self, values: dict[str, Any]) -> None:
        with pytest.raises(Invalid):
            Cycle.read(values)

    def test_durations(self) -> None:
        assert add_duration(at("2026-01-31T10:00"), "P1M") == at("2026-02-28T10:00")
        assert add_duration(at("2026-01-31T10:00"), "P1W2DT3H30M") == at("2026-02-09T13:30")
        assert add_duration(at("2028-02-29T00:00"), "P1Y") == at("2029-02-28T00:00")


TIERS = [Tier(Decimal(0), Decimal(2)), Tier(Decimal(10), Decimal(1)), Tier(Decimal(20), Decimal("1.5"))]


class TestPricing:
    @pytest.mark.parametrize(
        ("units", "cheapest", "incremental"),
        [
            ("0", 0, 0),
            ("9", 1800, 1800),
            ("9.5", 1900, 1850),  # half of the tenth unit
            ("10", 1000, 1900),  # the tenth unit is of the second tier
            ("19", 1900, 2800),
            ("20", 2000, 2950),
            ("0.001", 0, 0),
            ("0.0025", 1, 1),  # half away from zero
        ],
    )
    def test_tiers_hold_their_first_quantity(self, units: str, cheapest: int, incremental: int) -> None:
        assert pricing.metered(Decimal(units), TIERS, pricing.CHEAPEST, "EUR") == cheapest
        assert pricing.metered(Decimal(units), TIERS[::-1], pricing.INCREMENTAL, "EUR") == incremental

    def test_below_the_first_tier_nothing_is_owed(self) -> None:
        tiers = [Tier(Decimal(100), Decimal("0.001"))]
        assert pricing.metered(Decimal(99), tiers, pricing.CHEAPEST, "EUR") == 0
        assert pricing.metered(Decimal(100), tiers, pricing.CHEAPEST, "EUR") == 10
        assert pricing.metered(Decimal(109), tiers, pricing.INCREMENTAL, "EUR") == 1
        assert pricing.metered(Decimal(10_000), tiers, pricing.CHEAPEST, "JPY") == 10

    def test_a_part_costs_its_part_and_what_is_given_back_is_the_difference(self) -> None:
        start = at("2026-04-01T00:00")
        month = Period(start, start + timedelta(days=30), start, start + timedelta(days=30))
        assert pricing.period_fee(1000, Decimal(3), month) == 3000
        assert pricing.period_fee(1000, Decimal(1), month.until(start + timedelta(days=10))) == 333
        assert pricing.credit(1000, Decimal(1), month, start + timedelta(days=10)) == 667
        assert pricing.credit(1000, Decimal(1), month, start) == 1000
        assert pricing.credit(1000, Decimal(1), month, month.end) == 0


def component(number: int, **members: Any) -> Component:
    return Component({"id": number, "reference": number + 100, "fees": {}, **members})


def offer(*groups: Group) -> Offer:
    return Offer(("EUR",), groups)


def wish(number: int, quantity: str | None = None) -> dict[str, Any]:
    return {"productComponentReferenceId": number + 100, **({"quantity": Decimal(quantity)} if quantity else {})}


class TestChoosing:
    def test_defaults_fill_what_is_needed(self) -> None:
        found = terms.choose(
            offer(
                Group(False, (component(1), component(2, default=True, minimal=Decimal(3)))),
                Group(True, (component(3, default=True),)),
            ),
            [],
            "path",
        )
        assert [(each.component.id, each.quantity) for each in found] == [(2, 3)]

    @pytest.mark.parametrize(
        ("quantity", "ok"), [("2", True), ("2.5", True), ("5", True), ("1.5", False), ("5.5", False), ("2.25", False)]
    )
    def test_quantities_are_reached_in_steps(self, quantity: str, ok: bool) -> None:
        seats = component(1, minimal=Decimal(2), maximal=Decimal(5), step=Decimal("0.5"))
        offered = offer(Group(False, (seats,)))
        if ok:
            assert terms.choose(offered, [wish(1, quantity)], "path")[0].quantity == Decimal(quantity)
            return
        with pytest.raises(Invalid) as refused:
            terms.choose(offered, [wish(1, quantity)], "path")
        assert [each.path for each in refused.value.faults] == ["path[0].quantity"]

    @pytest.mark.parametrize("wishes", [[wish(9)], [wish(1), wish(1)], [wish(1), wish(2)], []])
    def test_one_of_each_group(self, wishes: list[dict[str, Any]]) -> None:
        with pytest.raises(Invalid):
            terms.choose(offer(Group(False, (component(1), component(2)))), wishes, "path")

    def test_what_the_offer_has_no_more_is_left_out_if_wanted(self) -> None:
        offered = offer(Group(False, (component(1, default=True),)))
        assert [each.component.id for each in terms.choose(offered, [wish(9)], "path", keep=True)] == [1]

    @pytest.mark.parametrize(
        ("begun", "minimal", "notice", "further"), [(1, 0, 0, 0), (1, 12, 0, 11), (1, 12, 2, 11), (12, 12, 2, 2)]
    )
    def test_terms(self, begun: int, minimal: int, notice: int, further: int) -> None:
        assert terms.periods_to_go(begun, minimal, notice) == further
