"""Payloads of the provisioning function, told apart by `action`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tollgate.models.fields import HttpUrl, NonEmptyStr, RequestModel, Text, UuidStr

DEFAULT_GRACE_SECONDS = 24 * 3600
LONGEST_GRACE_SECONDS = 30 * 24 * 3600
MOST_DESTINATIONS = 100

Name = Annotated[str, Text(200)]


class Payload(RequestModel):
    """Strict in type; unknown members are refused, because an operator's typing error must not pass."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class RiskOptions(Payload):
    """An account's risk instance: its name as an audience (unique in the deployment), edition and PCI level."""

    audience: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")] | None = None
    edition: Literal["core", "connect"] | None = None
    pci_level: Literal["SAQ_A", "SAQ_D", "ROC"] | None = None


class AccountOptions(Payload):
    """What an account can be given at creation and later; `null` takes it away (the risk instance stays as it is)."""

    notification_url: HttpUrl | None = None
    forward_destinations: Annotated[list[HttpUrl], Field(max_length=MOST_DESTINATIONS)] | None = None
    risk: RiskOptions | None = None


class CreateAccount(AccountOptions):
    """A new tenant with a first API key."""

    action: Literal["create_account"]
    name: Name


class UpdateAccount(AccountOptions):
    """Change the options that are given."""

    action: Literal["update_account"]
    account_id: UuidStr
    name: Name | None = None


class RotateApiKey(Payload):
    """A new API key; the former ones hold on for `grace_seconds`."""

    action: Literal["rotate_api_key"]
    account_id: UuidStr
    grace_seconds: Annotated[int, Field(ge=0, le=LONGEST_GRACE_SECONDS)] = DEFAULT_GRACE_SECONDS


class RotateHmacKey(Payload):
    """A new HMAC key; notifications carry a signature of the former one too for `grace_seconds`."""

    action: Literal["rotate_hmac_key"]
    account_id: UuidStr
    grace_seconds: Annotated[int, Field(ge=0, le=LONGEST_GRACE_SECONDS)] = DEFAULT_GRACE_SECONDS


class RotateClientSecret(Payload):
    """A new secret of the account's OAuth client; the former one holds on for `grace_seconds`."""

    action: Literal["rotate_client_secret"]
    account_id: UuidStr
    grace_seconds: Annotated[int, Field(ge=0, le=LONGEST_GRACE_SECONDS)] = DEFAULT_GRACE_SECONDS


class RotateSigningKey(Payload):
    """A new key for the access tokens of the whole deployment; tokens of the former one hold until they end."""

    action: Literal["rotate_signing_key"]


class OidcMember(Payload):
    """A person: who they are at which issuer, under which client id the issuer names us."""

    account_id: UuidStr
    issuer: HttpUrl
    client_id: NonEmptyStr
    subject: NonEmptyStr


class AddOidcMember(OidcMember):
    """Let a person act for an account with an id token of a trusted issuer."""

    action: Literal["add_oidc_member"]


class RemoveOidcMember(OidcMember):
    """Take a person off an account."""

    action: Literal["remove_oidc_member"]


Command = (
    CreateAccount
    | UpdateAccount
    | RotateApiKey
    | RotateHmacKey
    | RotateClientSecret
    | RotateSigningKey
    | AddOidcMember
    | RemoveOidcMember
)


COMMANDS: dict[str, type[Command]] = {
    "create_account": CreateAccount,
    "update_account": UpdateAccount,
    "rotate_api_key": RotateApiKey,
    "rotate_hmac_key": RotateHmacKey,
    "rotate_client_secret": RotateClientSecret,
    "rotate_signing_key": RotateSigningKey,
    "add_oidc_member": AddOidcMember,
    "remove_oidc_member": RemoveOidcMember,
}


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant as stored. `hmac_key` is sealed."""

    id: str
    name: str
    created_at: str
    hmac_key: bytes
    notification_url: str | None = None
    forward_destinations: tuple[str, ...] = ()
