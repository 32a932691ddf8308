"""Which of a tenant's accounts, spaces, users and roles a caller may see and change.

All of them lie below the tenant's root account and each belongs to an account. A route asks whether the caller has the
permission anywhere; here it is held against the object's own account. What a caller may not see is not there (404);
what it sees and may not change is refused (403). Lists and searches of a caller whose rights do not cover the whole
tenant are searches with the accounts they cover as a further term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from payments.engine import grammar, predicates, search
from payments.engine.declarations import Resource
from payments.engine.errors import ObjectNotFound, StateInvalid
from payments.engine.models import Context, Entity, Page
from payments.engine.repository import Objects
from payments.engine.search import Asked, TableSearch
from payments.engine.service import Change, Hooks, ResourceService
from payments.resources.access import ACCOUNT
from tollgate.auth.directory import Directory
from tollgate.dialects.payments import PaymentsCaller
from tollgate.errors import Forbidden, Invalid

DELETED: Final = "DELETED"
_MOST_ACCOUNTS: Final = 1000
_TERMS: Final = 50
_OWNERS: Final = {"Account": "id", "Space": "account", "Role": "account"}


@dataclass(frozen=True, slots=True)
class AccessContext(Context):
    """As every context, with the caller. `revealed` takes secrets that the answer shows once, by their object's id."""

    caller: PaymentsCaller | None = None
    revealed: dict[int, str] = field(default_factory=dict)


def caller_of(context: Context) -> PaymentsCaller:
    if not isinstance(context, AccessContext) or context.caller is None:
        raise RuntimeError("the context has no caller")
    return context.caller


def directory_of(context: Context) -> Directory:
    directory = caller_of(context).directory
    if directory is None:
        raise RuntimeError("the caller has no directory")
    return directory


def owner_of(entity: Entity) -> int:
    """The account that an object belongs to: its own for an account."""
    if entity.resource.name == "Account":
        return entity.id
    name = _OWNERS.get(entity.resource.name, "primaryAccount")
    value = entity.values[name]
    return int(value["id"] if isinstance(value, dict) else value)


def path_of(context: Context, account: int, name: str) -> tuple[int, ...]:
    """The accounts from the root down to one that a body names.

    Raises:
        Invalid: at `name`: there is no such account in the tenant.
    """
    directory = directory_of(context)
    directory.load([("ACCOUNT", account)], fresh=True)
    found = directory.account(account)
    if found is None or found.tenant != context.tenant or found.state == DELETED:
        raise Invalid.at(name, "names an object that is not there")
    return found.path


def require(context: Context, permission: str, path: Sequence[int]) -> None:
    """Raises:
    Forbidden: the caller lacks the permission in the account at the end of the path.
    """
    if not caller_of(context).may(permission, path):
        raise Forbidden(f"The user lacks the permission {permission} in this account")


def require_living(change: Change) -> None:
    """Raises:
    StateInvalid: the object was deleted.
    """
    if change.before is not None and change.before.state == DELETED:
        raise StateInvalid


class OwnedService(ResourceService):
    """The use cases of a resource whose objects belong to accounts."""

    def __init__(self, resource: Resource, objects: Objects, hooks: Hooks | None = None) -> None:
        super().__init__(resource, objects, hooks)
        self._table_search = TableSearch(objects)

    def read(self, context: Context, object_id: int, parent: Entity | None = None) -> Entity:
        """Raises:
        ObjectNotFound: it is not there, or not for this caller to see.
        """
        entity = super().read(context, object_id, parent)
        if not self._may(context, entity, "read"):
            raise ObjectNotFound
        return self._shown(context, entity)

    def update(self, context: Context, before: Entity, body: Any, parent: Entity | None = None) -> Entity:
        self._require(context, before, "update")
        return super().update(context, before, body, parent)

    def delete(self, context: Context, object_id: int, parent: Entity | None = None) -> None:
        self._require(context, self.read(context, object_id), "delete")
        super().delete(context, object_id, parent)

    def page(self, context: Context, asked: Mapping[str, Any], parent: Entity | None = None) -> Page:
        if self._sees_all(context):
            return self._shown_page(context, super().page(context, asked, parent))
        after, before, descending = asked["after"], asked["before"], bool(asked["order"])
        low, high = (before, after) if descending else (after, before)
        from_end = after is None and before is not None
        bounds = [f"id:>{low}"] * (low is not None) + [f"id:<{high}"] * (high is not None)
        order = "id:DESC" if descending != from_end else "id:ASC"
        found = self._search_visible(context, " ".join(bounds), order, 0, asked["limit"])
        return Page(found.entities[::-1], found.has_more) if from_end else found

    def search(self, context: Context, asked: Mapping[str, Any], parent: Entity | None = None) -> Page:
        if self._sees_all(context):
            return self._shown_page(context, super().search(context, asked, parent))
        return self._search_visible(context, asked["query"], asked["order"], asked["offset"], asked["limit"])

    def require_visible(self, context: Context, object_id: int, verb: str) -> Entity:
        """An object for an operation of the group's own.

        Raises:
            ObjectNotFound, Forbidden: as for reading and for changing.
        """
        entity = self.read(context, object_id)
        self._require(context, entity, verb)
        return entity

    # ------------------------------------------------------------------ what a caller sees

    def _may(self, context: Context, entity: Entity, verb: str) -> bool:
        account = directory_of(context).account(owner_of(entity))
        permission = f"{self.resource.permission or self.resource.kind}.{verb}"
        return account is not None and caller_of(context).may(permission, account.path)

    def _require(self, context: Context, entity: Entity, verb: str) -> None:
        if not self._may(context, entity, verb):
            raise Forbidden(f"The user lacks the permission {self.resource.kind}.{verb} in this account")

    def _sees_all(self, context: Context) -> bool:
        return caller_of(context).may_everywhere(self.resource.permission_to("read"))

    def _search_visible(self, context: Context, query: str, order: str, offset: int, limit: int) -> Page:
        predicate, keys = search.read(self.resource, query, order, lambda each: context.can(each.permission_to("read")))
        accounts = self._visible_accounts(context)
        if not accounts:
            return Page([], False)
        parts = (self._within(accounts),) if predicate is None else (predicate, self._within(accounts))
        whole = parts[0] if len(parts) == 1 else predicates.All(parts)
        found = Asked(self.resource, self.scope(context), context.place, whole, keys, offset, limit)
        return self._shown_page(context, self._table_search.find(found))

    def _within(self, accounts: Sequence[int]) -> predicates.Predicate:
        name = _OWNERS.get(self.resource.name, "primaryAccount")
        texts = [
            " OR ".join(f"{name}:{each}" for each in accounts[start : start + _TERMS])
            for start in range(0, len(accounts), _TERMS)
        ]
        nodes = [node for node in map(grammar.parse, texts) if node is not None]
        found = [predicates.compiled(node, self.resource, lambda _: True) for node in nodes]
        return found[0] if len(found) == 1 else predicates.AnyOf(tuple(found))

    def _visible_accounts(self, context: Context) -> list[int]:
        """The accounts in which the caller may read what this resource is about."""
        scope = context.place.scope_of(ACCOUNT)
        numbers = list(self.objects.ids(ACCOUNT, scope, None, 1, 10**16 - 1, False, _MOST_ACCOUNTS))
        directory, permission = directory_of(context), self.resource.permission_to("read")
        visible = []
        for start in range(0, len(numbers), 100):
            directory.load([("ACCOUNT", each) for each in numbers[start : start + 100]])
        for number in numbers:
            account = directory.account(number)
            if account is not None and caller_of(context).may(permission, account.path):
                visible.append(number)
        return visible

    def _shown_page(self, context: Context, page: Page) -> Page:
        return Page([self._shown(context, each) for each in page.entities], page.has_more)

    def _shown(self, context: Context, entity: Entity) -> Entity:
        """Accounts and spaces say whether they and everything above them is active."""
        if not self.resource.has("active"):
            return entity
        directory = directory_of(context)
        account = directory.account(owner_of(entity))
        is_open = entity.state == "ACTIVE" and account is not None and directory.is_open(account.path)
        own = {"active": is_open, "activeOrRestrictedActive": is_open, "restrictedActive": False}
        return replace(entity, values={**entity.values, **own})
