"""Shapes of authentications ("Authenticate a payment using credentials on file" in the reference).

Beside the reference's own: `subsequent` payments, and `merchant_id` for accounts with several merchants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypedDict

from pydantic import AfterValidator, Field, WithJsonSchema

from threeds import dates
from tollgate.dialects.vault import Pagination
from tollgate.models.fields import CurrencyCode, MinorUnits, RequestModel, UuidStr, broken

AuthenticationType = Literal[
    "COF_PAYMENT", "INITIAL_RECURRING", "INITIAL_INSTALLMENT", "SUBSEQUENT_RECURRING", "SUBSEQUENT_INSTALLMENT"
]
Status = Literal["PROCESSING", "COMPLETED", "FAILED"]
ChallengePreference = Literal["NO_PREFERENCE", "NO_CHALLENGE", "CHALLENGE", "CHALLENGE_MANDATED"]
Step = Literal["sent", "challenge", "decoupled", "finished"]
"""Where an authentication stands: *sent* means that nobody here knows what the directory server made of it."""

Reason = Literal[
    "authentication_rejected", "authentication_failed", "authentication_unavailable", "challenge_abandoned",
    "challenge_timeout", "card_not_enrolled", "merchant_not_configured", "directory_server_error", "expired",
    "too_early", "amount_exceeded", "currency_mismatch", "installments_exceeded", "original_not_completed",
    "token_unavailable",
]  # fmt: skip
Source = Literal["issuer", "cardholder", "directory_server", "merchant", "tollgate"]

TYPES: Final[tuple[AuthenticationType, ...]] = (
    "COF_PAYMENT", "INITIAL_RECURRING", "INITIAL_INSTALLMENT", "SUBSEQUENT_RECURRING", "SUBSEQUENT_INSTALLMENT",
)  # fmt: skip
SUBSEQUENT_OF: Final[Mapping[AuthenticationType, AuthenticationType]] = {
    "INITIAL_RECURRING": "SUBSEQUENT_RECURRING",
    "INITIAL_INSTALLMENT": "SUBSEQUENT_INSTALLMENT",
}
DEFAULT_PREFERENCE: Final[ChallengePreference] = "CHALLENGE"


# ------------------------------------------------------------------ requests


def _moment(text: str) -> str:
    if dates.read_moment(text) is None:
        raise broken("must be a date and time of the form yyyyMMddHHmmss")
    return text


def _day(text: str) -> str:
    if dates.read_day(text) is None:
        raise broken("must be a date of the form yyyyMMdd")
    return text


Moment = Annotated[
    str, Field(strict=True), AfterValidator(_moment),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{14}$", "examples": ["20260131235959"]}),
]  # fmt: skip
Day = Annotated[
    str, Field(strict=True), AfterValidator(_day),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{8}$", "examples": ["20270131"]}),
]  # fmt: skip


class CofAuthentication(RequestModel):
    """A payment with a credential on file."""

    amount: Annotated[MinorUnits, Field(description="In minor units: 700 for 7 EUR, 100 for 100 JPY")]
    currency_code: CurrencyCode
    token_id: UuidStr
    challenge_preference: Annotated[
        ChallengePreference | None, Field(description="A wish, no guarantee; CHALLENGE if absent")
    ] = None
    purchase_date: Annotated[Moment | None, Field(description="UTC, yyyyMMddHHmmss; now if absent")] = None
    merchant_id: Annotated[
        UuidStr | None, Field(description="On whose behalf; the account's primary merchant if absent")
    ] = None


class RecurringAuthentication(CofAuthentication):
    """The first of a series of payments without an end in number."""

    recurring_expiry: Annotated[Day, Field(description="The last day of a subsequent authentication, yyyyMMdd")]
    recurring_frequency: Annotated[
        int, Field(strict=True, ge=1, le=9999, description="The least number of days between two authorisations")
    ]


class InstallmentAuthentication(RecurringAuthentication):
    """The first of a number of instalments."""

    number_of_installments: Annotated[
        int, Field(strict=True, ge=2, le=999, description="The most authorisations permitted, the first included")
    ]


class SubsequentAuthentication(RequestModel):
    """A further payment of a series, which the merchant initiates."""

    original_authentication: UuidStr
    amount: Annotated[MinorUnits, Field(description="In minor units; not above that of the original")]
    currency_code: CurrencyCode


@dataclass(frozen=True, slots=True)
class Browser:
    """What is known of the cardholder's browser (EMV 3-D Secure, Annex A, "Browser Information"); an issuer that knows
    more asks less often. `time_zone_offset` is UTC less local time, in minutes."""

    accept_header: str | None = None
    user_agent: str | None = None
    language: str | None = None
    ip: str | None = None
    javascript_enabled: bool = False
    java_enabled: bool | None = None
    color_depth: int | None = None
    screen_height: int | None = None
    screen_width: int | None = None
    time_zone_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Purchase:
    """What an initial authentication is asked for, with every default filled in."""

    type: AuthenticationType
    amount: int
    currency_code: str
    token_id: str
    challenge_preference: ChallengePreference
    purchase_date: str
    merchant_id: str | None = None
    recurring_expiry: str | None = None
    recurring_frequency: int | None = None
    number_of_installments: int | None = None


# ------------------------------------------------------------------ answers


class ActionRequirement(TypedDict):
    """What the cardholder has to do: open `target_url` in a browser."""

    type: Literal["redirect"]
    target_url: str
    session_id: str


class CardholderData(TypedDict):
    """The result for the authorisation: `authentication_value` is the CAVV (Base64 of 20 bytes)."""

    authentication_value: str | None
    ds_transaction_id: str
    acs_transaction_id: str
    three_ds_server_transaction_id: str
    eci: str
    transaction_status: str
    version: str
    challenged: bool


class AuthenticationResult(TypedDict):
    """`encrypted_token_data` is there when the token has an active network token."""

    cardholder_data: CardholderData
    encrypted_token_data: str | None


class FailureDetail(TypedDict):
    """Why an authentication failed. `source` says who decided that."""

    reason: Reason
    message: str
    source: Source


class AuthenticationView(TypedDict):
    """An authentication as its owner sees it. Times are RFC 3339 in UTC, but for those in the request's own form."""

    id: str
    action_requirement: ActionRequirement | None
    amount: int
    authentication_result: AuthenticationResult | None
    challenge_preference: ChallengePreference | None
    created_at: str
    currency_code: str
    recurring_expiry: str | None
    recurring_frequency: int | None
    failure_details: list[FailureDetail]
    finished_at: str | None
    original_authentication: str | None
    merchant_id: str | None
    number_of_installments: int | None
    purchase_date: str
    status: Status
    token_id: str
    type: AuthenticationType


class AuthenticationPage(TypedDict):
    """A page of authentications."""

    data: list[AuthenticationView]
    pagination: Pagination
    current_page: int
    page_size: int
    total_items: int
    total_pages: int


# ------------------------------------------------------------------ records


@dataclass(frozen=True, slots=True)
class Authentication:
    """A stored authentication. `version` guards every change, `due` is when the clock settles it, `session_id` is also
    its transaction id as a 3-D Secure server. One that another family asked for has its `reference` there, and a
    `return_url` that the cardholder's browser is sent on to."""

    id: str
    account_id: str
    created_at: str
    sequence: int
    version: int
    type: AuthenticationType
    status: Status
    step: Step
    amount: int
    currency_code: str
    purchase_date: str
    token_id: str
    scheme: str
    session_id: str
    challenge_preference: ChallengePreference | None = None
    merchant_id: str | None = None
    recurring_expiry: str | None = None
    recurring_frequency: int | None = None
    number_of_installments: int | None = None
    original_authentication: str | None = None
    reference: str | None = None
    return_url: str | None = None
    due: str | None = None
    ds_transaction_id: str | None = None
    acs_transaction_id: str | None = None
    acs_url: str | None = None
    target_url: str | None = None
    cardholder_data: CardholderData | None = None
    encrypted_token_data: str | None = None
    failures: tuple[FailureDetail, ...] = ()
    finished_at: str | None = None

    @property
    def is_requestor_initiated(self) -> bool:
        """Without the cardholder (3RI)."""
        return self.original_authentication is not None


@dataclass(frozen=True, slots=True)
class Series:
    """What a completed initial authentication permits to follow: how many authorisations there were, the first
    included, on which day the last one was (yyyyMMdd), and which one is under way."""

    account_id: str
    original_id: str
    version: int
    authorised: int
    last_on: str
    pending: str | None = None


@dataclass(frozen=True, slots=True)
class CardOnFile:
    """The card behind a token, without its number."""

    token_id: str
    scheme: str
    expiry_month: int
    expiry_year: int
    cardholder_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Requestor:
    """The merchant on whose behalf an authentication is asked for. `schemes` holds its registrations with schemes."""

    id: str
    legal_name: str
    website_url: str
    country_code: str
    three_ds_enabled: bool
    default_merchant_id: str | None = None
    schemes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Prior:
    """What the issuer is told of the authentication that a subsequent one refers to."""

    acs_transaction_id: str
    challenged: bool
    finished_at: str


def view(record: Authentication) -> AuthenticationView:
    """The public form, member by member."""
    return {
        "id": record.id,
        "action_requirement": _action(record),
        "amount": record.amount,
        "authentication_result": _result(record),
        "challenge_preference": record.challenge_preference,
        "created_at": record.created_at,
        "currency_code": record.currency_code,
        "recurring_expiry": record.recurring_expiry,
        "recurring_frequency": record.recurring_frequency,
        "failure_details": [failure(each["reason"], each["message"], each["source"]) for each in record.failures],
        "finished_at": record.finished_at,
        "original_authentication": record.original_authentication,
        "merchant_id": record.merchant_id,
        "number_of_installments": record.number_of_installments,
        "purchase_date": record.purchase_date,
        "status": record.status,
        "token_id": record.token_id,
        "type": record.type,
    }


def _action(record: Authentication) -> ActionRequirement | None:
    if record.step != "challenge" or record.target_url is None:
        return None
    return {"type": "redirect", "target_url": record.target_url, "session_id": record.session_id}


def _result(record: Authentication) -> AuthenticationResult | None:
    stored = record.cardholder_data
    if stored is None:
        return None
    data: CardholderData = {  # member by member, since the store keeps no order
        "authentication_value": stored["authentication_value"],
        "ds_transaction_id": stored["ds_transaction_id"],
        "acs_transaction_id": stored["acs_transaction_id"],
        "three_ds_server_transaction_id": stored["three_ds_server_transaction_id"],
        "eci": stored["eci"],
        "transaction_status": stored["transaction_status"],
        "version": stored["version"],
        "challenged": stored["challenged"],
    }
    return {"cardholder_data": data, "encrypted_token_data": record.encrypted_token_data}


def failure(reason: Reason, message: str, source: Source) -> FailureDetail:
    return {"reason": reason, "message": message, "source": source}


def public_event(record: Authentication) -> dict[str, Any]:
    """The payload of the notification that it finished."""
    return {"authentication": view(record)}
