"""Amounts: the grammar at the edges, exactness inside, and the published examples of conversion and rounding."""

from __future__ import annotations

import ast
import inspect
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate import currencies, money
from tollgate.errors import Fault, Invalid
from tollgate.models.json_body import parse_json
from tollgate.money import Rounding

ZERO_DECIMALS = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"}
ZERO_DECIMALS |= {"XAF", "XOF", "XPF"}
THREE_DECIMALS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
ASSETS = [*currencies.EXPONENTS, *money.CRYPTO_EXPONENTS]


def d(text: str) -> Decimal:
    return Decimal(text)


# --- edges ---


@pytest.mark.parametrize(
    ("codes", "digits"),
    [
        (ZERO_DECIMALS, 0),
        ({"EUR", "USD", "GBP", "CHF", "HUF", "TWD"}, 2),
        (THREE_DECIMALS, 3),
        ({"CLF", "UYW"}, 4),
        ({"BTC", "LTC", "DOGE", "DASH", "BCH"}, 8),
        ({"ETH"}, 18),
        ({"USDT", "USDC", "XRP", "TRX"}, 6),
        ({"XLM"}, 7),
        ({"SOL"}, 9),
    ],
)
def test_digits_of_the_smallest_unit(codes: set[str], digits: int) -> None:
    assert {code: money.exponent(code) for code in codes} == dict.fromkeys(codes, digits)


@pytest.mark.parametrize("code", ["", "eur", "XXX", "XTS", "XAU", "ABC", "btc", "EUR "])
def test_what_is_no_asset(code: str) -> None:
    assert not money.is_asset(code)
    with pytest.raises(KeyError):
        money.exponent(code)


def test_no_crypto_asset_has_the_code_of_a_currency() -> None:
    assert not set(money.CRYPTO_EXPONENTS) & (set(currencies.EXPONENTS) | set(currencies.FUND_EXPONENTS))
    assert all(money.is_asset(code) for code in ASSETS)


@pytest.mark.parametrize(
    ("text", "asset", "units"),
    [
        ("10.50", "EUR", 1050),
        ("10.5", "EUR", 1050),
        ("10", "EUR", 1000),
        ("0", "EUR", 0),
        ("0.00", "EUR", 0),
        ("007.10", "EUR", 710),
        ("100", "JPY", 100),
        ("1.234", "KWD", 1234),
        ("0.0001", "CLF", 1),
        ("0.00000001", "BTC", 1),
        ("20999999.9769", "BTC", 2099999997690000),
        ("10.000000000000000001", "ETH", 10**19 + 1),
        ("999999999999999999.999999999999999999", "ETH", 10**36 - 1),
    ],
)
def test_text_is_read_exactly(text: str, asset: str, units: int) -> None:
    assert money.parse(text, asset) == units


@pytest.mark.parametrize(
    ("literal", "asset", "units"),
    [("10.50", "EUR", 1050), ("100.0", "JPY", 100), ("1e2", "JPY", 100), ("7", "EUR", 700), ("1E-8", "BTC", 1)],
)
def test_json_number_is_read_by_its_value(literal: str, asset: str, units: int) -> None:
    assert money.parse(parse_json(literal), asset) == units


NUMBER = "must be a decimal number such as 10.50"
NEGATIVE = "must not be negative"
EXPONENT = "must not use exponent notation"
TOO_LARGE = "must have at most 18 digits before the decimal point"


@pytest.mark.parametrize(
    ("amount", "asset", "message"),
    [
        ("", "EUR", NUMBER),
        (" 1 ", "EUR", NUMBER),
        ("1\n", "EUR", NUMBER),
        ("1,5", "EUR", NUMBER),
        ("1_000", "EUR", NUMBER),
        ("1.", "EUR", NUMBER),
        (".5", "EUR", NUMBER),
        ("1.2.3", "EUR", NUMBER),
        ("NaN", "EUR", NUMBER),
        ("sNaN", "EUR", NUMBER),
        ("Infinity", "EUR", NUMBER),
        ("-Infinity", "EUR", NUMBER),
        ("0x10", "EUR", NUMBER),
        ("１", "EUR", NUMBER),
        ("٣", "EUR", NUMBER),
        ("1\u066b5", "EUR", NUMBER),
        ("−1", "EUR", NUMBER),
        ("1\ud800", "EUR", NUMBER),
        ("--1", "EUR", NUMBER),
        ("1e-8", "BTC", EXPONENT),
        ("1E2", "EUR", EXPONENT),
        ("+1", "EUR", "must not have a plus sign"),
        ("-1", "EUR", NEGATIVE),
        ("-0", "EUR", NEGATIVE),
        ("1.234", "EUR", "must have at most 2 decimal places"),
        ("1.000", "EUR", "must have at most 2 decimal places"),
        ("1.0", "JPY", "must have no decimal places"),
        ("0.000000001", "BTC", "must have at most 8 decimal places"),
        ("1234567890123456789", "EUR", TOO_LARGE),
        ("1" * 100_000, "EUR", TOO_LARGE),
        (10.5, "EUR", NUMBER),
        (True, "EUR", NUMBER),
        (None, "EUR", NUMBER),
        ([1], "EUR", NUMBER),
        (b"1", "EUR", NUMBER),
        (-1, "EUR", NEGATIVE),
        (10**18, "EUR", TOO_LARGE),
        (10**4000, "EUR", NUMBER),
        (d("NaN"), "EUR", NUMBER),
        (d("Infinity"), "EUR", NUMBER),
        (d("-0.01"), "EUR", NEGATIVE),
        (d("0.001"), "EUR", "must have at most 2 decimal places"),
        (d("0.5"), "JPY", "must have no decimal places"),
        (d("1E+18"), "EUR", TOO_LARGE),
        (d("1E+999999"), "EUR", NUMBER),
        (d("1E-999999"), "EUR", NUMBER),
        (d("1." + "0" * 90), "EUR", NUMBER),
    ],
)
def test_amount_is_refused_in_words_that_do_not_quote_it(amount: object, asset: str, message: str) -> None:
    assert money.problem(amount, asset) == message
    with pytest.raises(Invalid) as caught:
        money.parse(amount, asset, path="$.lineItems[0].amount")
    assert caught.value.faults == (Fault("$.lineItems[0].amount", message),)


@pytest.mark.parametrize(("amount", "units"), [("-10.50", -1050), ("-0", 0), (d("-0.01"), -1), (-7, -700), ("3", 300)])
def test_signed_amounts_where_they_are_asked_for(amount: object, units: int) -> None:
    assert money.parse(amount, "EUR", signed=True) == units
    assert money.problem("+1", "EUR", signed=True) == "must not have a plus sign"


@pytest.mark.parametrize(
    ("units", "asset", "text"),
    [
        (0, "EUR", "0.00"),
        (1, "EUR", "0.01"),
        (1050, "EUR", "10.50"),
        (-5, "EUR", "-0.05"),
        (-1050, "EUR", "-10.50"),
        (100, "JPY", "100"),
        (0, "JPY", "0"),
        (1, "BTC", "0.00000001"),
        (10**19 + 1, "ETH", "10.000000000000000001"),
    ],
)
def test_text_has_all_places_and_never_an_exponent(units: int, asset: str, text: str) -> None:
    assert money.to_text(units, asset) == text
    assert money.to_decimal(units, asset) == Decimal(text)
    assert format(money.to_decimal(units, asset), "f") == text


@given(st.integers(0, 10**18 - 1), st.sampled_from(ASSETS))
def test_text_is_read_back(units: int, asset: str) -> None:
    text = money.to_text(units, asset)
    assert money.parse(text, asset) == units
    assert money.parse(Decimal(text), asset) == units
    assert money.parse("-" + text, asset, signed=True) == -units


@given(st.text(max_size=30) | st.decimals() | st.integers() | st.floats(), st.sampled_from(["EUR", "JPY", "ETH"]))
def test_anything_is_either_an_exact_amount_or_refused(amount: Any, asset: str) -> None:
    if money.problem(amount, asset) is None:
        assert Fraction(money.parse(amount, asset)) == Fraction(Decimal(amount)) * 10 ** money.exponent(asset)


# --- conversion ---


@pytest.mark.parametrize(
    ("amount", "source", "price", "target", "pay"),
    [
        ("10.00", "USD", "64392.23", "BTC", "0.00015530"),
        ("10.00", "USD", "3000.70", "ETH", "0.003332555736994702"),
        ("10.00", "USD", "0.9997", "USDT", "10.003001"),
        ("0.01", "USD", "64392.23", "BTC", "0.00000016"),
        ("1000000", "USD", "64392.23", "BTC", "15.52982402"),
    ],
)
def test_what_a_customer_pays_is_worth_the_price(amount: str, source: str, price: str, target: str, pay: str) -> None:
    units = money.parse(amount, source)
    due = money.convert_at_price(units, source, target, d(price), Rounding.UP)
    assert money.to_text(due, target) == pay
    assert money.convert(due, target, source, d(price), Rounding.DOWN) >= units
    assert money.convert(due - 1, target, source, d(price), Rounding.DOWN) < units


def test_the_smallest_unit_may_be_worth_nothing() -> None:
    assert money.convert(1, "BTC", "USD", d("64392.23"), Rounding.DOWN) == 0


def test_going_round_earns_nothing() -> None:
    rate = d("64392.23")
    bought = money.convert_at_price(10_000, "USD", "BTC", rate, Rounding.DOWN)
    assert money.to_text(bought, "BTC") == "0.00155298"
    assert money.to_text(money.convert(bought, "BTC", "USD", rate, Rounding.DOWN), "USD") == "99.99"


@given(st.integers(0, 10**15), st.decimals("0.000001", "1000000", places=6))
def test_going_round_never_earns(units: int, rate: Decimal) -> None:
    bought = money.convert_at_price(units, "USD", "BTC", rate, Rounding.DOWN)
    assert money.convert(bought, "BTC", "USD", rate, Rounding.DOWN) <= units


def test_fee_of_a_tiny_amount_is_never_free() -> None:
    assert money.multiply(49, d("0.01"), Rounding.UP) == 1
    assert money.multiply(49, d("0.01"), Rounding.HALF_EVEN) == 0


def test_products_of_long_numbers_are_exact() -> None:
    units = money.parse("123456789012.123456789012345678", "ETH")
    product = Fraction("15241578.753211318107106378752824265349394910")
    assert Fraction(units, 10**18) * Fraction("0.000123456789012345") == product
    converted = money.convert(units, "ETH", "EUR", d("0.000123456789012345"), Rounding.HALF_EVEN)
    assert money.to_text(converted, "EUR") == "15241578.75"


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (Rounding.UP, [-2, -2, -1, -1, 0, 1, 1, 2, 2]),
        (Rounding.DOWN, [-1, -1, 0, 0, 0, 0, 0, 1, 1]),
        (Rounding.HALF_UP, [-2, -2, -1, 0, 0, 0, 1, 2, 2]),
        (Rounding.HALF_EVEN, [-2, -2, 0, 0, 0, 0, 0, 2, 2]),
    ],
)
def test_rounding_of_each_kind_on_both_sides_of_zero(rounding: Rounding, expected: list[int]) -> None:
    tenths = [-18, -15, -5, -4, 0, 4, 5, 15, 18]
    assert [money.multiply(each, d("0.1"), rounding) for each in tenths] == expected


PYTHONS_NAME = {
    Rounding.UP: "ROUND_UP",
    Rounding.DOWN: "ROUND_DOWN",
    Rounding.HALF_UP: "ROUND_HALF_UP",
    Rounding.HALF_EVEN: "ROUND_HALF_EVEN",
}


@given(st.integers(-(10**12), 10**12), st.decimals("-1000", "1000", places=5), st.sampled_from(Rounding))
def test_rounding_agrees_with_the_decimal_module(units: int, factor: Decimal, rounding: Rounding) -> None:
    expected = (units * factor).quantize(Decimal(1), rounding=PYTHONS_NAME[rounding])
    assert money.multiply(units, factor, rounding) == int(expected)


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity"])
def test_a_rate_is_a_positive_number(rate: str) -> None:
    for convert in (money.convert, money.convert_at_price):
        with pytest.raises(ValueError, match="positive"):
            convert(1, "EUR", "USD", d(rate), Rounding.UP)


def test_source_holds_no_binary_fraction() -> None:
    tree = ast.parse(inspect.getsource(money))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "float"]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Div)]
