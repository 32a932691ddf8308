"""Accounts and spaces: where a tenant's objects lie, how many there may be, when they are open."""

from __future__ import annotations

from typing import Final

from payments.access.errors import Unchangeable
from payments.access.models import MOST_LEVELS, NewAccount, NewSpace
from payments.access.repository.directory import DirectoryRepository
from payments.access.service.visibility import (
    OwnedService,
    caller_of,
    directory_of,
    owner_of,
    path_of,
    require,
    require_living,
)
from payments.back_office.public import add_templates
from payments.engine.errors import StateInvalid, VersionConflict
from payments.engine.fields import now
from payments.engine.models import Context, Values
from payments.engine.service import ATTEMPTS, Change, Hooks
from payments.resources.access import SPACE_LIMIT
from tollgate.auth.directory import ACTIVE
from tollgate.errors import Contended, Invalid

INACTIVE: Final = "INACTIVE"
SCOPE_ID: Final = 1


class AccountHooks(Hooks):
    """A new account lies below another one of the tenant; there is no way to a second root but a new tenant."""

    def __init__(self, repository: DirectoryRepository) -> None:
        self._repository = repository

    def creating(self, change: Change) -> None:
        parent = change.values.get("parentAccount", {}).get("id", caller_of(change.context).account)
        path = path_of(change.context, parent, "parentAccount")
        require(change.context, "account.create", path)
        if len(path) >= MOST_LEVELS:
            raise Invalid.at("parentAccount", f"is {MOST_LEVELS} levels deep, and nothing goes deeper")
        account = NewAccount(change.id, change.context.tenant, (*path, change.id), change.given.get("subaccountLimit"))
        self._repository.insert_account(change.transaction, account)
        self._repository.count_below(change.transaction, parent, "subaccounts", 1, "parentAccount")
        change.values["parentAccount"] = {"id": parent}
        change.values |= {"state": ACTIVE, "type": "SUBACCOUNT", "createdBy": change.context.user_id, **OPEN}

    def updating(self, change: Change) -> None:
        require_living(change)
        if "subaccountLimit" in change.values:
            limit = {"limit": change.values["subaccountLimit"]}
            self._repository.change(change.transaction, "ACCOUNT", change.id, limit)

    def deleting(self, change: Change) -> None:
        parent = change.before.link("parentAccount") if change.before is not None else None
        if parent is None:
            raise Unchangeable
        self._repository.close_account(change.transaction, change.id)
        self._repository.count_below(change.transaction, parent, "subaccounts", -1)
        change.values |= deletion(change)


OPEN: Final[Values] = {"active": True, "activeOrRestrictedActive": True, "restrictedActive": False}


def deletion(change: Change) -> Values:
    """Who deleted an object, and when."""
    return {"deletedBy": change.context.user_id, "deletedOn": now()}


class AccountService(OwnedService):
    """The use cases of accounts."""

    def switch(self, context: Context, account: int, state: str, repository: DirectoryRepository) -> None:
        """Activate or deactivate an account; with it go all spaces below it. Twice is once.

        Raises:
            StateInvalid: the account was deleted.
        """
        for _ in range(ATTEMPTS):
            before = self.require_visible(context, account, "activate")
            if before.state == state:
                return
            if before.state not in {ACTIVE, INACTIVE}:
                raise StateInvalid
            change = self.change_of(context, before)
            change.values = {"state": state}
            repository.change(change.transaction, "ACCOUNT", account, {"state": state})
            try:
                self.commit(change)
            except VersionConflict:
                continue
            directory_of(context).forget("ACCOUNT", account)
            return
        raise Contended


class SpaceHooks(Hooks):
    """A space belongs to an account for good."""

    def __init__(self, repository: DirectoryRepository) -> None:
        self._repository = repository

    def creating(self, change: Change) -> None:
        account = change.values["account"]["id"]
        path = path_of(change.context, account, "account")
        require(change.context, "space.create", path)
        change.values.setdefault("state", ACTIVE)
        change.values.setdefault("requestLimit", SPACE_LIMIT)
        change.values.setdefault("timeZone", "UTC")
        change.values |= {"createdBy": change.context.user_id, **OPEN}
        limit, state = change.values["requestLimit"], change.values["state"]
        space = NewSpace(change.id, change.context.tenant, path, limit, state)
        self._repository.insert_space(change.transaction, space)
        add_templates(change.objects, change.transaction, change.id)
        self._repository.count_below(change.transaction, account, "spaces", 1, "account")

    def updating(self, change: Change) -> None:
        require_living(change)
        for name, default in (("state", ACTIVE), ("requestLimit", SPACE_LIMIT)):
            if name in change.values and change.values[name] is None:
                change.values[name] = default
        names = {"state": "state", "requestLimit": "limit"}
        changes = {names[name]: change.values[name] for name in names if name in change.values}
        self._repository.change(change.transaction, "SPACE", change.id, changes)
        directory_of(change.context).forget("SPACE", change.id)

    def deleting(self, change: Change) -> None:
        if change.before is None:
            return
        self._repository.change(change.transaction, "SPACE", change.id, {"state": "DELETED"})
        self._repository.count_below(change.transaction, owner_of(change.before), "spaces", -1)
        change.values |= deletion(change)
        directory_of(change.context).forget("SPACE", change.id)
