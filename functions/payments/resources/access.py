"""Accounts, spaces, users, roles and permissions (fact file 2.16, "Accounts, spaces, users, roles").

All of a tenant's lie under its root account. `state` of a new one may be CREATE, ACTIVE or INACTIVE; the further states
are reached by operations. Limits of requests can be lowered, and raised again up to where they began.
"""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import CREATED_ON, ID, LANGUAGE, PURGE_DATE, TIME_ZONE, VERSION, Resource
from payments.engine.fields import (
    LOCALIZED,
    CountryCode,
    CurrencyCode,
    Email,
    Embedded,
    Field,
    Flag,
    Link,
    Long,
    Many,
    Moment,
    OneOf,
    Shape,
    Text,
    pick,
)

USER_LIMIT: Final = 30_000
SPACE_LIMIT: Final = 60_000
"""Requests per window of two minutes, unless a lower limit is set."""

CREATION_STATES: Final = OneOf.of("CREATE ACTIVE INACTIVE DELETING DELETED")
SETTABLE_STATES: Final = OneOf.of("CREATE ACTIVE INACTIVE")
USER_TYPES: Final = OneOf.of("HUMAN_USER SINGLE_SIGNON_USER APPLICATION_USER ANONYMOUS_USER SERVER_USER")

_DELETION: Final = (Field("deletedBy", Long(1)), Field("deletedOn", Moment()))

SCOPE: Final = Resource(
    name="Scope", path="/scopes", scope="global", data="scopes", listable=False, searchable=False,
    fields=(ID, VERSION, Field("name", Text(50)), Field("machineName", Text(50)), Field("state", CREATION_STATES)),
)  # fmt: skip

_ACCOUNT: Final = (
    ID,
    VERSION,
    CREATED_ON,
    PURGE_DATE,
    Field("name", Text(200, least=3)),
    Field("parentAccount", Link("Account")),
    Field("scope", Link("Scope")),
    Field("state", OneOf.of("CREATE RESTRICTED_ACTIVE ACTIVE INACTIVE DELETING DELETED")),
    Field("type", OneOf.of("MASTER REGULAR SUBACCOUNT")),
    Field("active", Flag()),
    Field("activeOrRestrictedActive", Flag()),
    Field("restrictedActive", Flag()),
    Field("subaccountLimit", Long(0, 1000)),
    Field("createdBy", Long(1)),
    *_DELETION,
)

ACCOUNT: Final = Resource(
    name="Account",
    path="/accounts",
    tag="Accounts",
    scope="tenant",
    fields=_ACCOUNT,
    create=Shape("AccountCreate", pick(_ACCOUNT, "name parentAccount scope subaccountLimit"), ("scope",)),
    update=Shape("AccountUpdate", pick(_ACCOUNT, "name subaccountLimit version"), ("version",)),
    indexed=("state",),
    delete="soft",
)

SPACE_ADDRESS: Final = Shape(
    "SpaceAddress",
    (
        Field("city", Text(100)),
        Field("country", CountryCode()),
        Field("dependentLocality", Text(100)),
        Field("emailAddress", Email(254)),
        Field("familyName", Text(100)),
        Field("givenName", Text(100)),
        Field("mobilePhoneNumber", Text(100)),
        Field("organizationName", Text(100)),
        Field("phoneNumber", Text(100)),
        Field("postalState", Text(100)),
        Field("postcode", Text(40)),
        Field("salesTaxNumber", Text(100)),
        Field("salutation", Text(20)),
        Field("sortingCode", Text(100)),
        Field("street", Text(300)),
    ),
)

_SPACE: Final = (
    ID,
    VERSION,
    CREATED_ON,
    PURGE_DATE,
    TIME_ZONE,
    Field("name", Text(200, least=3)),
    Field("account", Link("Account")),
    Field("state", CREATION_STATES),
    Field("active", Flag()),
    Field("activeOrRestrictedActive", Flag()),
    Field("restrictedActive", Flag()),
    Field("postalAddress", Embedded(SPACE_ADDRESS)),
    Field("primaryCurrency", CurrencyCode()),
    Field("requestLimit", Long(1, SPACE_LIMIT)),
    Field("technicalContactAddresses", Many(Email(254), 20)),
    Field("createdBy", Long(1)),
    *_DELETION,
)
_SPACE_BODY: Final = (
    *pick(_SPACE, "name postalAddress primaryCurrency requestLimit"),
    Field("state", SETTABLE_STATES),
    *pick(_SPACE, "technicalContactAddresses timeZone"),
)

SPACE: Final = Resource(
    name="Space",
    path="/spaces",
    tag="Spaces",
    scope="tenant",
    fields=_SPACE,
    create=Shape("SpaceCreate", (*pick(_SPACE, "account"), *_SPACE_BODY), ("account",)),
    update=Shape("SpaceUpdate", (*_SPACE_BODY, VERSION), ("version",)),
    indexed=("account", "state"),
    delete="soft",
)

_USER: Final = (
    ID,
    VERSION,
    PURGE_DATE,
    Field("primaryAccount", Long(1)),
    Field("scope", Long(1)),
    Field("state", CREATION_STATES),
    Field("userType", USER_TYPES),
)
_STATE: Final = Field("state", SETTABLE_STATES)

_APPLICATION_USER: Final = (*_USER, Field("name", Text(256)), Field("requestLimit", Long(1, USER_LIMIT)))

APPLICATION_USER: Final = Resource(
    name="ApplicationUser",
    path="/application-users",
    tag="Application users",
    scope="tenant",
    fields=_APPLICATION_USER,
    create=Shape(
        "ApplicationUserCreate",
        (*pick(_APPLICATION_USER, "name primaryAccount requestLimit"), _STATE),
        ("primaryAccount",),
    ),
    update=Shape(
        "ApplicationUserUpdate", (*pick(_APPLICATION_USER, "name requestLimit"), _STATE, VERSION), ("version",)
    ),
    indexed=("primaryAccount", "state"),
    delete="soft",
)

_PERSON: Final = (
    *_USER,
    LANGUAGE,
    TIME_ZONE,
    Field("firstname", Text(100)),
    Field("lastname", Text(100)),
)
_HUMAN_USER: Final = (
    *_PERSON,
    Field("emailAddress", Email(128)),
    Field("emailAddressVerified", Flag()),
    Field("mobilePhoneNumber", Text(30)),
    Field("mobilePhoneVerified", Flag()),
    Field("twoFactorEnabled", Flag()),
)
_HUMAN_BODY: Final = "emailAddress firstname language lastname mobilePhoneNumber timeZone twoFactorEnabled"

HUMAN_USER: Final = Resource(
    name="HumanUser",
    path="/human-users",
    tag="Human users",
    scope="tenant",
    fields=_HUMAN_USER,
    create=Shape("HumanUserCreate", (*pick(_HUMAN_USER, f"{_HUMAN_BODY} primaryAccount"), _STATE)),
    update=Shape("HumanUserUpdate", (*pick(_HUMAN_USER, _HUMAN_BODY), _STATE, VERSION), ("version",)),
    indexed=("primaryAccount", "state"),
    unique=("emailAddress",),
    delete="soft",
)

_SINGLE_SIGN_ON_USER: Final = (*_PERSON, Field("provider", Long(1)))

SINGLE_SIGN_ON_USER: Final = Resource(
    name="SingleSignOnUser",
    path="/single-sign-on-users",
    tag="Single sign-on users",
    scope="tenant",
    fields=_SINGLE_SIGN_ON_USER,
    create=Shape(
        "SingleSignOnUserCreate",
        (*pick(_SINGLE_SIGN_ON_USER, "firstname language lastname primaryAccount provider timeZone"), _STATE),
        ("provider",),
    ),
    update=Shape(
        "SingleSignOnUserUpdate",
        (*pick(_SINGLE_SIGN_ON_USER, "firstname language lastname timeZone"), _STATE, VERSION),
        ("version",),
    ),
    indexed=("primaryAccount", "state"),
    delete="soft",
)

_ROLE: Final = (
    ID,
    VERSION,
    PURGE_DATE,
    Field("account", Link("Account")),
    Field("name", LOCALIZED),
    Field("description", LOCALIZED),
    Field("permissions", Many(Link("Permission"), 500), hidden=True),
    Field("state", OneOf.of("CREATE ACTIVE DELETING DELETED")),
    Field("twoFactorRequired", Flag()),
)
_ROLE_BODY: Final = "description name permissions twoFactorRequired"

ROLE: Final = Resource(
    name="Role",
    path="/roles",
    tag="Roles",
    scope="tenant",
    fields=_ROLE,
    create=Shape("RoleCreate", pick(_ROLE, f"account {_ROLE_BODY}"), ("account",)),
    update=Shape("RoleUpdate", pick(_ROLE, f"{_ROLE_BODY} version"), ("version",)),
    indexed=("account", "state"),
    delete="soft",
)

PERMISSION: Final = Resource(
    name="Permission",
    path="/permissions",
    tag="Permissions",
    scope="global",
    data="permissions",
    fields=(
        ID,
        Field("name", LOCALIZED),
        Field("title", LOCALIZED),
        Field("description", LOCALIZED),
        Field("parent", Long(1)),
        Field("pathToRoot", Many(Long(1))),
        Field("group", Flag()),
        Field("leaf", Flag()),
        Field("twoFactorRequired", Flag()),
        Field("webAppEnabled", Flag()),
    ),
)

catalogue.declare(
    SCOPE, ACCOUNT, SPACE, APPLICATION_USER, HUMAN_USER, SINGLE_SIGN_ON_USER, ROLE, PERMISSION
)  # fmt: skip
