"""The types of single values: texts, numbers, flags, moments, codes. `fields` has what is made of them.

`read` answers the value as it is stored and answered again; what is wrong goes to `Faults` with the member's path.
Search compares by `comparison`: text (equality and contains without regard to case), number, moment, flag, or not at
all. Limits and patterns are those of the models in the fact file (2.16). No value is ever repeated in a message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final, Literal

from payments.engine.faults import Faults
from tollgate import clock

Comparison = Literal["text", "choice", "number", "moment", "flag", "none"]
Json = dict[str, Any]

MOST_LONG: Final = 2**63 - 1
_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EMAIL = re.compile(r"[^\s@\"<>]+@[^\s@\"<>.]+(\.[^\s@\"<>.]+)+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)


class Type:
    """What a property can hold."""

    comparison: ClassVar[Comparison] = "none"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        """The stored form of a member that is not null."""
        raise NotImplementedError

    def schema(self) -> Json:
        """Its JSON schema as answered."""
        raise NotImplementedError

    def request_schema(self) -> Json:
        """Its JSON schema as sent."""
        return self.schema()


@dataclass(frozen=True)
class Text(Type):
    """A string of `least` to `most` code points; `ascii` means printable ASCII and tab."""

    most: int | None = None
    least: int = 0
    ascii: bool = False
    pattern: str | None = None
    comparison: ClassVar[Comparison] = "text"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        if self.most is not None and len(value) > self.most:
            faults.broken_rule(path, f"must have at most {self.most} characters")
        if len(value) < self.least:
            faults.broken_rule(path, f"must have at least {self.least} characters")
        if self.ascii and not _PRINTABLE.fullmatch(value):
            faults.broken_rule(path, "must consist of printable ASCII characters")
        if self.pattern and not re.fullmatch(self.pattern, value, re.ASCII):
            faults.broken_rule(path, "does not have the form of this property")
        return value

    def schema(self) -> Json:
        made: Json = {"type": "string"}
        if self.most is not None:
            made["maxLength"] = self.most
        if self.least:
            made["minLength"] = self.least
        if self.ascii:
            made["pattern"] = r"^[\t\x20-\x7e]*$"
        elif self.pattern:
            made["pattern"] = f"^(?:{self.pattern})$"
        return made


@dataclass(frozen=True)
class Email(Type):
    """An e-mail address of at most `most` characters, kept as sent."""

    most: int = 254
    comparison: ClassVar[Comparison] = "text"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        if len(value) > self.most:
            faults.broken_rule(path, f"must have at most {self.most} characters")
        elif not _EMAIL.fullmatch(value):
            faults.broken_rule(path, "must be an e-mail address")
        return value

    def schema(self) -> Json:
        return {"type": "string", "maxLength": self.most, "format": "email"}


@dataclass(frozen=True)
class Url(Type):
    """An absolute http or https address of 9 to `most` characters."""

    most: int = 2000
    least: int = 9
    comparison: ClassVar[Comparison] = "text"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        if not self.least <= len(value) <= self.most:
            faults.broken_rule(path, f"must have {self.least} to {self.most} characters")
        elif not re.fullmatch(r"https?://[^\s/?#@]+([/?#]\S*)?", value):
            faults.broken_rule(path, "must be an absolute http or https address")
        return value

    def schema(self) -> Json:
        return {"type": "string", "format": "uri", "minLength": self.least, "maxLength": self.most}


@dataclass(frozen=True)
class Long(Type):
    """An integer of 64 bits, within bounds."""

    least: int = -(2**63)
    most: int = MOST_LONG
    format: str = "int64"
    comparison: ClassVar[Comparison] = "number"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            return faults.wrong_type(path, "must be an integer")
        if not self.least <= value <= self.most:
            faults.broken_rule(path, f"must be from {self.least} to {self.most}")
        return value

    def schema(self) -> Json:
        made: Json = {"type": "integer", "format": self.format}
        if self.least > -(2**31):
            made["minimum"] = self.least
        if self.most < 2**31 - 1:
            made["maximum"] = self.most
        return made


def int32(least: int = -(2**31), most: int = 2**31 - 1) -> Long:
    """An integer of 32 bits."""
    return Long(least, most, "int32")


@dataclass(frozen=True)
class DecimalNumber(Type):
    """A decimal of at most 19 digits before the point and `places` after it; a string of the same form is taken too."""

    least: Decimal | None = None
    most: Decimal | None = None
    places: int = 8
    comparison: ClassVar[Comparison] = "number"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        number = decimal_of(value)
        if number is None:
            return faults.wrong_type(path, "must be a number")
        if number.adjusted() >= 19 or number.normalize().as_tuple().exponent < -self.places:  # type: ignore[operator]
            faults.broken_rule(path, f"must have at most 19 digits before the point and {self.places} after it")
        if self.least is not None and number < self.least:
            faults.broken_rule(path, f"must not be less than {self.least}")
        if self.most is not None and number > self.most:
            faults.broken_rule(path, f"must not be greater than {self.most}")
        return number

    def schema(self) -> Json:
        made: Json = {"type": "number"}
        if self.least is not None:
            made["minimum"] = int(self.least)
        if self.most is not None:
            made["maximum"] = int(self.most)
        return made


def decimal_of(value: Any) -> Decimal | None:
    """The number that a JSON number or a string of digits states."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        try:
            return Decimal(value)
        except InvalidOperation:
            return None
    return None


@dataclass(frozen=True)
class Flag(Type):
    """true or false."""

    comparison: ClassVar[Comparison] = "flag"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        return value if isinstance(value, bool) else faults.wrong_type(path, "must be true or false")

    def schema(self) -> Json:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Moment(Type):
    """A date-time of ISO 8601, kept in UTC to the millisecond; without a zone UTC is meant."""

    comparison: ClassVar[Comparison] = "moment"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        moment = moment_of(value)
        if moment is None:
            faults.broken_rule(path, "must be a date-time of ISO 8601")
            return None
        return stamp(moment)

    def schema(self) -> Json:
        return {"type": "string", "format": "date-time"}


def moment_of(text: str) -> datetime | None:
    """The moment of a date-time text; None for anything else."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper()))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def stamp(moment: datetime) -> str:
    """A moment as it is stored and answered: UTC, to the millisecond, in a width that sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The present moment as it is stored and answered."""
    return stamp(clock.now())


@dataclass(frozen=True)
class Day(Type):
    """A calendar date, YYYY-MM-DD."""

    comparison: ClassVar[Comparison] = "moment"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        if day_of(value) is None:
            faults.broken_rule(path, "must be a date, YYYY-MM-DD")
        return value

    def schema(self) -> Json:
        return {"type": "string", "format": "date"}


def day_of(text: str) -> date | None:
    """The date of a text YYYY-MM-DD; None for anything else."""
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class OneOf(Type):
    """One of an enumeration's values, written as listed."""

    values: tuple[str, ...]
    comparison: ClassVar[Comparison] = "choice"

    @classmethod
    def of(cls, values: str) -> OneOf:
        """From the values in one text, separated by whitespace."""
        return cls(tuple(values.replace(",", " ").split()))

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        if value not in self.values:
            faults.broken_rule(path, "must be one of " + ", ".join(self.values))
        return value

    def schema(self) -> Json:
        return {"type": "string", "enum": list(self.values)}


@dataclass(frozen=True)
class CurrencyCode(Type):
    """An ISO 4217 code in which a payment can be made."""

    comparison: ClassVar[Comparison] = "text"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        from tollgate.currencies import is_currency

        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        if not is_currency(value):
            faults.broken_rule(path, "must be a currency code of ISO 4217")
        return value

    def schema(self) -> Json:
        return {"type": "string", "pattern": "^[A-Z]{3}$"}


@dataclass(frozen=True)
class CountryCode(Type):
    """An ISO 3166-1 alpha-2 code."""

    comparison: ClassVar[Comparison] = "text"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        from tollgate.countries import is_country

        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        if not is_country(value):
            faults.broken_rule(path, "must be a country code of two letters, ISO 3166-1")
        return value

    def schema(self) -> Json:
        return {"type": "string", "pattern": "^[A-Z]{2}$"}


@dataclass(frozen=True)
class LanguageCode(Type):
    """A language of IETF form such as `de` or `de-CH`."""

    comparison: ClassVar[Comparison] = "text"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        if not _LANGUAGE.fullmatch(value):
            faults.broken_rule(path, "must be a language code such as en or en-US")
        return value

    def schema(self) -> Json:
        return {"type": "string", "pattern": f"^{_LANGUAGE.pattern}$"}


@dataclass(frozen=True)
class TimeZone(Type):
    """A name of the time zone database such as `Europe/Zurich`."""

    comparison: ClassVar[Comparison] = "text"

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        from zoneinfo import ZoneInfo

        if not isinstance(value, str):
            return faults.wrong_type(path, "must be a string")
        try:
            ZoneInfo(value[:100])
        except (KeyError, ValueError, OSError):
            faults.broken_rule(path, "must be a name of the time zone database")
        return value

    def schema(self) -> Json:
        return {"type": "string", "examples": ["Europe/Zurich"]}
