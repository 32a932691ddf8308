"""Filling a card into a body: the grammar, the ways of writing a value, and that no value can leave its place."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.forward.errors import BadTemplate
from vault.forward.rules.template import read

CARD = {
    "account_number": "4242424242424242",
    "expiration_month": "04",
    "expiration_year": "2033",
    "security_code": "012",
    "cardholder_name": "John Doe",
}
JSON, FORM, XML, TEXT = "application/json", "application/x-www-form-urlencoded", "text/xml; charset=utf-8", "text/plain"
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=255)


def fill(body: str | bytes, content_type: str | None = JSON, **changes: str) -> str:
    raw = body.encode() if isinstance(body, str) else body
    return read(raw, content_type).fill({**CARD, **changes}).decode()


@pytest.mark.parametrize(
    ("body", "filled"),
    [
        ('{"n":"{{ account_number }}"}', '{"n":"4242424242424242"}'),
        ('{"n":"{{account_number}}"}', '{"n":"4242424242424242"}'),
        ('{"n":"{{ \t\r\n account_number\t}}"}', '{"n":"4242424242424242"}'),
        ('["{{ account_number }}"]', '["4242424242424242"]'),
        ('"{{ account_number }}"', '"4242424242424242"'),
        ('{"{{ account_number }}":1}', '{"4242424242424242":1}'),
        ('{"m":"{{ expiration_month }}"}', '{"m":"04"}'),
        ('{"m":{{ expiration_month | unwrap }}}', '{"m":4}'),
        ('{"m":"{{ expiration_month | unwrap }}"}', '{"m":4}'),
        ('{"m":"{{expiration_month|unwrap}}"}', '{"m":4}'),
        ('{"m":"x {{ expiration_month | unwrap }}"}', '{"m":"x 4"}'),
        ('{"m":"\\"{{ expiration_month | unwrap }}\\""}', '{"m":"\\"4\\""}'),
        ('{"m":"{{ expiry_month }}","y":"{{ expiry_year | unwrap }}"}', '{"m":"04","y":2033}'),
        ('{"y":"{{ expiration_year }}"}', '{"y":"2033"}'),
        ('{"e":"{{ expiration_month }}/{{ expiration_year }}"}', '{"e":"04/2033"}'),
        ('{"c":"{{ security_code }}"}', '{"c":"012"}'),
        ('{"h":"{{ cardholder_name }}"}', '{"h":"John Doe"}'),
        ('{"a":{"b":{"m":{{ expiration_month | unwrap }}}}}', '{"a":{"b":{"m":4}}}'),
        ('{"a":"\\\\","n":"{{ account_number }}"}', '{"a":"\\\\","n":"4242424242424242"}'),
        ('{"a":"\\"","n":"{{ account_number }}"}', '{"a":"\\"","n":"4242424242424242"}'),
        (
            '{"a":"\\u007b\\u007b account_number \\u007d\\u007d"}',
            '{"a":"\\u007b\\u007b account_number \\u007d\\u007d"}',
        ),
        ('{"a":"one { two }} three"}', '{"a":"one { two }} three"}'),
        ('{"a": 12345678901234567890123, "b": 1e400}', '{"a": 12345678901234567890123, "b": 1e400}'),
        ("", ""),
    ],
)
def test_json(body: str, filled: str) -> None:
    assert fill(body) == filled


@pytest.mark.parametrize(
    "body",
    [
        '{"n":"{{ ACCOUNT_NUMBER }}"}',
        '{"n":"{{ number }}"}',
        '{"n":"{{ account_number"}',
        '{"n":"{{"}',
        '{"n":"{{}}"}',
        '{"n":"{{{{ account_number }}}}"}',
        '{"n":"{{{ account_number }}}"}',
        '{"n":"{{ account_number }"}',
        '{"n":"{{ account number }}"}',
        '{"n":"{{ account_number | unwrap }}"}',
        '{"n":{{ account_number | unwrap }}}',
        '{"n":{{ account_number }}}',
        '{"n":{{ cardholder_name }}}',
        '{"n":{{ cardholder_name | unwrap }}}',
        '{"c":{{ security_code | unwrap }}}',
        '{"m":{{ expiration_month }}}',
        '{"n":"{{ account_number | upper }}"}',
        '{"n":"{{ expiration_month | unwrap | upper }}"}',
        '{"n":"{{ account_number | }}"}',
        '{"n":"{{ account_number.slice }}"}',
        '{"n":"{{ account_number[0:6] }}"}',
        '{"n":"{{ account_number() }}"}',
        '{"n":"{% for x in y %}{{ x }}"}',
        '{"{{ account":"_number }}"}',
        '{"n":"\\{{ account_number }}"}',
        '{"{{ expiration_month | unwrap }}":1}',
        '{"n":"{{ account_number }}"',
        '{"n":"{{ account_number }}"} x',
        '{"n":"{{ account_number }}","x":NaN}',
        '{"n":"{{ account_number }}" "x":1}',
        "{{ expiration_month | unwrap }}{{ expiration_year | unwrap }} 1",
        "[" * 100_000 + '"{{ account_number }}"',
        "not json",
        b'{"n":"\xff"}',
    ],
)
def test_what_cannot_be_filled_in_is_refused_without_a_word_of_it(body: str | bytes) -> None:
    with pytest.raises(BadTemplate) as refusal:
        fill(body)
    assert refusal.value.__cause__ is None
    said = " ".join(fault.message for fault in refusal.value.faults)
    assert "4242" not in said
    assert "account" not in said


def test_a_value_that_reads_like_a_placeholder_stays_a_value() -> None:
    name = "{{ account_number }}"
    assert json.loads(fill('{"h":"{{ cardholder_name }}"}', cardholder_name=name)) == {"h": name}
    assert fill("{{ cardholder_name }}", TEXT, cardholder_name=name) == name


@pytest.mark.parametrize(
    "name", ['","admin":true,"x":"', "back\\slash", '"', "\u2028", "é", "🂡", "</name><pan>", "&amp;", "]]>", "a=b&c=d"]
)
def test_a_name_cannot_break_out(name: str) -> None:
    _check_name(name)


@given(NAMES)
def test_no_name_can_break_out(name: str) -> None:
    _check_name(name)


def _check_name(name: str) -> None:
    assert json.loads(fill('{"a":1,"h":"{{ cardholder_name }}"}', cardholder_name=name)) == {"a": 1, "h": name}
    form = fill("a=1&h={{ cardholder_name }}", FORM, cardholder_name=name)
    assert parse_qs(form, strict_parsing=True, keep_blank_values=True) == {"a": ["1"], "h": [name]}
    if all(character.isprintable() and ord(character) < 0xFFFE for character in name):
        xml = ET.fromstring(  # noqa: S314 -- our own text
            fill("<c n='{{ cardholder_name }}'>{{cardholder_name}}</c>", XML, cardholder_name=name)
        )
        assert (xml.text, xml.get("n"), len(xml)) == (name, name, 0)


@pytest.mark.parametrize(
    ("body", "filled"),
    [
        ("n={{ account_number }}&m={{expiration_month}}", "n=4242424242424242&m=04"),
        ("m={{ expiration_month | unwrap }}", "m=4"),
        ("n=%7B%7B+account_number+%7D%7D", "n=4242424242424242"),
        ("n=%7b%7b%20account_number%20%7d%7d", "n=4242424242424242"),
        ("m=%7B%7B+expiration_month+%7C+unwrap+%7D%7D&x=%7B", "m=4&x=%7B"),
        ("m=%7B%7B%20expiration_month%20%7C%20unwrap%20%7D%7D", "m=4"),
        ("h={{cardholder_name}}", "h=John%20Doe"),
    ],
)
def test_forms(body: str, filled: str) -> None:
    assert fill(body, FORM) == filled


@pytest.mark.parametrize(
    "body", ["n=%7B%7B+number+%7D%7D", "n=%7B%7B", "n={{x}}", "n=%7B%7B+account_number+%7Cunwrap%7D%7D"]
)
def test_forms_are_as_strict(body: str) -> None:
    with pytest.raises(BadTemplate):
        fill(body, FORM)


def test_other_text_takes_values_as_they_are() -> None:
    assert fill("{{ account_number }};{{ expiration_month }};é", TEXT) == "4242424242424242;04;é"
    part = '--b\r\ncontent-disposition: form-data; name="n"\r\n\r\n{{ account_number }}\r\n--b--\r\n'
    assert "4242424242424242" in fill(part, "multipart/form-data; boundary=b")


@pytest.mark.parametrize("kind", ["application/vnd.x+json", "application/JSON; charset=utf-8", "text/json", None])
def test_json_is_known_by_its_type_and_is_what_has_none(kind: str | None) -> None:
    assert fill('{"h":"{{ cardholder_name }}"}', kind, cardholder_name='"') == '{"h":"\\""}'


def test_bytes_that_are_no_text_go_on_as_they_are() -> None:
    noise = bytes(range(256)) + b"{{" + bytes(range(256))
    assert read(noise, "application/octet-stream").fill({}) == noise
    assert read(b"\x1f\x8b{{ nonsense", JSON, is_encoded=True).fill({}) == b"\x1f\x8b{{ nonsense"


def test_a_placeholder_among_bytes_that_are_no_text_was_meant() -> None:
    with pytest.raises(BadTemplate):
        read(b"\xe9 {{ account_number }}", "text/plain; charset=iso-8859-1")


def test_ten_thousand_placeholders_are_filled_in_one_pass() -> None:
    body = "[" + ",".join(['"{{ account_number }}"'] * 10_000) + "]"
    assert json.loads(fill(body)) == [CARD["account_number"]] * 10_000


def test_a_body_may_not_grow_over_the_limit() -> None:
    body = "[" + ",".join(['"{{ cardholder_name }}"'] * 10_000) + "]"
    with pytest.raises(BadTemplate) as refusal:
        fill(body, cardholder_name="é" * 255)
    assert "1048576 bytes" in refusal.value.faults[0].message


@pytest.mark.parametrize(
    ("body", "members"),
    [
        ("{}", set()),
        ('"{{account_number}}"', {"account_number"}),
        ('"{{expiry_year}}{{expiration_year}}"', {"expiration_year"}),
    ],
)
def test_it_says_what_it_needs(body: str, members: set[Any]) -> None:
    assert read(body.encode(), JSON).members == members
