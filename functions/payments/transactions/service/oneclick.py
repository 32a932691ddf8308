"""Payment details that a buyer has on file, for a click: tokens of the transaction's customer that are meant for it."""

from __future__ import annotations

from typing import Final

from payments.engine.errors import ObjectNotFound
from payments.engine.models import Entity
from payments.engine.repository import Objects, index_value
from payments.resources.tokens import TOKEN, TOKEN_VERSION
from payments.transactions.models import Acting
from payments.transactions.service.tokens import retire
from payments.units import UnitOfWork, repeated

MOST_TOKENS: Final = 100


def versions(objects: Objects, acting: Acting, transaction: Entity) -> list[Entity]:
    """Active versions of the customer's one-click tokens, the newest first; none for a transaction without customer."""
    customer = transaction.values.get("customerId")
    if not customer:
        return []
    term = ("customerId", index_value(customer))
    numbers = list(objects.ids(TOKEN, acting.scope, term, 0, 10**16 - 1, True, MOST_TOKENS))
    tokens = objects.find_many((TOKEN, acting.scope, number) for number in numbers)
    active = [
        token.attributes.get("active_version")
        for token in (tokens.get((TOKEN.kind, number)) for number in numbers)
        if token is not None and token.state == "ACTIVE" and token.values.get("enabledForOneClickPayment")
        and token.values.get("customerId") == customer
    ]  # fmt: skip
    wanted = [number for number in active if number]
    found = objects.find_many((TOKEN_VERSION, acting.scope, number) for number in wanted)
    return [found[TOKEN_VERSION.kind, number] for number in wanted if (TOKEN_VERSION.kind, number) in found]


def remove(objects: Objects, acting: Acting, transaction: Entity, number: int) -> None:
    """Take one of them off file, and its card with it; the token stays without a version.

    Raises:
        ObjectNotFound: see `version`.
    """
    repeated(lambda: _remove(objects, acting, version(objects, acting, transaction, number)))


def _remove(objects: Objects, acting: Acting, found: Entity) -> None:
    token = objects.read(TOKEN, acting.scope, found.values["token"]["id"])
    if token.attributes.get("active_version") != found.id:
        raise ObjectNotFound
    unit = UnitOfWork(objects, acting.tenant, acting.scope)
    retire(unit, found)
    unit.replace(token, {}, {"active_version": None})
    unit.commit()


def version(objects: Objects, acting: Acting, transaction: Entity, number: int) -> Entity:
    """One of them, by its own number or its token's.

    Raises:
        ObjectNotFound: it is none of them; whether it exists is told to nobody.
    """
    for each in versions(objects, acting, transaction):
        if number in (each.id, each.link("token")):
            return each
    raise ObjectNotFound
