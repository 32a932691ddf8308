"""Payment links: what making and changing one involves, and opening a transaction by one.

A link that may be used so often counts before a transaction is made and takes the count back if none was, so it is
never used more often, whoever comes at the same moment.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from payments import line_items
from payments.engine.errors import StateInvalid
from payments.engine.fields import now
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.engine.service import Change, Hooks
from payments.links.errors import LinkClosed, LinkNotFound
from payments.links.repository import LinkUses
from payments.links.rules import transaction_body
from payments.resources.links import PAYMENT_LINK
from payments.transactions.public import Transactions
from tollgate import ids
from tollgate.errors import Failure, Fault, Invalid

ACTIVE: Final = "ACTIVE"
_BEGINNINGS: Final = ("CREATE", ACTIVE, "INACTIVE")


class LinkHooks(Hooks):
    """Of payment links. `base` is where this deployment is reached."""

    def __init__(self, base: str = "") -> None:
        self._base = base

    def creating(self, change: Change) -> None:
        values = change.values
        values.setdefault("state", ACTIVE)
        if values["state"] not in _BEGINNINGS:
            raise Invalid.at("state", f"must be one of {', '.join(_BEGINNINGS)}")
        values.setdefault("billingAddressHandlingMode", "NOT_REQUIRED")
        values.setdefault("shippingAddressHandlingMode", "NOT_REQUIRED")
        url = f"{self._base}/s/{change.context.place.space_id}/payment/link/{change.id}"
        if values["protectionMode"] == "ACCESS_KEY":
            secret = ids.new_secret()
            change.attributes["access_key"] = secret
            url += f"?accessKey={secret}"
        values["url"] = url
        change.attributes["created_by"] = change.context.user_id
        _check(values)

    def updating(self, change: Change) -> None:
        if change.before is None or change.before.state == "DELETED":
            raise StateInvalid
        values = {**change.before.values, **change.values}
        _check(values)
        if "lineItems" in change.values or "currency" in change.values:
            change.values["lineItems"] = values.get("lineItems")


def _check(values: dict[str, Any]) -> None:
    """What the members say together."""
    faults = []
    begins, ends = values.get("availableFrom"), values.get("availableUntil")
    if begins and ends and begins >= ends:
        faults.append(Fault("availableUntil", "must be after availableFrom"))
    for n, domain in enumerate(values.get("allowedRedirectionDomains") or ()):
        name = domain.removeprefix("*.")
        if domain not in ("ALL", "NONE") and not all(
            part and all(sign.isalnum() or sign == "-" for sign in part) for part in name.split(".")
        ):
            faults.append(Fault(f"allowedRedirectionDomains[{n}]", "must be a domain, *. and a domain, ALL or NONE"))
    if faults:
        raise Invalid(faults)
    if values.get("lineItems") and values.get("currency"):
        values["lineItems"] = line_items.expanded(values["lineItems"], values["currency"], "lineItems")


class LinkOpening:
    """What a buyer does with a link."""

    def __init__(self, objects: Objects, transactions: Transactions) -> None:
        self._objects = objects
        self._transactions = transactions
        self._uses = LinkUses(objects)

    def find(self, scope: str, number: int, access_key: str) -> Entity:
        """A link that is open now.

        Raises:
            LinkNotFound: there is none, it is not active, or the key is not its.
            LinkClosed: it is not open now.
        """
        link = self._objects.find(PAYMENT_LINK, scope, number)
        if link is None or link.state != ACTIVE:
            raise LinkNotFound
        secret = link.attributes.get("access_key")
        if secret is not None and not hmac.compare_digest(str(secret).encode(), access_key.encode()):
            raise LinkNotFound
        begins, ends = link.values.get("availableFrom"), link.values.get("availableUntil")
        if (begins and now() < begins) or (ends and now() >= ends):
            raise LinkClosed
        most = link.values.get("maximalNumberOfTransactions")
        if most is not None and self._uses.of(link) >= most:
            raise LinkClosed
        return link

    def open(self, context: Context, link: Entity, asked: Mapping[str, str], form: Mapping[str, str]) -> Entity:
        """A new transaction of a link.

        Raises:
            Invalid: what the address or the form says is not enough, or breaks a rule.
            LinkClosed: it was used as often as it may.
        """
        body = transaction_body(link.values, asked, form)
        most = link.values.get("maximalNumberOfTransactions")
        if most is None:
            return self._transactions.create(context, body).entity
        self._uses.count(link, most)
        try:
            return self._transactions.create(context, body).entity
        except Failure:
            self._uses.take_back(link)
            raise
