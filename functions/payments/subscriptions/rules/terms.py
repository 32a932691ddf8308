"""What may be chosen of an offer, what that costs, and how long a subscription has to run. Pure.

Of each component group one component is chosen; of one that is not optional the default one where nothing is said.
Setup fees are owed once for each component that was not there before; a component that goes when a subscription changes
gives back what its setup fee says for an upgrade or a downgrade, by the weights of what goes and what comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from payments import amounts
from payments.subscriptions.models import Chosen, Component, Draft, Group, Offer
from payments.subscriptions.rules import pricing
from payments.subscriptions.rules.cycles import Period
from payments.subscriptions.rules.pricing import Tier
from tollgate.errors import Fault, Invalid

ONE: Final = Decimal(1)
_TITLE: Final = 150


# ---------------------------------------------------------------------- choosing


def choose(offer: Offer, wanted: Sequence[Mapping[str, Any]], path: str, *, keep: bool = False) -> list[Chosen]:
    """What was asked for, with the defaults of what was not. With `keep`, what the offer has no more is left out.

    Raises:
        Invalid: a component that is not offered, two of one group, a quantity that is not allowed, nothing for a group
            that needs something.
    """
    by_reference = {each.reference: each for each in offer.components.values()}
    asked: dict[int, tuple[Decimal | None, str]] = {}
    faults: list[Fault] = []
    for n, each in enumerate(wanted):
        at, component = f"{path}[{n}]", by_reference.get(each["productComponentReferenceId"])
        if component is None:
            faults += [] if keep else [Fault(f"{at}.productComponentReferenceId", "is not offered by the product")]
        elif component.id in asked:
            faults.append(Fault(f"{at}.productComponentReferenceId", "must be given once"))
        else:
            asked[component.id] = (each.get("quantity"), at)
    chosen = [found for group in offer.groups for found in _of_group(group, asked, path, faults)]
    if faults:
        raise Invalid(faults)
    return chosen


def _of_group(
    group: Group, asked: Mapping[int, tuple[Decimal | None, str]], path: str, faults: list[Fault]
) -> Iterator[Chosen]:
    named = [each for each in group.components if each.id in asked]
    if len(named) > 1:
        faults.append(Fault(asked[named[1].id][1], "is the second of one component group"))
        return
    if not named and group.optional:
        return
    component = named[0] if named else next((each for each in group.components if each.is_default), None)
    if component is None:
        faults.append(Fault(path, "must choose a component of every group that is not optional"))
        return
    quantity, at = asked.get(component.id, (None, path))
    least, most = component.limit("minimal"), component.limit("maximal")
    found = Decimal(quantity) if quantity is not None else least or ONE
    problem = _quantity_problem(found, least, most, component.limit("step"))
    if problem:
        faults.append(Fault(f"{at}.quantity", problem))
    yield Chosen(component, found)


def _quantity_problem(quantity: Decimal, least: Decimal | None, most: Decimal | None, step: Decimal | None) -> str:
    if quantity <= 0:
        return "must be above zero"
    if least is not None and quantity < least:
        return "must not be less than the component's minimal quantity"
    if most is not None and quantity > most:
        return "must not be more than the component's maximal quantity"
    if step and (quantity - (least or 0)) % step:
        return "must be reached from the minimal quantity in steps of the component"
    return ""


def chosen_of(offer: Offer, configurations: Iterable[Mapping[str, Any]]) -> list[Chosen]:
    """What a subscription version has chosen."""
    components = offer.components
    return [Chosen(components[each["component"]], Decimal(each["quantity"])) for each in configurations]


# ---------------------------------------------------------------------- what it costs


def setup_entries(new: Sequence[Chosen], old: Sequence[Chosen], currency: str, language: str) -> Iterator[Draft]:
    """Setup fees of the components that come, and what is given back for those that go."""
    had = {each.component.reference for each in old}
    has = {each.component.reference for each in new}
    come = [each for each in new if each.component.reference not in had]
    go = [each for each in old if each.component.reference not in has]
    for each in come:
        for fee in each.component.fees("setup"):
            minor = amounts.times(_amount(fee["setupFee"], currency), each.quantity)
            yield from _draft(fee, "setup", minor, each.quantity, each.component, language, fee_type="SETUP_FEE")
    difference = sum(each.component.weight for each in come) - sum(each.component.weight for each in go)
    kind = "onUpgradeCreditedAmount" if difference > 0 else "onDowngradeCreditedAmount"
    if not difference or not come:
        return
    for each in go:
        for fee in each.component.fees("setup"):
            minor = -amounts.times(_amount(fee.get(kind, ()), currency), each.quantity)
            yield from _draft(fee, "credit", minor, each.quantity, each.component, language, fee_type="SETUP_FEE")


def period_entries(
    chosen: Sequence[Chosen], period: Period, number: int, currency: str, language: str
) -> Iterator[Draft]:
    """The fees of a subscription's period of this number, counting from 1."""
    is_part = pricing.share(period) != 1
    for each, fee in _period_fees(chosen, number):
        minor = pricing.period_fee(_amount(fee["periodFee"], currency), each.quantity, period)
        yield from _draft(
            fee, "fee", minor, each.quantity, each.component, language, fee_type="PERIOD_FEE", pro_rata=is_part
        )


def credit_entries(
    chosen: Sequence[Chosen], period: Period, used: datetime, number: int, currency: str, language: str
) -> Iterator[Draft]:
    """What is given back of the fees of a period that ended early."""
    for each, fee in _period_fees(chosen, number):
        minor = -pricing.credit(_amount(fee["periodFee"], currency), each.quantity, period, used)
        yield from _draft(
            fee, "unused", minor, each.quantity, each.component, language, fee_type="PERIOD_FEE", pro_rata=True
        )


def _period_fees(chosen: Sequence[Chosen], number: int) -> Iterator[tuple[Chosen, Mapping[str, Any]]]:
    for each in chosen:
        for fee in each.component.fees("period"):
            if number > int(fee.get("numberOfFreeTrialPeriods") or 0):
                yield each, fee


def metered_entries(
    chosen: Sequence[Chosen], usage: Mapping[int, Decimal], number: int, currency: str, language: str
) -> Iterator[Draft]:
    """The fees of what was consumed in a period of this number, by metric."""
    for each in chosen:
        for fee in each.component.fees("metered"):
            metric = int(fee["metric"])
            units = usage.get(metric, Decimal(0))
            if number <= int(fee.get("numberOfFreeTrialPeriods") or 0):
                continue
            tiers = [Tier(Decimal(tier["startRange"]), _price(tier["fee"], currency)) for tier in fee["tiers"]]
            minor = pricing.metered(units, tiers, fee.get("tierPricing") or pricing.CHEAPEST, currency)
            yield from _draft(
                fee, "usage", minor, units, each.component, language, fee_type="METERED_FEE", metric=metric
            )


def _draft(
    fee: Mapping[str, Any],
    what: str,
    minor: int,
    quantity: Decimal,
    component: Component,
    language: str,
    **further: Any,
) -> Iterator[Draft]:
    """The entry, unless it is of nothing. `further` are the other members of a draft."""
    if minor:
        title = localized(fee.get("ledgerEntryTitle") or fee.get("name") or component.values.get("name"), language)
        known = title[:_TITLE] or "Subscription"
        yield Draft(f"{what}/{fee['id']}", known, minor, quantity, component=component, **further)


def localized(texts: Mapping[str, str] | None, language: str) -> str:
    """The text in a language, or in a related one, or in any."""
    found = {name: each for name, each in (texts or {}).items() if each}
    related = [name for name in sorted(found) if name.partition("-")[0] == language.partition("-")[0]]
    for name in (language, *related, "en-US", *sorted(found)):
        if name in found:
            return found[name]
    return ""


def _price(prices: Iterable[Mapping[str, Any]], currency: str) -> Decimal:
    return next((Decimal(each["amount"]) for each in prices if each["currency"] == currency), Decimal(0))


def _amount(prices: Iterable[Mapping[str, Any]], currency: str) -> int:
    return amounts.units(_price(prices, currency), currency, "$")


# ---------------------------------------------------------------------- how long it runs


def periods_to_go(begun: int, minimal: int, notice: int) -> int:
    """How many periods follow the present one when a termination respects the product's terms: the notice periods, and
    as many as the minimal number asks for. `begun` counts the periods that have begun, the present one included."""
    return max(notice, minimal - begun, 0)
