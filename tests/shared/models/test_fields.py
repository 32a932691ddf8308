"""The building blocks of request models: what they take, what they refuse, and that no fault quotes what was sent."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, create_model, model_validator

from tollgate.errors import Fault, Invalid
from tollgate.models.fields import (
    CountryCode,
    CurrencyCode,
    HttpUrl,
    Instant,
    MinorUnits,
    NonEmptyStr,
    RequestModel,
    Text,
    UuidStr,
    broken,
    faults_of,
    validated,
)

PAN = "4242424242424242"


def problem(kind: Any, value: object) -> str:
    """The message with which one member of the kind is refused."""
    model = create_model("Sample", __base__=RequestModel, member=(kind, ...))
    with pytest.raises(Invalid) as refused:
        validated(model, {"member": value})
    assert [fault.path for fault in refused.value.faults] == ["$.member"]
    return refused.value.faults[0].message


def taken(kind: Any, value: object) -> Any:
    model = create_model("Sample", __base__=RequestModel, member=(kind, ...))
    return validated(model, {"member": value}).member


# --- kinds of field ---


@pytest.mark.parametrize("value", ["a", "x" * 255, " padded ", "Jürgen 😀", "<script>", "\\"])
def test_text_is_kept_as_it_is(value: str) -> None:
    assert taken(NonEmptyStr, value) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "must not be empty"),
        ("  ", "must not be blank"),
        ("\u00a0\u2003", "must not be blank"),
        ("\n", "must not be blank"),
        ("x" * 256, "must have at most 255 characters"),
        ("a\x00b", "must not contain control characters"),
        ("a\nb", "must not contain control characters"),
        ("a\x85b", "must not contain control characters"),
        ("a\u2028b", "must not contain control characters"),
        (7, "must be a string"),
        (None, "must be a string"),
        (["a"], "must be a string"),
        (b"a", "must be a string"),
    ],
)
def test_text_is_refused(value: object, message: str) -> None:
    assert problem(NonEmptyStr, value) == message


def test_lone_surrogate_in_text_is_refused() -> None:
    assert problem(NonEmptyStr, "a\ud800") in {"must not contain control characters", "must be valid Unicode"}


def test_text_with_lines_takes_breaks_and_nothing_else() -> None:
    lines = Annotated[str, Text(20, lines=True)]
    assert taken(lines, "a\r\n\tb") == "a\r\n\tb"
    assert problem(lines, "a\x1bb") == "must not contain control characters"
    assert problem(lines, "x" * 21) == "must have at most 20 characters"


@pytest.mark.parametrize("value", [0, 1, 700, 2**53 - 1])
def test_minor_units(value: int) -> None:
    assert taken(MinorUnits, value) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1, "must be at least 0"),
        (2**53, "must be at most 9007199254740991"),
        (2**63, "must be at most 9007199254740991"),
        (10**29, "must be at most 9007199254740991"),
        ("100", "must be a whole number"),
        (1.5, "must be a whole number"),
        (700.0, "must be a whole number"),
        (Decimal("700.0"), "must be a whole number"),
        (Decimal("1E+3"), "must be a whole number"),
        (True, "must be a whole number"),
        (float("nan"), "must be a whole number"),
        (None, "must be a whole number"),
    ],
)
def test_minor_units_are_whole_bounded_and_not_coerced(value: object, message: str) -> None:
    assert problem(MinorUnits, value) == message


@pytest.mark.parametrize("value", ["EUR", "JPY", "KWD", "UYW"])
def test_currency(value: str) -> None:
    assert taken(CurrencyCode, value) == value


@pytest.mark.parametrize("value", ["eur", "EU", "XXX", "XTS", "XAU", "CLF", "ABC", "HRK", "", "EUR ", "EUR\n", PAN])
def test_currency_is_refused(value: str) -> None:
    assert problem(CurrencyCode, value) == "is not an assigned ISO 4217 code"


@pytest.mark.parametrize("value", ["DEU", "de", "XK", "EU", "", "D", "DE\n", PAN])
def test_country_is_refused(value: str) -> None:
    assert taken(CountryCode, "DE") == "DE"
    assert problem(CountryCode, value) == "is not an assigned ISO 3166-1 alpha-2 code"


@pytest.mark.parametrize(
    "value",
    [
        "https://example.com",
        "HTTP://Example.com",
        "http://127.0.0.1:8080/a?b=c#d",
        "https://[::1]:8443/",
        "https://bücher.example/ü",
        "https://example.com/" + "x" * 2028,
        "https://example.com?x=a@b",
    ],
)
def test_url_is_kept_as_it_was_sent(value: str) -> None:
    assert taken(HttpUrl, value) == value


@pytest.mark.parametrize(
    "value",
    [
        "example.com",
        "//example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///example.com",
        "https:example.com",
        "https://user:pass@example.com",
        "https://@example.com",
        "https://exa mple.com",
        " https://example.com",
        "https://example.com\n",
        "https://example.com\\@evil.example",
        "https://exam\tple.com",
        "https://example.com:99999",
        "https://example.com:http",
        "https://ex%61mple.com",
        "https://[::1",
        "https://example.com/\ud800",
    ],
)
def test_url_is_refused(value: str) -> None:
    assert problem(HttpUrl, value) in {"must be an absolute http or https URL", "must be valid Unicode"}


def test_url_is_bounded() -> None:
    assert problem(HttpUrl, "https://example.com/" + "x" * 2029) == "must have at most 2048 characters"
    assert problem(HttpUrl, "") == "must not be empty"


def test_uuid_is_any_version_and_becomes_lower_case() -> None:
    assert taken(UuidStr, "5D6B2C9A-9B0B-4B0C-8C7D-9E9D5D7E9D5D") == "5d6b2c9a-9b0b-4b0c-8c7d-9e9d5d7e9d5d"
    for value in ("", "5d6b2c9a9b0b4b0c8c7d9e9d5d7e9d5d", "{5d6b2c9a-9b0b-4b0c-8c7d-9e9d5d7e9d5d}", PAN, "g" * 36):
        assert problem(UuidStr, value) == "must be a UUID"


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024-02-29T12:00:00Z", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("2024-02-29t12:00:00.5z", datetime(2024, 2, 29, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-02-29T12:00:00+02:00", datetime(2024, 2, 29, 10, tzinfo=UTC)),
        ("2024-03-01T00:30:00+05:30", datetime(2024, 2, 29, 19, tzinfo=UTC)),
    ],
)
def test_instant_is_put_into_utc(value: str, moment: datetime) -> None:
    made = taken(Instant, value)
    assert (made, made.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2024-02-29",
        "2024-02-29T12:00:00",
        "2023-02-29T12:00:00Z",
        "2024-13-01T12:00:00Z",
        "2024-02-29T24:00:00Z",
        "2024-02-29T12:00:60Z",
        "2024-02-29 12:00:00Z",
        "2024-02-29T12:00:00.1234567Z",
        "2024-02-29T12:00:00+25:00",
        "0001-01-01T00:00:00+23:59",
        "٢٠٢٤-02-29T12:00:00Z",
        PAN,
    ],
)
def test_instant_is_refused(value: str) -> None:
    assert problem(Instant, value) == "must be a date and time with a time zone (RFC 3339)"


def test_instant_is_a_string() -> None:
    assert problem(Instant, 1_700_000_000) == "must be a string"


# --- faults ---


class Acquirer(RequestModel):
    name: NonEmptyStr
    bin: Annotated[str, Field(strict=True, pattern=r"^[0-9]{4,11}$")]


class Pan(RequestModel):
    type: Literal["pan"]
    value: NonEmptyStr


class Iban(RequestModel):
    type: Literal["iban"]
    value: NonEmptyStr


class Sample(RequestModel):
    amount: MinorUnits
    currency: CurrencyCode
    enabled: Annotated[bool, Field(alias="3ds_enabled")]
    kind: Literal["one", "two"] = "one"
    schemes: Annotated[list[Acquirer], Field(max_length=3, default_factory=list)]
    notes: Annotated[dict[str, NonEmptyStr], Field(default_factory=dict)]
    credential: Annotated[Pan | Iban, Field(discriminator="type")] | None = None
    either: int | Acquirer | None = None


GOOD: dict[str, Any] = {"amount": 1, "currency": "EUR", "3ds_enabled": True}


def found(**members: object) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        validated(Sample, {**GOOD, **members})
    return {(fault.path, fault.message) for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("members", "faults"),
    [
        ({"3ds_enabled": "true"}, {("$.3ds_enabled", "must be true or false")}),
        ({"3ds_enabled": 1}, {("$.3ds_enabled", "must be true or false")}),
        ({"kind": PAN}, {("$.kind", "must be 'one' or 'two'")}),
        ({"schemes": {}}, {("$.schemes", "must be a list")}),
        ({"schemes": [7]}, {("$.schemes[0]", "must be an object")}),
        ({"schemes": [{"name": "x", "bin": "12345"}] * 4}, {("$.schemes", "must have at most 3 entries")}),
        (
            {"schemes": [{"name": "x", "bin": "12345"}, {"name": "", "bin": PAN}]},
            {("$.schemes[1].name", "must not be empty"), ("$.schemes[1].bin", "has the wrong format")},
        ),
        ({"schemes": [{"bin": "12345"}]}, {("$.schemes[0].name", "is required")}),
        ({"notes": []}, {("$.notes", "must be an object")}),
        ({"notes": {"color": ""}}, {("$.notes.color", "must not be empty")}),
        ({"notes": {PAN: ""}}, {("$.notes[*]", "must not be empty")}),
        ({"notes": {f"card {PAN}": ""}}, {("$.notes[*]", "must not be empty")}),
        ({"notes": {"": 1}}, {("$.notes[*]", "must be a string")}),
        ({"credential": {"type": "pan"}}, {("$.credential.value", "is required")}),
        ({"credential": {"type": "pan", "value": 4}}, {("$.credential.value", "must be a string")}),
        ({"credential": {"value": "x"}}, {("$.credential.type", "is required")}),
        ({"credential": {"type": PAN}}, {("$.credential.type", "must be one of 'pan', 'iban'")}),
        ({"credential": 4}, {("$.credential", "must be an object")}),
        ({"either": {"name": "x"}}, {("$.either", "must be a whole number"), ("$.either.bin", "is required")}),
        ({"either": "x"}, {("$.either", "must be a whole number"), ("$.either", "must be an object")}),
    ],
)
def test_faults_point_at_the_member_in_plain_words(members: dict[str, object], faults: set[tuple[str, str]]) -> None:
    assert found(**members) == faults


@pytest.mark.parametrize("value", [None, 7, "x", [], [1], True, PAN])
def test_what_is_no_object_is_said_at_the_root(value: object) -> None:
    with pytest.raises(Invalid) as caught:
        validated(Sample, value, "query")
    assert caught.value.faults == (Fault("query", "must be an object"),)


def test_every_fault_is_reported_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        validated(Sample, {})
    assert {(each.path, each.message) for each in caught.value.faults} == {
        ("$.amount", "is required"),
        ("$.currency", "is required"),
        ("$.3ds_enabled", "is required"),
    }


def test_unknown_members_are_ignored() -> None:
    assert validated(Sample, {**GOOD, "admin": True, PAN: PAN}).amount == 1


def test_faults_are_bounded_in_number() -> None:
    model = create_model("Many", __base__=RequestModel, rows=(list[NonEmptyStr], ...))
    with pytest.raises(Invalid) as caught:
        validated(model, {"rows": [""] * 5_000})
    assert len(caught.value.faults) == 50


def test_rule_of_a_model_speaks_in_its_own_words() -> None:
    class Range(RequestModel):
        low: int
        high: int

        @model_validator(mode="after")
        def _ordered(self) -> Range:  # noqa: N804
            if self.low > self.high:
                raise broken("low must not be above {high}")
            return self

    with pytest.raises(Invalid) as caught:
        validated(Range, {"low": 2, "high": 1})
    assert caught.value.faults == (Fault("$", "low must not be above {high}"),)


def test_foreign_errors_are_not_quoted() -> None:
    class Careless(RequestModel):
        value: str

        @model_validator(mode="after")
        def _check(self) -> Careless:  # noqa: N804
            raise ValueError(f"{self.value} is bad")

    with pytest.raises(Invalid) as caught:
        validated(Careless, {"value": PAN})
    assert caught.value.faults == (Fault("$", "is not valid"),)


def test_without_the_value_locations_are_taken_as_they_are() -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({**GOOD, "schemes": [{}]})
    paths = {fault.path for fault in faults_of(caught.value, root="body")}
    assert paths == {"body.schemes[0].name", "body.schemes[0].bin"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(PAN) | st.decimals(allow_nan=False),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=10,
)


MEMBERS = ("amount", "currency", "3ds_enabled", "kind", "schemes", "notes", "credential", "either")


def refusal(body: dict[str, object]) -> Invalid | None:
    try:
        validated(Sample, body)
    except Invalid as refused:
        return refused
    return None


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, JSON)))
def test_any_body_is_taken_or_refused_without_quoting_it(body: dict[str, object]) -> None:
    refused = refusal(body)
    if refused is not None:
        assert refused.faults
        assert refused.__context__ is None
        assert PAN not in "".join(traceback.format_exception(refused))
        assert all(PAN not in fault.path + fault.message for fault in refused.faults)


def test_schema_documents_the_limits() -> None:
    model = create_model(
        "Documented", __base__=RequestModel, name=(NonEmptyStr, ...), currency=(CurrencyCode, ...), url=(HttpUrl, ...)
    )
    properties = model.model_json_schema()["properties"]
    assert properties["name"]["minLength"] == 1
    assert properties["name"]["maxLength"] == 255
    assert properties["currency"]["pattern"] == "^[A-Z]{3}$"
    assert properties["url"]["format"] == "uri"
    assert json.dumps(properties)
