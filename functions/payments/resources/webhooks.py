"""Who hears of changes in a space: addresses, listeners to kinds of objects, identities that sign (fact file 2.11)."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import ID, PURGE_DATE, SPACE_ID, VERSION, Resource
from payments.engine.fields import Field, Flag, Link, Long, Many, OneOf, Shape, Text, Url, pick

_STATE: Final = Field("state", OneOf.of("CREATE ACTIVE INACTIVE DELETING DELETED"))
_NAME: Final = Field("name", Text(50))

_URL: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, _NAME, _STATE,
    Field("applicationManaged", Flag()),
    Field("url", Url(500, 9)),
)  # fmt: skip

WEBHOOK_URL: Final = Resource(
    name="WebhookUrl",
    path="/webhooks/urls",
    tag="WebhookURLs",
    fields=_URL,
    create=Shape("WebhookUrlCreate", pick(_URL, "name state url")),
    update=Shape("WebhookUrlUpdate", pick(_URL, "name state url version"), ("version",)),
    indexed=("state",),
    delete="soft",
    bulk=True,
)

_LISTENER: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, _NAME, _STATE,
    Field("enablePayloadSignatureAndState", Flag(), description="Whether messages are signed and name the state"),
    Field("entity", Long(1), description="The number of the kind of objects to hear of"),
    Field("entityStates", Many(Text(60), most=50), description="The states to hear of; none means all"),
    Field("identity", Link("WebhookIdentity"), description="Whose key signs"),
    Field("notifyEveryChange", Flag(), description="Whether to hear of changes that leave the state as it is, too"),
    Field("url", Link("WebhookUrl")),
)  # fmt: skip
_LISTENER_BODY: Final = "enablePayloadSignatureAndState entityStates name notifyEveryChange state"

WEBHOOK_LISTENER: Final = Resource(
    name="WebhookListener",
    path="/webhooks/listeners",
    tag="WebhookListeners",
    fields=_LISTENER,
    create=Shape("WebhookListenerCreate", pick(_LISTENER, f"{_LISTENER_BODY} entity identity url"), ("entity", "url")),
    update=Shape("WebhookListenerUpdate", pick(_LISTENER, f"{_LISTENER_BODY} version"), ("version",)),
    indexed=("url", "entity", "state"),
    delete="soft",
    bulk=True,
)

_IDENTITY: Final = (ID, VERSION, SPACE_ID, PURGE_DATE, _NAME, _STATE)

WEBHOOK_IDENTITY: Final = Resource(
    name="WebhookIdentity",
    path="/webhooks/identities",
    tag="WebhookIdentities",
    fields=_IDENTITY,
)
"""There is one per space. The published operations have none for it; reading it and giving it a new key are ours."""

catalogue.declare(WEBHOOK_URL, WEBHOOK_LISTENER, WEBHOOK_IDENTITY)
