"""The invoices of a subscription: those of the transactions of its charges, searched as all invoices are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payments.engine import grammar, ordering, predicates
from payments.engine.declarations import Resource
from payments.engine.errors import QueryTooBroad
from payments.engine.grammar import And, Node, Or, Term
from payments.engine.models import Context, Page
from payments.engine.repository import Objects
from payments.engine.search import Asked, TableSearch
from payments.resources.subscriptions import CHARGE, SUBSCRIPTION
from payments.resources.transactions import TRANSACTION_INVOICE
from payments.subscriptions.repository import SubscriptionRecords

MOST_CHARGES: Final = 500


class Invoices:
    """Searches invoices of subscriptions."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._records = SubscriptionRecords(objects)
        self._search = TableSearch(objects)

    def search(self, context: Context, subscription_id: int, asked: Mapping[str, Any]) -> Page:
        """A page of a search; `asked` are the parameters of `parameters.SEARCH`.

        Raises:
            ObjectNotFound: there is no such subscription.
            QueryTooBroad: it has more charges than can be looked through.
        """
        place, resource = context.place, TRANSACTION_INVOICE
        scope = place.scope_of(SUBSCRIPTION)
        self._objects.read(SUBSCRIPTION, scope, subscription_id)

        def can_read(each: Resource) -> bool:
            return context.can(each.permission_to("read"))

        wanted = grammar.parse(asked["query"])
        keys = ordering.parse(asked["order"], resource, can_read)
        transactions = self._transactions(scope, subscription_id)
        terms: list[Node] = [Term("linkedTransaction", ":", str(each), False, 0) for each in transactions]
        if not terms:
            if wanted is not None:
                predicates.compiled(wanted, resource, can_read)
            return Page([], has_more=False)
        own: Node = Or(tuple(terms)) if len(terms) > 1 else terms[0]
        predicate = predicates.compiled(And((own, wanted)) if wanted is not None else own, resource, can_read)
        found = Asked(resource, place.scope_of(resource), place, predicate, keys, asked["offset"], asked["limit"])
        return self._search.find(found)

    def _transactions(self, scope: str, subscription_id: int) -> list[int]:
        numbers = list(self._records.ids(CHARGE, scope, "subscription", subscription_id, limit=MOST_CHARGES + 1))
        if len(numbers) > MOST_CHARGES:
            raise QueryTooBroad(
                f"the subscription has more than {MOST_CHARGES} charges: search the invoices of its transactions"
            )
        charges = self._objects.find_many((CHARGE, scope, each) for each in numbers)
        return sorted(filter(None, (each.link("transaction") for each in charges.values())))
