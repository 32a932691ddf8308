"""What a successful payment leaves on file: a token, or the next version of the one that it was made with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from payments.connectors import CONNECTORS
from payments.engine.fields import stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.resources.tokens import TOKEN, TOKEN_VERSION
from payments.transactions.models import CARD_QUEUE, OF_VERSION, CardFacts
from payments.units import UnitOfWork
from tollgate import clock, ids

HASH_TYPE: Final = 1457546095001
"""The kind of payment information hash that is made of a card's number."""


ONE_CLICK: Final = frozenset({"FORCE_CREATION_WITH_ONE_CLICK_PAYMENT", "ALLOW_ONE_CLICK_PAYMENT"})


@dataclass(frozen=True, slots=True)
class Kept:
    """The token and its active version."""

    token: Entity
    version: Entity


def keep(unit: UnitOfWork, objects: Objects, transaction: Entity) -> Kept | None:
    """Put the card of a payment on file, where the transaction makes a token of it; None where it does not.

    With FORCE_UPDATE, or a token that has no version yet, the transaction's token gets the version; otherwise a new
    token does. A version that was active before becomes obsolete.
    """
    card = CardFacts.read(transaction.attributes.get("card"))
    if not transaction.attributes.get("tokenise") or card is None:
        return None
    number = transaction.link("token")
    known = objects.find(TOKEN, unit.scope, number) if number else None
    if known is not None and known.state == "ACTIVE":
        former = known.attributes.get("active_version")
        earlier = objects.find(TOKEN_VERSION, unit.scope, former) if former else None
        if earlier is not None and earlier.state == "ACTIVE":
            retire(unit, earlier)
        version = _version(unit, known.id, transaction, card)
        return Kept(unit.replace(known, {}, {"active_version": version.id}), version)
    version_id = ids.new_number(clock.now())
    mode = transaction.values.get("tokenizationMode")
    token = unit.insert(
        TOKEN,
        {
            "state": "ACTIVE",
            "language": transaction.values.get("language"),
            "timeZone": transaction.values.get("timeZone"),
            "customerId": transaction.values.get("customerId"),
            "customerEmailAddress": (transaction.values.get("customerEmailAddress") or "")[:150] or None,
            "enabledForOneClickPayment": mode in ONE_CLICK,
            "externalId": f"transaction-{transaction.id}",
            "tokenReference": (transaction.values.get("customerId") or "")[:100] or None,
        },
        {"active_version": version_id},
    )
    return Kept(token, _version(unit, token.id, transaction, card, version_id))


def retire(unit: UnitOfWork, version: Entity) -> None:
    """Make a version obsolete; its card is forgotten."""
    unit.replace(version, {"obsoletedOn": stamp(clock.now())}, states=("OBSOLETE",))
    unit.later(CARD_QUEUE, OF_VERSION, clock.epoch(), version.id)


def _version(
    unit: UnitOfWork, token_id: int, transaction: Entity, card: CardFacts, number: int | None = None
) -> Entity:
    connector = CONNECTORS.get(transaction.attributes.get("connector", 0))
    values: Values = {
        "state": "ACTIVE",
        "token": {"id": token_id},
        "name": f"{card.scheme} {card.masked[-4:]}",
        "activatedOn": stamp(clock.now()),
        "expiresOn": _end_of(card.expiry_year, card.expiry_month),
        "environment": connector.environment if connector else None,
        "language": transaction.values.get("language"),
        "billingAddress": transaction.values.get("billingAddress"),
        "shippingAddress": transaction.values.get("shippingAddress"),
        "paymentConnectorConfiguration": transaction.values.get("paymentConnectorConfiguration"),
        "paymentMethod": {"id": connector.method} if connector else None,
        "paymentInformationHashes": [{"type": {"id": HASH_TYPE}, "value": card.fingerprint}],
    }
    return unit.insert(TOKEN_VERSION, values, {"card": card.stored()}, number=number)


def _end_of(year: int, month: int) -> str:
    """The moment at which a card ends: the first one of the month after, UTC."""
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return stamp(datetime(*following, 1, tzinfo=UTC))
