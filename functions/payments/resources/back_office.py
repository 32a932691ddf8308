"""What people around payments keep: saved views, partnerships, themes of an account; and platforms that buyers paid on.

Saved views are a path of our own (the reference mentions them without an operation); the models of partnerships, of
partners' configurations and of themes are not published, their properties are our own reading (decision 40).
"""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import CREATED_ON, ID, SPACE_ID, VERSION, Resource
from payments.engine.fields import DecimalNumber, Email, Field, Flag, Link, Long, OneOf, Shape, Text, Url, pick

_NAME: Final = Field("name", Text(100, least=1))

_VIEW: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID, _NAME,
    Field("createdBy", Long(1)),
    Field("entity", Text(100, least=1), description="The name of the resource that is searched: `Transaction`"),
    Field("order", Text(500)),
    Field("query", Text(8000)),
)  # fmt: skip
SAVED_VIEW: Final = Resource(
    name="SavedView",
    path="/saved-views",
    tag="SavedViews",
    fields=_VIEW,
    create=Shape("SavedViewCreate", pick(_VIEW, "name entity query order"), ("name", "entity")),
    update=Shape("SavedViewUpdate", pick(_VIEW, "name query order version"), ("version",)),
    indexed=("entity", "createdBy"),
    delete="hard",
)

CLIENT_PLATFORM: Final = Resource(
    name="TransactionClientPlatformInformation",
    path="/payment/transaction/client-platforms",
    tag="TransactionClientPlatforms",
    permission="transaction",
    fields=(
        ID, VERSION,
        Field("integrationType", Text(100)),
        Field("osVersion", Text(100)),
        Field("platformType", Text(100)),
        Field("sdkVersion", Text(100)),
        Field("spaceId", Long(1)),
        Field("transaction", Long(1)),
    ),
    indexed=("transaction",),
    unique=("transaction",),
)  # fmt: skip

_PARTNER: Final = (
    ID, VERSION, CREATED_ON, _NAME,
    Field("contactEmailAddress", Email(254)),
    Field("enabled", Flag()),
    Field("revenueShare", DecimalNumber(), description="Per cent of fees"),
    Field("website", Url(500)),
)  # fmt: skip
_PARTNER_BODY: Final = "name contactEmailAddress enabled revenueShare website"
PARTNER_CONFIGURATION: Final = Resource(
    name="WalleejoinAdminPartnerConfigurationResponseDto",
    path="/admin/join-program/partners/configurations",
    tag="JoinAdminPartnerConfiguration",
    permission="partnerConfiguration",
    scope="tenant",
    fields=_PARTNER,
    create=Shape("WalleejoinAdminPartnerConfigurationRequest", pick(_PARTNER, _PARTNER_BODY), ("name",)),
    update=Shape("WalleejoinAdminPartnerConfigurationUpdate", pick(_PARTNER, f"{_PARTNER_BODY} version"), ("version",)),
    unique=("name",),
    delete="hard",
    listable=False,
    searchable=False,
)

_PARTNERSHIP: Final = (
    ID, VERSION, CREATED_ON, _NAME,
    Field("contactEmailAddress", Email(254)),
    Field("externalId", Text(100, least=1, ascii=True)),
    Field("partnerConfiguration", Link("WalleejoinAdminPartnerConfigurationResponseDto")),
    Field("state", OneOf.of("ACTIVE DELETED")),
    Field("type", OneOf.of("SIMPLE ISV AFFILIATE")),
)  # fmt: skip
_PARTNERSHIP_BODY: Final = "name contactEmailAddress externalId partnerConfiguration"
PARTNERSHIP: Final = Resource(
    name="WalleejoinPartnership",
    path="/join-program/partnerships",
    tag="JoinPartnership",
    permission="partnership",
    scope="account",
    fields=_PARTNERSHIP,
    create=Shape("WalleejoinPartnershipCreate", pick(_PARTNERSHIP, _PARTNERSHIP_BODY), ("name",)),
    update=Shape("WalleejoinPartnershipUpdate", pick(_PARTNERSHIP, "name contactEmailAddress version"), ("version",)),
    indexed=("partnerConfiguration", "type", "state"),
    unique=("externalId",),
    delete="soft",
)

_COLOUR: Final = Text(7, pattern="#[0-9A-Fa-f]{6}")
_THEME: Final = (
    ID, VERSION, CREATED_ON,
    Field("accountId", Long(1)),
    Field("backgroundColor", _COLOUR),
    Field("hasLogo", Flag()),
    Field("logo", Text(), secret=True),
    Field("logoMimeType", Text(50)),
    Field("name", Text(100)),
    Field("primaryColor", _COLOUR),
    Field("secondaryColor", _COLOUR),
)  # fmt: skip
ACCOUNT_THEME: Final = Resource(
    name="WebUiAccountTheme",
    path="/account/ui-themes",
    tag="WebUiAccountTheme",
    permission="uiTheme",
    scope="account",
    fields=_THEME,
    unique=("accountId",),
    listable=False,
    searchable=False,
)
THEME_BODY: Final = Shape("WebUiAccountThemeCreate", pick(_THEME, "name primaryColor secondaryColor backgroundColor"))


catalogue.declare(SAVED_VIEW, CLIENT_PLATFORM, PARTNER_CONFIGURATION, PARTNERSHIP, ACCOUNT_THEME)
