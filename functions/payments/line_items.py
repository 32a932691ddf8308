"""What a payment is for: line items, the taxes in them, what is left of them after completions and refunds.

Pure. Amounts are those of a whole line and include its taxes; a discount is a line of its own with an amount below
zero. Sums are computed in minor units. Rounding: a line's net amount is rounded half up to the currency's places and
its tax is what remains, so that net and tax always add up to the line; unit prices have eight places and are never
added up. Source: fact file of the family, 2.10 and 4.8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from payments import amounts
from tollgate.errors import Fault, Invalid

LineItem = dict[str, Any]
"""A line as it is answered: the given members and the derived ones."""

DISCOUNT: Final = "DISCOUNT"
MOST_LINES: Final = 1000

_GIVEN: Final = ("attributes", "name", "shippingRequired", "sku", "taxes", "type", "uniqueId")


class LineItemsInvalid(Invalid):
    """The lines, or what is to be taken off them, do not add up."""

    default_message = "The line items are not valid"


def expanded(given: Sequence[Mapping[str, Any]], currency: str, path: str = "$.lineItems") -> list[LineItem]:
    """Lines as sent, with everything that follows from them.

    Raises:
        LineItemsInvalid: with every fault.
    """
    faults = list(_faults(given, currency, path))
    if faults:
        raise LineItemsInvalid(faults)
    return [_expanded(each, currency) for each in given]


def total(lines: Iterable[Mapping[str, Any]], currency: str) -> int:
    """What the lines come to, in minor units."""
    return sum(_units(each, currency) for each in lines)


def tax_total(lines: Iterable[Mapping[str, Any]], currency: str) -> int:
    """The taxes in the lines, in minor units."""
    return sum(amounts.units(each["taxAmount"], currency, "$", signed=True) for each in lines)


def with_amount(line: Mapping[str, Any], minor_units: int, quantity: Decimal, currency: str) -> LineItem:
    """The line with another amount and quantity; what it says of a discount goes with the amount."""
    changed = {**line, "amountIncludingTax": amounts.amount(minor_units, currency), "quantity": quantity}
    before = _units(line, currency)
    if changed.get("discountIncludingTax") and before:
        discount = amounts.units(line["discountIncludingTax"], currency, "$")
        changed["discountIncludingTax"] = amounts.amount(amounts.divide(discount * minor_units, before), currency)
    return _expanded(changed, currency)


def merged(lines: Sequence[LineItem], further: Sequence[LineItem], currency: str) -> list[LineItem]:
    """Two sets of parts of the same lines as one set."""
    by_id = {each["uniqueId"]: each for each in lines}
    for line in further:
        known = by_id.get(line["uniqueId"])
        if known is None:
            by_id[line["uniqueId"]] = line
            continue
        both = _units(known, currency) + _units(line, currency)
        by_id[line["uniqueId"]] = with_amount(known, both, known["quantity"] + line["quantity"], currency)
    return list(by_id.values())


def as_parts(lines: Sequence[LineItem], parts: Sequence[LineItem], currency: str) -> list[list[Any]]:
    """Parts of lines, each as the line's place, the part's amount in minor units and its quantity."""
    places = {each["uniqueId"]: n for n, each in enumerate(lines)}
    return [[places[each["uniqueId"]], _units(each, currency), each["quantity"]] for each in parts]


def parts_from(lines: Sequence[LineItem], stored: Sequence[Sequence[Any]], currency: str) -> list[LineItem]:
    """The parts that `as_parts` has made something small of."""
    return [with_amount(lines[place], minor, Decimal(quantity), currency) for place, minor, quantity in stored]


# ------------------------------------------------------------------ completions


@dataclass(frozen=True, slots=True)
class Split:
    """Lines taken out of others and what remains of these; lines without a rest are not among the remaining ones."""

    taken: list[LineItem]
    remaining: list[LineItem]


def completed(
    lines: Sequence[LineItem], wanted: Sequence[Mapping[str, Any]] | None, currency: str, path: str = "$.lineItems"
) -> Split:
    """What a completion takes of the lines that remain: `wanted` names lines with quantity and amount, None all.

    Raises:
        LineItemsInvalid: an unknown line or one named twice, or more than remains of one.
    """
    if wanted is None:
        return Split(list(lines), [])
    by_id = {each["uniqueId"]: each for each in lines}
    faults = list(_completion_faults(by_id, wanted, currency, path))
    if faults:
        raise LineItemsInvalid(faults)
    chosen = {each["uniqueId"]: each for each in wanted}
    taken, remaining = [], []
    for line in lines:
        part = chosen.get(line["uniqueId"])
        if part is None:
            remaining.append(line)
            continue
        minor = amounts.units(part["amount"], currency, path, signed=True)
        taken.append(with_amount(line, minor, Decimal(part["quantity"]), currency))
        remaining += _rest(line, minor, Decimal(part["quantity"]), currency)
    return Split(taken, remaining)


def _completion_faults(
    by_id: Mapping[str, LineItem], wanted: Sequence[Mapping[str, Any]], currency: str, path: str
) -> Iterable[Fault]:
    seen: set[str] = set()
    for n, part in enumerate(wanted):
        line = by_id.get(part["uniqueId"])
        if line is None:
            yield Fault(f"{path}[{n}].uniqueId", "must be the unique id of a line item that remains to be completed")
            continue
        if part["uniqueId"] in seen:
            yield Fault(f"{path}[{n}].uniqueId", "must be given once")
        seen.add(part["uniqueId"])
        try:
            minor = amounts.units(part["amount"], currency, f"{path}[{n}].amount", signed=True)
        except Invalid as broken:
            yield from broken.faults
            continue
        whole = _units(line, currency)
        if minor * whole < 0 or abs(minor) > abs(whole):
            yield Fault(f"{path}[{n}].amount", "must not be more than what remains of the line item")
        if not 0 < Decimal(part["quantity"]) <= line["quantity"]:
            yield Fault(f"{path}[{n}].quantity", "must be above zero and not more than what remains of the line item")


def _rest(line: LineItem, taken: int, quantity: Decimal, currency: str) -> list[LineItem]:
    """What remains of a line; a rest of money without a quantity keeps the line's quantity."""
    left = _units(line, currency) - taken
    if left == 0:
        return []
    return [with_amount(line, left, (line["quantity"] - quantity) or line["quantity"], currency)]


# ------------------------------------------------------------------ refunds


def reduced(
    lines: Sequence[LineItem],
    reductions: Sequence[Mapping[str, Any]] | None,
    wanted: int | None,
    currency: str,
    path: str = "$.reductions",
) -> Split:
    """What a refund takes off the lines: by reductions of lines, by an amount in minor units, or all of it.

    A reduction takes `quantityReduction` pieces at their price, and `unitPriceReduction` off each of the other pieces.
    An amount alone is spread over the lines in proportion. Both together must agree to the hundredth.

    Raises:
        LineItemsInvalid: with every fault.
    """
    if reductions:
        off = _reduction_amounts(lines, reductions, currency, path)
        asked = sum(minor for minor, _ in off.values())
        if wanted is not None and abs(asked - wanted) > _tolerance(currency):
            raise LineItemsInvalid([Fault("$.amount", "must be what the reductions come to")])
        if asked <= 0:
            raise LineItemsInvalid([Fault(path, "must reduce something")])
        return _taken_off(lines, off, currency)
    rest = total(lines, currency)
    if wanted is not None and not 0 < wanted <= rest:
        raise LineItemsInvalid([Fault("$.amount", "must be above zero and not more than what can be refunded")])
    if wanted is None or wanted == rest:
        return Split(list(lines), [])
    weights = [max(_units(each, currency), 0) for each in lines]
    parts = zip(lines, amounts.shares(wanted, weights), strict=True)
    return _taken_off(lines, {each["uniqueId"]: (minor, Decimal(0)) for each, minor in parts if minor}, currency)


def restored(
    lines: Sequence[LineItem], before: Sequence[LineItem], after: Sequence[LineItem], currency: str
) -> list[LineItem]:
    """Lines with what a reduction took off put back, whatever happened since; `before` and `after` are the lines around
    that reduction."""
    now, left = ({each["uniqueId"]: each for each in some} for some in (lines, after))
    for line in before:
        name = line["uniqueId"]
        rest, present = left.get(name), now.get(name)
        taken = _units(line, currency) - (_units(rest, currency) if rest else 0)
        if not taken:
            continue
        pieces = line["quantity"] - (rest["quantity"] if rest else 0)
        quantity = (present["quantity"] if present else 0) + pieces
        minor = (_units(present, currency) if present else 0) + taken
        now[name] = with_amount(line, minor, quantity or line["quantity"], currency)
    order = {each["uniqueId"]: n for n, each in enumerate(before)}
    return sorted(now.values(), key=lambda each: order.get(each["uniqueId"], len(order)))


def _reduction_amounts(
    lines: Sequence[LineItem], reductions: Sequence[Mapping[str, Any]], currency: str, path: str
) -> dict[str, tuple[int, Decimal]]:
    """Per line, minor units and pieces that are taken off."""
    by_id = {each["uniqueId"]: each for each in lines}
    found: dict[str, tuple[int, Decimal]] = {}
    faults: list[Fault] = []
    for n, each in enumerate(reductions):
        line = by_id.get(each["lineItemUniqueId"])
        if line is None or line["type"] == DISCOUNT or _units(line, currency) <= 0:
            faults.append(Fault(f"{path}[{n}].lineItemUniqueId", "must be the unique id of a line item to be refunded"))
            continue
        if each["lineItemUniqueId"] in found:
            faults.append(Fault(f"{path}[{n}].lineItemUniqueId", "must be given once"))
        pieces, price_off = Decimal(each["quantityReduction"]), Decimal(each["unitPriceReduction"])
        if not 0 <= pieces <= line["quantity"]:
            faults.append(Fault(f"{path}[{n}].quantityReduction", "must be from zero to the line item's quantity"))
        if price_off < 0:
            faults.append(Fault(f"{path}[{n}].unitPriceReduction", "must not be negative"))
        if not faults:
            minor = _reduction(line, pieces, price_off, currency)
            if minor > _units(line, currency):
                faults.append(Fault(f"{path}[{n}]", "must not come to more than the line item"))
            found[line["uniqueId"]] = (minor, pieces)
    if faults:
        raise LineItemsInvalid(faults)
    return found


def _reduction(line: LineItem, pieces: Decimal, price_off: Decimal, currency: str) -> int:
    """pieces × unit price + (quantity − pieces) × reduction of the unit price, rounded once."""
    quantity, returned = Fraction(line["quantity"]), Fraction(pieces)
    exact = returned * _units(line, currency) / quantity
    exact += (quantity - returned) * Fraction(price_off) * 10 ** _places(currency)
    return amounts.divide(exact.numerator, exact.denominator)


def _taken_off(lines: Sequence[LineItem], off: Mapping[str, tuple[int, Decimal]], currency: str) -> Split:
    taken, remaining = [], []
    for line in lines:
        minor, pieces = off.get(line["uniqueId"], (0, Decimal(0)))
        if not minor:
            remaining.append(line)
            continue
        taken.append(with_amount(line, minor, pieces or line["quantity"], currency))
        left = _units(line, currency) - minor
        if left:
            remaining.append(with_amount(line, left, (line["quantity"] - pieces) or line["quantity"], currency))
    return Split(taken, remaining)


# ------------------------------------------------------------------ parts


def _faults(given: Sequence[Mapping[str, Any]], currency: str, path: str) -> Iterable[Fault]:
    if not given:
        yield Fault(path, "must have at least one line item")
    if len(given) > MOST_LINES:
        yield Fault(path, f"must have at most {MOST_LINES} line items")
        return
    seen: set[str] = set()
    sum_, sound = 0, True
    for n, line in enumerate(given):
        found = list(_line_faults(line, currency, f"{path}[{n}]"))
        if line["uniqueId"] in seen:
            found.append(Fault(f"{path}[{n}].uniqueId", "must be unique among the line items"))
        seen.add(line["uniqueId"])
        yield from found
        sound = sound and not found
        sum_ += 0 if found else _units(line, currency)
    if sound and sum_ < 0:
        yield Fault(path, "must not come to less than zero")


def _line_faults(line: Mapping[str, Any], currency: str, path: str) -> Iterable[Fault]:
    try:
        minor = amounts.units(line["amountIncludingTax"], currency, f"{path}.amountIncludingTax", signed=True)
        if line["type"] == DISCOUNT and minor > 0:
            yield Fault(f"{path}.amountIncludingTax", "must not be above zero for a discount")
        if line["type"] != DISCOUNT and minor < 0:
            yield Fault(f"{path}.amountIncludingTax", "must not be below zero; a discount is a line item of its own")
        if line.get("discountIncludingTax") is not None:
            amounts.units(line["discountIncludingTax"], currency, f"{path}.discountIncludingTax")
    except Invalid as broken:
        yield from broken.faults
    if not Decimal(line["quantity"]) > 0:
        yield Fault(f"{path}.quantity", "must be above zero")
    for n, tax in enumerate(line.get("taxes") or ()):
        if not 0 <= Decimal(tax["rate"]) <= 100:
            yield Fault(f"{path}.taxes[{n}].rate", "must be from 0 to 100 per cent")


def _expanded(line: Mapping[str, Any], currency: str) -> LineItem:
    gross = _units(line, currency)
    discount = amounts.units(line.get("discountIncludingTax") or 0, currency, "$")
    rate = sum((Decimal(tax["rate"]) for tax in line.get("taxes") or ()), Decimal(0))
    quantity = Decimal(line["quantity"])
    net, net_discount = _net(gross, rate), _net(discount, rate)

    def per_unit(minor: int) -> Decimal:
        return amounts.quotient(amounts.amount(minor, currency), quantity)

    return {
        **{name: line[name] for name in _GIVEN if line.get(name) is not None},
        "quantity": quantity,
        "aggregatedTaxRate": rate,
        "amountIncludingTax": amounts.amount(gross, currency),
        "amountExcludingTax": amounts.amount(net, currency),
        "taxAmount": amounts.amount(gross - net, currency),
        "taxAmountPerUnit": per_unit(gross - net),
        "unitPriceIncludingTax": per_unit(gross),
        "unitPriceExcludingTax": per_unit(net),
        "discountIncludingTax": amounts.amount(discount, currency),
        "discountExcludingTax": amounts.amount(net_discount, currency),
        "undiscountedAmountIncludingTax": amounts.amount(gross + discount, currency),
        "undiscountedAmountExcludingTax": amounts.amount(net + net_discount, currency),
        "undiscountedUnitPriceIncludingTax": per_unit(gross + discount),
        "undiscountedUnitPriceExcludingTax": per_unit(net + net_discount),
    }


def _net(gross: int, rate: Decimal) -> int:
    """A gross amount without taxes of so many per cent in all, to the nearest minor unit."""
    top, bottom = (100 + rate).as_integer_ratio()
    return amounts.divide(gross * 100 * bottom, top)


def _units(line: Mapping[str, Any], currency: str) -> int:
    return amounts.units(line["amountIncludingTax"], currency, "$", signed=True)


def _places(currency: str) -> int:
    return -int(amounts.amount(1, currency).as_tuple().exponent)


def _tolerance(currency: str) -> int:
    """A hundredth of the currency's unit, in minor units."""
    return int(10 ** max(_places(currency) - 2, 0)) if _places(currency) >= 2 else 0
