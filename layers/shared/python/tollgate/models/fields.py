"""Building blocks of request models: strict, bounded types that say what is wrong in plain words and quote no input.

For the models of every family. It holds no model of any of them. Importing it loads pydantic, which costs tens of
milliseconds at a cold start: a function on the hot path reads its few members itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from annotated_types import GroupedMetadata
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import Url

from tollgate import countries, currencies, ids
from tollgate.errors import Fault, Invalid
from tollgate.models.faults import broken, faults_of
from tollgate.models.json_body import parse_json

__all__ = [
    "LONGEST_TEXT",
    "LONGEST_URL",
    "MOST_MINOR_UNITS",
    "CountryCode",
    "CurrencyCode",
    "HttpUrl",
    "Instant",
    "MinorUnits",
    "NonEmptyStr",
    "RequestModel",
    "Text",
    "UuidStr",
    "broken",
    "faults_of",
    "parse_json",
    "validated",
]

LONGEST_TEXT: Final = 255
LONGEST_URL: Final = 2048
# The largest integer that every JSON reader keeps exactly (RFC 8259 section 6).
MOST_MINOR_UNITS: Final = 2**53 - 1

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_LINES: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# What a URL parser would silently drop or turn round: whitespace, control characters, backslashes.
_NOT_IN_URL: Final = re.compile(r"[\s\\\x00-\x20\x7f-\x9f\ud800-\udfff]")
# A host and perhaps a port: no user information, no percent-encoding, no third slash.
_HTTP_AUTHORITY: Final = re.compile(r"https?://[^/?#@%]+(?:[/?#]|$)", re.IGNORECASE)
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII)

M = TypeVar("M", bound=BaseModel)


class RequestModel(BaseModel):
    """Base of request models: no coercion, unknown members ignored, frozen, no input in the text of an error.

    A model is built when the first body needs it: a start of a function, and whoever only reads, does not pay for it.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True, defer_build=True)


def validated(model: type[M], value: object, root: str = "$") -> M:
    """`value` (from `parse_json`) as a `model`, without coercion.

    Raises:
        Invalid: with the path of every fault, at most fifty.
    """
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        found: list[Fault] = faults_of(error, value, root)
    # Raised outside the handler, so that the new failure does not carry pydantic's error, which holds the input.
    raise Invalid(found)


@dataclass(frozen=True, slots=True)
class Text(GroupedMetadata):
    """A string of 1 to `longest` characters, not only whitespace, without control characters (`lines` allows breaks).

    Use as `Annotated[str, Text(40)]`.
    """

    longest: int
    lines: bool = False

    def __iter__(self) -> Iterator[object]:
        yield Field(strict=True, min_length=1, max_length=self.longest)
        yield AfterValidator(_lines if self.lines else _line)


def _line(text: str) -> str:
    return _printable(text, _CONTROL)


def _lines(text: str) -> str:
    return _printable(text, _CONTROL_BUT_LINES)


def _printable(text: str, forbidden: re.Pattern[str]) -> str:
    if text.isspace():
        raise broken("must not be blank")
    if forbidden.search(text):
        raise broken("must not contain control characters")
    return text


def _currency(code: str) -> str:
    if not currencies.is_currency(code):
        raise broken("is not an assigned ISO 4217 code")
    return code


def _country(code: str) -> str:
    if not countries.is_country(code):
        raise broken("is not an assigned ISO 3166-1 alpha-2 code")
    return code


def _uuid(text: str) -> str:
    if not ids.is_uuid(text):
        raise broken("must be a UUID")
    return text.lower()


def _http_url(text: str) -> str:
    if not text:
        raise broken("must not be empty")
    if len(text) > LONGEST_URL:
        raise broken(f"must have at most {LONGEST_URL} characters")
    if not _is_http_url(text):
        raise broken("must be an absolute http or https URL")
    return text


def _is_http_url(text: str) -> bool:
    if _NOT_IN_URL.search(text) or not _HTTP_AUTHORITY.match(text):
        return False
    try:
        return bool(Url(text).host)
    except ValidationError:
        return False


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise broken("must be a string")
    if _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise broken("must be a date and time with a time zone (RFC 3339)")


def _schema(**members: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **members})


_STRICT: Final = Field(strict=True)

NonEmptyStr = Annotated[str, Text(LONGEST_TEXT)]
"""1 to 255 characters, on one line."""

MinorUnits = Annotated[int, Field(strict=True, ge=0, le=MOST_MINOR_UNITS)]
"""An amount in the minor unit of its currency: 100 is 1.00 EUR and 100 JPY."""

CurrencyCode = Annotated[
    str, _STRICT, AfterValidator(_currency), _schema(pattern="^[A-Z]{3}$", description="ISO 4217, upper case")
]

CountryCode = Annotated[
    str, _STRICT, AfterValidator(_country), _schema(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2, upper case")
]

UuidStr = Annotated[str, _STRICT, AfterValidator(_uuid), _schema(format="uuid")]
"""A UUID of any version, in lower case."""

HttpUrl = Annotated[str, _STRICT, AfterValidator(_http_url), _schema(format="uri", minLength=1, maxLength=LONGEST_URL)]
"""An absolute http(s) URL as it was sent, without user information. Whether to call it is for the egress guard."""

Instant = Annotated[datetime, BeforeValidator(_instant), _schema(format="date-time")]
"""A moment with its zone (RFC 3339), as an aware datetime in UTC."""
