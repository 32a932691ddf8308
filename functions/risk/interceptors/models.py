"""Shapes of interceptors ("Interceptors" in the reference), and what passes through one.

`ref` is the same for all versions of an interceptor and names it in the path of requests that pass through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self, TypedDict

from pydantic import Field, model_validator

from tollgate.http.message import encode
from tollgate.models.fields import HttpUrl, RequestModel, Text, UuidStr, broken

MOST_MAPPINGS: Final = 100
DEFAULT_TIMEOUT_MS: Final = 10_000
LONGEST_TIMEOUT_MS: Final = 25_000
LARGEST_TEMPLATE_BYTES: Final = 16_384
CONTEXT: Final = r"^[A-Za-z0-9_.-]{1,64}$"

Path = Annotated[str, Text(200)]
Description = Annotated[str, Text(500)]
Context = Annotated[str, Field(pattern=CONTEXT)]
Convert = Literal["text", "integer", "minor_units", "upper"]
Status = Literal["DRAFT", "ACTIVE", "INACTIVE"]


class Destination(RequestModel):
    """Where requests go on to."""

    url: HttpUrl
    timeout_ms: Annotated[int, Field(ge=100, le=LONGEST_TIMEOUT_MS)] = DEFAULT_TIMEOUT_MS


class FieldMapping(RequestModel):
    """`target` in the decision request gets what stands at `source` in the body, or the constant `value`.

    `convert`: `text` of a number, `integer` of digits, `minor_units` of a decimal amount in the decision's currency,
    `upper` case.
    """

    target: Path
    source: Path | None = None
    value: Annotated[str, Text(255)] | int | None = None
    convert: Convert | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:  # noqa: N804 -- mode "after" gives the instance
        if (self.source is None) == (self.value is None):
            raise broken("must have either a source or a value")
        return self


class Response(RequestModel):
    """What is answered in the place of the destination: the decision, or `body` (mode `template`), in whose texts
    `{{decision_id}}`, `{{decision}}` and `{{transaction_reference}}` are filled in."""

    mode: Literal["decision", "template"] = "decision"
    status: Annotated[int, Field(ge=200, le=599)] = 200
    body: Any = None

    @model_validator(mode="after")
    def _fits(self) -> Self:  # noqa: N804 -- as above
        if self.mode == "template" and self.body is None:
            raise broken("must have a body in the mode template")
        _check_size(self.body)
        return self


class Undecided(RequestModel):
    """What is answered in the place of the destination where no decision can be made on a request: `body` as it is."""

    status: Annotated[int, Field(ge=400, le=599)] = 422
    body: Any

    @model_validator(mode="after")
    def _fits(self) -> Self:  # noqa: N804 -- as above
        _check_size(self.body)
        return self


def _check_size(body: Any) -> None:
    try:
        size = len(encode(body))
    except TypeError:  # fractions are read as decimals
        raise broken("must have no fractions in the body, unless as text") from None
    if size > LARGEST_TEMPLATE_BYTES:
        raise broken(f"must have a body of at most {LARGEST_TEMPLATE_BYTES} bytes")


class Responses(RequestModel):
    """Answers of ours. Without `undecided`, a request of which no decision request can be made goes on."""

    block: Response = Response()
    review: Response = Response()
    undecided: Undecided | None = None


Mappings = Annotated[list[FieldMapping], Field(max_length=MOST_MAPPINGS)]


class CreateInterceptor(RequestModel):
    """A new interceptor, or with the `ref` of one its next version. `active` puts it in force at once."""

    context: Context
    destination: Destination
    active: bool = True
    description: Description | None = None
    field_mapping: Mappings = Field(default_factory=list)
    responses: Responses = Responses()
    ref: UuidStr | None = None


class UpdateInterceptor(RequestModel):
    """Members to change; null unsets `description`."""

    context: Context = None  # type: ignore[assignment]
    destination: Destination = None  # type: ignore[assignment]
    description: Description | None = None
    field_mapping: Mappings = None  # type: ignore[assignment]
    responses: Responses = None  # type: ignore[assignment]


class DiscoveredKey(TypedDict):
    """A path seen in requests, and of which type its value was."""

    key: str
    type: str


class InterceptorView(TypedDict):
    """A version of an interceptor."""

    id: str
    ref: str
    version: int
    context: str
    destination: dict[str, Any]
    description: str | None
    field_mapping: list[dict[str, Any]]
    responses: dict[str, Any]
    discovered_keys: list[DiscoveredKey]
    status: Status
    inserted_at: str
    updated_at: str


class InterceptorLinks(TypedDict):
    next: str | None


class InterceptorPage(TypedDict):
    data: list[InterceptorView]
    links: InterceptorLinks


@dataclass(frozen=True, slots=True)
class Interceptor:
    """A stored version. `destination`, `field_mapping` and `responses` are as they were given. `revision` guards every
    change."""

    id: str
    account_id: str
    ref: str
    version: int
    context: str
    destination: dict[str, Any]
    inserted_at: str
    updated_at: str
    status: Status = "DRAFT"
    revision: int = 1
    description: str | None = None
    field_mapping: list[dict[str, Any]] = field(default_factory=list)
    responses: dict[str, Any] = field(default_factory=dict)


def view(interceptor: Interceptor, keys: list[DiscoveredKey]) -> InterceptorView:
    """The public form, member by member."""
    return {
        "id": interceptor.id,
        "ref": interceptor.ref,
        "version": interceptor.version,
        "context": interceptor.context,
        "destination": interceptor.destination,
        "description": interceptor.description,
        "field_mapping": interceptor.field_mapping,
        "responses": interceptor.responses,
        "discovered_keys": keys,
        "status": interceptor.status,
        "inserted_at": interceptor.inserted_at,
        "updated_at": interceptor.updated_at,
    }


@dataclass(frozen=True, slots=True)
class Passing:
    """A request on its way: headers by lower-case name as they came, the body byte for byte."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    payment_type: str | None = None


@dataclass(frozen=True, slots=True)
class Relayed:
    """What the destination answered, ready to go to the caller. `cookies` are its Set-Cookie lines."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...]
    content_type: str
    body: bytes = field(repr=False)
