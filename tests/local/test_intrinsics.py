"""CloudFormation's expressions mean here what they mean in the cloud, and what is not known is refused."""

from __future__ import annotations

from typing import Any

import pytest

from local.intrinsics import Resolver, TemplateError, parse

TEMPLATE = """
Values:
  ref: !Ref Parameter
  list: [!Ref Parameter, !Ref AWS::NoValue, plain]
  member: {kept: 1, gone: !Ref AWS::NoValue}
  short: !GetAtt Thing.Arn
  long: {"Fn::GetAtt": [Thing, Arn]}
  sub: !Sub "${Parameter}/${Thing}/${Thing.Arn}/${!Literal}"
  sub_own: !Sub ["${Own}-${Parameter}", {Own: !Ref Thing}]
  if: !If [IsA, yes-a, no-a]
  nested_if: !If [IsNotA, 1, !If [IsEither, {chosen: !Ref Parameter}, 3]]
  join: !Join [",", [a, !Ref Parameter, true]]
  select: !Select [1, [a, b]]
  split: !Select [1, !Split ["-", a-b-c]]
  mapped: !FindInMap [Sizes, !Ref Parameter, large]
  date: 2012-10-17
Conditions:
  IsA: !Equals [!Ref Parameter, a]
  IsNotA: !Not [!Condition IsA]
  IsEither: !Or [!Condition IsNotA, !Equals [true, "true"]]
  IsBoth: !And [!Condition IsA, !Condition IsEither]
Mappings:
  Sizes: {a: {large: 7}}
"""


def resolver(document: dict[str, Any]) -> Resolver:
    def lookup(logical_id: str, attribute: str | None) -> str:
        return f"<{logical_id}{f'.{attribute}' if attribute else ''}>"

    parameters = {"Parameter": "a"}
    return Resolver(parameters, document.get("Mappings", {}), document.get("Conditions", {}), lookup)


def test_every_expression_resolves() -> None:
    document = parse(TEMPLATE)
    assert resolver(document).resolve(document["Values"]) == {
        "ref": "a",
        "list": ["a", "plain"],
        "member": {"kept": 1},
        "short": "<Thing.Arn>",
        "long": "<Thing.Arn>",
        "sub": "a/<Thing>/<Thing.Arn>/${Literal}",
        "sub_own": "<Thing>-a",
        "if": "yes-a",
        "nested_if": {"chosen": "a"},
        "join": "a,a,true",
        "select": "b",
        "split": "b",
        "mapped": 7,
        "date": "2012-10-17",
    }


@pytest.mark.parametrize(("name", "holds"), [("IsA", True), ("IsNotA", False), ("IsEither", True), ("IsBoth", True)])
def test_conditions(name: str, holds: bool) -> None:
    assert resolver(parse(TEMPLATE)).condition(name) is holds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Value: !ImportValue other", "ImportValue is not supported"),
        ("Value: !If [Nowhere, 1, 2]", "no condition Nowhere"),
        ("Value: !FindInMap [Sizes, b, large]", "no Sizes.b.large"),
    ],
)
def test_what_is_unknown_is_refused(text: str, complaint: str) -> None:
    document = parse(text)
    document["Mappings"] = {"Sizes": {}}
    with pytest.raises(TemplateError, match=complaint):
        resolver(document).resolve(document["Value"])


@pytest.mark.parametrize("text", ["a: [", "- a\n- b", "!!python/object/apply:os.system ['true']"])
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        parse(text)
