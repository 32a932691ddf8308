"""JSON bodies: what is read, in which types, and the hostile ones that are refused in words of ours."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.errors import Fault, Malformed
from tollgate.models.json_body import MAX_DEPTH, parse_json

PAN = "4242424242424242"
NOT_JSON = "The body is not valid JSON"
NOT_UTF8 = "The body is not valid UTF-8"
TWICE = "The body gives the same member name twice in an object"
TOO_DEEP = "The body is nested more than 32 levels deep"
HALF_PAIR = "The body holds half of a surrogate pair"
NO_CONSTANT = "The body holds NaN or Infinity, which JSON does not know"
OUT_OF_RANGE = "The body holds a number that is out of range"
TOO_MANY_DIGITS = "The body holds a number of more than 30 digits"
EMPTY = "The body is empty"


def nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + closing * levels


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":[1,-2,0,true,false,null,"x"]}', {"a": [1, -2, 0, True, False, None, "x"]}),
        (b' \t\r\n{"a" : 1 } \n', {"a": 1}),
        ('{"name":"Jürgen \\ud83d\\ude00 😀\u2028"}', {"name": "Jürgen 😀 😀\u2028"}),
        (b'"\\u0000"', "\x00"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"-123456789012345678901234567890", -123456789012345678901234567890),
        (b'{"__proto__":{},"":1}', {"__proto__": {}, "": 1}),
        (b"null", None),
        (b'["[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["]', ["[" * 44]),
    ],
)
def test_value_of_a_good_body(body: bytes | str, value: object) -> None:
    assert parse_json(body) == value


@pytest.mark.parametrize("literal", ["1.10", "0.1", "1e2", "700.0", "-0.0", "0.000000000000000001", "1E-8"])
def test_fractions_are_exact_decimals_and_never_floats(literal: str) -> None:
    value = parse_json(f"[{literal}]")
    assert value == [Decimal(literal)]
    assert isinstance(value, list)
    assert type(value[0]) is Decimal
    assert value[0].as_tuple() == Decimal(literal).as_tuple()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", EMPTY),
        (b" \n\t", EMPTY),
        ("", EMPTY),
        (b"{", NOT_JSON),
        (b"{}x", NOT_JSON),
        (b"{}{}", NOT_JSON),
        (b'{"a":1,}', NOT_JSON),
        (b"[1,]", NOT_JSON),
        (b"{'a':1}", NOT_JSON),
        (b"{a:1}", NOT_JSON),
        (b"01", NOT_JSON),
        (b"1.", NOT_JSON),
        (b"+1", NOT_JSON),
        (b"0x10", NOT_JSON),
        (b"1_000", NOT_JSON),
        (b"nul", NOT_JSON),
        (b"// x\n1", NOT_JSON),
        (b'"a\nb"', NOT_JSON),
        (b'"\x00"', NOT_JSON),
        (b'"\\x41"', NOT_JSON),
        (b'"\\u12"', NOT_JSON),
        (b'"' + PAN.encode(), NOT_JSON),
        ("１", NOT_JSON),
        ("\ufeff{}".encode(), NOT_JSON),
        (b'"\xff"', NOT_UTF8),
        (b'"\xc3"', NOT_UTF8),
        (b'"\xc0\xaf"', NOT_UTF8),
        (b'"\xed\xa0\x80"', NOT_UTF8),
        ('{"a":1}'.encode("utf-16"), NOT_UTF8),
        ('"\ud800"', NOT_UTF8),
        (b'"\\ud800"', HALF_PAIR),
        (b'"\\udfff x"', HALF_PAIR),
        (b'"\\ud800\\u0041"', HALF_PAIR),
        (b'{"\\uD800":1}', HALF_PAIR),
        (b'[{"a":["\\ud83d"]}]', HALF_PAIR),
        (b'{"a":1,"a":1}', TWICE),
        (b'{"a":1,"\\u0061":2}', TWICE),
        (b'[{"x":{"amount":1,"b":2,"amount":3}}]', TWICE),
        (b"NaN", NO_CONSTANT),
        (b'{"a":Infinity}', NO_CONSTANT),
        (b"[-Infinity]", NO_CONSTANT),
        (b"1234567890123456789012345678901", TOO_MANY_DIGITS),
        (b"-1234567890123456789012345678901", TOO_MANY_DIGITS),
        (b"1" * 1_000_000, TOO_MANY_DIGITS),
        (b"0." + b"1" * 63, "The body holds a number of more than 64 characters"),
        (b"1e400", OUT_OF_RANGE),
        (b"1e-400", OUT_OF_RANGE),
        (b"0e999999999", OUT_OF_RANGE),
        (b"1e99999999999999999999999999", OUT_OF_RANGE),
        (b"1e-99999999999999999999999999", OUT_OF_RANGE),
        (nested(33), TOO_DEEP),
        (nested(33, '{"a":', "}").replace(":}", ":1}"), TOO_DEEP),
        (nested(10_000), TOO_DEEP),
        (nested(500_000), TOO_DEEP),
        ("[" * 500_000, TOO_DEEP),
        ('{"a":' * 200_000, TOO_DEEP),
        ("[1," * 40 + nested(1) + "]" * 40, TOO_DEEP),
    ],
)
def test_bad_body_is_refused_in_words_of_ours(body: bytes | str, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_json(body)
    assert caught.value.faults == (Fault("$", message),)
    assert PAN not in str(caught.value)


def test_nesting_to_the_limit_is_read() -> None:
    assert MAX_DEPTH == 32
    assert parse_json(nested(32)) == json.loads(nested(32))
    assert parse_json("[" + ",".join([nested(31)] * 50) + "]") == [json.loads(nested(31))] * 50


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**29), 10**29) | st.text(st.characters(codec="utf-8")),
    lambda children: st.lists(children) | st.dictionaries(st.text(st.characters(codec="utf-8")), children),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_a_writer_wrote_is_what_is_read(value: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def refusal(body: bytes) -> Malformed | None:
    try:
        parse_json(body)
    except Malformed as refused:
        return refused
    return None


@given(st.binary(max_size=200) | st.text('[]{}:,"\\u0123456789dDeE+-. nulltruefalse', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    refused = refusal(body)
    assert refused is None or len(refused.faults) == 1
