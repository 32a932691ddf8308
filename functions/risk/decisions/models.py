"""Shapes of decisions, to the letter of the reference ("Decisions"), and the record that is kept of one.

The record is all the time machine needs: the inputs without their card number, the ruleset and its version, the value
of every count and the paths found on the blacklist. `Facts(record.inputs, record.counters, record.listed)` and the
ruleset give the same outcome again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal, NotRequired, Self, TypedDict

from pydantic import AfterValidator, Field, model_validator

from risk.fields import canonical_ip
from tollgate.models.fields import CountryCode, CurrencyCode, MinorUnits, RequestModel, Text, broken

MOST_ITEMS = 100
MOST_METADATA = 50

Short = Annotated[str, Text(100)]
Line = Annotated[str, Text(255)]
Long = Annotated[str, Text(1024)]
Month = Annotated[int, Field(ge=1, le=12)]
Year = Annotated[int, Field(ge=1000, le=9999)]


def _date(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise broken("must be a date (YYYY-MM-DD)")


def _ip(text: str) -> str:
    try:
        return canonical_ip(text)
    except ValueError:
        raise broken("must be an IP address") from None


Date = Annotated[str, Field(max_length=10), AfterValidator(_date)]
IpAddress = Annotated[str, Field(max_length=45), AfterValidator(_ip)]


class Pan(RequestModel):
    """A card with its full number, which is used for evaluation and fingerprinting and never kept."""

    value: Annotated[str, Field(min_length=12, max_length=40)]
    expiry_month: Month | None = None
    expiry_year: Year | None = None
    scheme: Short | None = None
    cardholder_name: Line | None = None


class MaskedPan(RequestModel):
    """A card by what may be shown: `value` (`411111******1111`), or `bin` and `last4`."""

    value: Annotated[str, Field(min_length=12, max_length=40)] | None = None
    bin: Annotated[str, Field(pattern=r"^[0-9]{6,8}$")] | None = None
    last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None
    expiry_month: Month | None = None
    expiry_year: Year | None = None
    scheme: Short | None = None
    cardholder_name: Line | None = None


class Sepa(RequestModel):
    """A bank account."""

    iban: Annotated[str, Field(min_length=15, max_length=50)]
    bic: Annotated[str, Field(pattern=r"^[A-Z0-9]{8}([A-Z0-9]{3})?$")] | None = None
    account_holder_name: Line | None = None


class Credential(RequestModel):
    """The instrument: `type`, and exactly the member that it names."""

    type: Literal["pan", "masked_pan", "sepa"]
    pan: Pan | None = None
    masked_pan: MaskedPan | None = None
    sepa: Sepa | None = None

    @model_validator(mode="after")
    def _is_of_its_type(self) -> Self:  # noqa: N804 -- mode "after" gives the instance
        present = {name for name in ("pan", "masked_pan", "sepa") if getattr(self, name) is not None}
        if present != {self.type}:
            raise broken("must have exactly the member that type names")
        return self


class Customer(RequestModel):
    id: Line
    email: Annotated[str, Text(320)] | None = None
    date_of_birth: Date | None = None
    first_name: Line | None = None
    last_name: Line | None = None


class TransactionDetails(RequestModel):
    reference: Line
    amount: MinorUnits
    currency: CurrencyCode


class Device(RequestModel):
    ip: IpAddress | None = None
    fingerprint: Line | None = None
    user_agent: Long | None = None
    session: Line | None = None
    language: Short | None = None


class Address(RequestModel):
    first_name: Line | None = None
    last_name: Line | None = None
    address1: Line | None = None
    address2: Line | None = None
    city: Line | None = None
    state: Line | None = None
    postal_code: Short | None = None
    country: CountryCode | None = None


class Shipping(Address):
    carrier: Line | None = None
    method: Line | None = None


class BasketItem(RequestModel):
    """A line of the basket; it needs a name or a SKU."""

    name: Line | None = None
    sku: Line | None = None
    price: MinorUnits | None = None
    quantity: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    product_type: Short | None = None
    categories: Annotated[list[Short], Field(max_length=10)] | None = None

    @model_validator(mode="after")
    def _is_named(self) -> Self:  # noqa: N804 -- as above
        if self.name is None and self.sku is None:
            raise broken("must have a name or a sku")
        return self


class Passenger(RequestModel):
    first_name: Line | None = None
    last_name: Line | None = None
    date_of_birth: Date | None = None


class Leg(RequestModel):
    carrier: Short | None = None
    flight_number: Short | None = None
    origin: Short | None = None
    destination: Short | None = None
    departs_at: Short | None = None
    arrives_at: Short | None = None
    fare_class: Short | None = None


class Airline(RequestModel):
    passengers: Annotated[list[Passenger], Field(max_length=50)] | None = None
    legs: Annotated[list[Leg], Field(max_length=50)] | None = None


MetadataName = Annotated[str, Text(64)]
Metadata = Annotated[dict[MetadataName, Annotated[str, Text(500)]], Field(max_length=MOST_METADATA)]


class CreateDecision(RequestModel):
    """What is to be decided. `passthrough` goes to backends, by their ids, and is never kept."""

    credential: Credential
    customer: Customer
    transaction: TransactionDetails
    device: Device | None = None
    billing: Address | None = None
    shipping: Shipping | None = None
    items: Annotated[list[BasketItem], Field(max_length=MOST_ITEMS)] | None = None
    airline: Airline | None = None
    metadata: Metadata | None = None
    context: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "default"
    passthrough: Annotated[dict[Short, dict[str, Any]], Field(max_length=20)] | None = None


class ResolveDecision(RequestModel):
    """The end of a review."""

    action: Literal["accept", "reject"]


Outcome = Literal["ALLOW", "REVIEW", "BLOCK", "PROVISIONAL"]


class TriggeredRule(TypedDict):
    """A rule that fired. `matched` has the shape of its condition, each leaf with the `actual` value that it saw."""

    rule_id: str
    name: str
    type: Literal["condition", "blacklist", "backend", "backend_group"]
    action: Literal["BLOCK", "REVIEW"]
    live: bool
    matched: dict[str, Any] | None


class Resolution(TypedDict):
    resolution: Literal["ACCEPTED", "REJECTED"]
    resolved_at: str


class DecisionView(TypedDict):
    """A decision. `latency_us` is in microseconds; `backend_results` is there on the Connect edition only,
    `payment_type` and `payload` (the request, masked) where an interceptor asked."""

    id: str
    decision: Outcome
    context: str
    credential_fingerprint: str
    credential_type: Literal["pan", "masked_pan", "sepa"]
    masked_credential: str
    triggered_rules: list[TriggeredRule]
    backend_results: NotRequired[list[dict[str, Any]]]
    has_backend_error: bool
    source: Literal["RULE_ENGINE", "BACKEND", "COMBINED"]
    ruleset_id: str | None
    ruleset_version: int | None
    resolution: Resolution | None
    events: list[dict[str, Any]]
    evaluated_at: str
    latency_us: int
    metadata: dict[str, str]
    integration: str
    interceptor_id: str | None
    payment_type: NotRequired[str | None]
    payload: NotRequired[Any]


class DecisionLogEntry(DecisionView):
    """A decision as it is read later, with what it was about and what lifecycle events have made of its payment."""

    amount: int
    currency: str
    customer_id: str
    device_ip: str | None
    device_fingerprint: str | None
    transaction_reference: str
    payment_state: str | None


class ResolutionView(TypedDict):
    """`backend_notifications` is there on the Connect edition only."""

    id: str
    original_decision: Literal["REVIEW"]
    resolution: Literal["ACCEPTED", "REJECTED"]
    resolved_at: str
    backend_notifications: NotRequired[list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision as stored. `inputs` is the context that rules saw; `pending` the rules whose backends answer later.

    `resolution`, `resolved_at`, `payment_state` and `events` change later, and once, when the backends that were put
    off have answered, `decision` and what led to it; `settled_at` then says when, and that it was PROVISIONAL before.
    `payload` is what an interceptor saw of the request, masked.
    """

    id: str
    account_id: str
    decision: Outcome
    evaluated_at: str
    latency_us: int
    inputs: dict[str, Any]
    triggered_rules: list[dict[str, Any]]
    ruleset_id: str | None
    ruleset_version: int | None
    counters: dict[str, int]
    listed: list[str]
    source: str = "RULE_ENGINE"
    backend_results: list[dict[str, Any]] = field(default_factory=list)
    failed_rules: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    shadow_pending: list[str] = field(default_factory=list)
    settled_at: str | None = None
    integration: str = "api"
    interceptor_id: str | None = None
    payment_type: str | None = None
    payment_state: str | None = None
    payload: Any = None
    resolution: str | None = None
    resolved_at: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)


def view(record: DecisionRecord, *, connect: bool) -> DecisionView:
    """The public form, member by member, so that nothing is published by accident."""
    shown: dict[str, Any] = {
        "id": record.id,
        "decision": record.decision,
        "context": record.inputs["context"],
        "credential_fingerprint": record.inputs["credential_fingerprint"],
        "credential_type": record.inputs["credential_type"],
        "masked_credential": record.inputs["masked_credential"],
        "triggered_rules": record.triggered_rules,
        "has_backend_error": any(result.get("error") for result in record.backend_results),
        "source": record.source,
        "ruleset_id": record.ruleset_id,
        "ruleset_version": record.ruleset_version,
        "resolution": _resolution(record),
        "events": record.events,
        "evaluated_at": record.evaluated_at,
        "latency_us": record.latency_us,
        "metadata": record.inputs.get("metadata", {}),
        "integration": record.integration,
        "interceptor_id": record.interceptor_id,
    }
    if connect:
        shown["backend_results"] = record.backend_results
    if record.interceptor_id is not None:
        shown |= {"payment_type": record.payment_type, "payload": record.payload}
    return shown  # type: ignore[return-value]


def notice(record: DecisionRecord, event_type: str) -> dict[str, Any]:
    """What a webhook hears beside the event itself: which decision; when a provisional one has settled, also the state
    of the payment."""
    told: dict[str, Any] = {"decision_id": record.id}
    if event_type.startswith("decision.async."):
        told["payment_state"] = record.payment_state
    return told


def log_entry(record: DecisionRecord, *, connect: bool) -> DecisionLogEntry:
    """The public form of a decision that is read later."""
    transaction, device = record.inputs["transaction"], record.inputs.get("device", {})
    return {
        **view(record, connect=connect),
        "amount": transaction["amount"],
        "currency": transaction["currency"],
        "customer_id": record.inputs["customer"]["id"],
        "device_ip": device.get("ip"),
        "device_fingerprint": device.get("fingerprint"),
        "transaction_reference": transaction["reference"],
        "payment_state": record.payment_state,
    }


def _resolution(record: DecisionRecord) -> dict[str, Any] | None:
    if record.resolution is None:
        return None
    return {"resolution": record.resolution, "resolved_at": record.resolved_at}
