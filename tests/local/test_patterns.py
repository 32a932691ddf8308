"""Filter patterns of event source mappings."""

from __future__ import annotations

from typing import Any

import pytest

from local.intrinsics import TemplateError
from local.patterns import matches, matches_any

RECORD = {
    "eventName": "INSERT",
    "dynamodb": {"Keys": {"pk": {"S": "OUTBOX#1"}}, "NewImage": {"amount": {"N": "12.5"}, "tags": {"SS": ["a", "b"]}}},
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["MODIFY", "INSERT"]}, True),
        ({"eventName": ["insert"]}, False),
        ({"eventName": [{"equals-ignore-case": "insert"}]}, True),
        ({"eventName": [{"anything-but": ["REMOVE"]}]}, True),
        ({"eventName": [{"anything-but": "INSERT"}]}, False),
        ({"eventName": [{"anything-but": {"prefix": "IN"}}]}, False),
        ({"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "OUTBOX#"}]}}}}, True),
        ({"dynamodb": {"Keys": {"pk": {"S": [{"suffix": "#2"}]}}}}, False),
        ({"dynamodb": {"NewImage": {"amount": {"N": [{"numeric": [">", 12, "<=", 12.5]}]}}}}, True),
        ({"dynamodb": {"NewImage": {"amount": {"N": [{"numeric": ["<", 12]}]}}}}, False),
        ({"dynamodb": {"NewImage": {"tags": {"SS": ["b"]}}}}, True),
        ({"dynamodb": {"OldImage": {"pk": {"S": [{"exists": False}]}}}}, True),
        ({"eventName": [{"exists": True}]}, True),
        ({"other": [{"exists": True}]}, False),
        ({"other": [None]}, False),
        ({"eventName": ["INSERT"], "other": ["x"]}, False),
        ({"$or": [{"eventName": ["REMOVE"]}, {"dynamodb": {"Keys": {"pk": {"S": ["OUTBOX#1"]}}}}]}, True),
    ],
)
def test_matching(pattern: dict[str, Any], expected: bool) -> None:
    assert matches(pattern, RECORD) is expected


def test_one_of_several_patterns_is_enough_and_none_lets_everything_through() -> None:
    assert matches_any([{"eventName": ["REMOVE"]}, {"eventName": ["INSERT"]}], RECORD)
    assert not matches_any([{"eventName": ["REMOVE"]}], RECORD)
    assert matches_any([], RECORD)


def test_an_unknown_operator_is_an_error() -> None:
    with pytest.raises(TemplateError, match="wildcard"):
        matches({"eventName": [{"wildcard": "I*"}]}, RECORD)
