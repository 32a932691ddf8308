"""Users of the three kinds, and the keys that application users sign with.

A new user may do nothing until it is given a role. A key has 32 random bytes; it is in an answer once, and kept sealed
under the tenant's data key, because checking a signature takes the key itself.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from payments.access.errors import UserNotFound
from payments.access.models import NewKey, NewUser
from payments.access.repository.directory import DirectoryRepository
from payments.access.service.visibility import (
    AccessContext,
    caller_of,
    directory_of,
    path_of,
    require,
    require_living,
)
from payments.engine.models import Context
from payments.engine.service import Change, Hooks
from payments.resources.access import USER_LIMIT
from tollgate import clock, ids
from tollgate.auth.directory import ACTIVE, APPLICATION_USER, key_context
from tollgate.auth.request_tokens import KEY_BYTES
from tollgate.crypto.keyring import Keyring

USER_TYPES: Final[Mapping[str, str]] = {
    "applicationUser": APPLICATION_USER,
    "humanUser": "HUMAN_USER",
    "singleSignOnUser": "SINGLE_SIGNON_USER",
}
SCOPE_ID: Final = 1


def new_key(keyring: Keyring, tenant: str, user: int) -> tuple[NewKey, str]:
    """A fresh key: sealed for keeping, and as the user gets it."""
    number, secret, now = ids.new_number(clock.now()), ids.secret_bytes(KEY_BYTES), clock.now()
    sealed = keyring.seal(tenant, key_context(user, number), secret)
    return NewKey(number, sealed, now), base64.b64encode(secret).decode()


class UserHooks(Hooks):
    """What a change of a user means for those who check requests."""

    def __init__(self, repository: DirectoryRepository, keyring: Keyring) -> None:
        self._repository = repository
        self._keyring = keyring

    def creating(self, change: Change) -> None:
        caller, kind = caller_of(change.context), change.resource.kind
        account = change.values.setdefault("primaryAccount", caller.account)
        require(change.context, f"{kind}.create", path_of(change.context, account, "primaryAccount"))
        change.values.setdefault("state", ACTIVE)
        change.values |= {"userType": USER_TYPES[kind], "scope": SCOPE_ID}
        keys: tuple[NewKey, ...] = ()
        if kind == "applicationUser":
            change.values.setdefault("requestLimit", USER_LIMIT)
            key, shown = new_key(self._keyring, change.context.tenant, change.id)
            keys = (key,)
            if isinstance(change.context, AccessContext):
                change.context.revealed[change.id] = shown
        limit, state = change.values.get("requestLimit", USER_LIMIT), change.values["state"]
        user = NewUser(change.id, change.context.tenant, caller.root, account, USER_TYPES[kind], limit, state)
        self._repository.insert_user(change.transaction, user, keys=keys)

    def updating(self, change: Change) -> None:
        require_living(change)
        defaults = {"state": ACTIVE, "requestLimit": USER_LIMIT}
        for name, default in defaults.items():
            if name in change.values and change.values[name] is None:
                change.values[name] = default
        names = {"state": "state", "requestLimit": "limit"}
        changes = {names[name]: change.values[name] for name in names if name in change.values}
        self._repository.change(change.transaction, "USER", change.id, changes)
        directory_of(change.context).forget("USER", change.id)

    def deleting(self, change: Change) -> None:
        """The e-mail address becomes free; keys and roles go."""
        if change.resource.has("emailAddress"):
            change.values["emailAddress"] = None
        end = {"state": "DELETED", "keys": {}, "roles": {}}
        self._repository.change(change.transaction, "USER", change.id, end)
        directory_of(change.context).forget("USER", change.id)


class KeyService:
    """The authentication keys of application users that the caller may change."""

    def __init__(self, repository: DirectoryRepository, keyring: Keyring) -> None:
        self._repository = repository
        self._keyring = keyring

    def list(self, context: Context, user: int) -> list[dict[str, Any]]:
        """All that are kept, oldest first; never the keys themselves."""
        found = self._require(context, user)["keys"]
        return [_shown(found[name]) for name in sorted(found, key=int)]

    def add(self, context: Context, user: int) -> dict[str, Any]:
        """A further key, shown this once."""
        row = self._require(context, user)
        key, secret = new_key(self._keyring, context.tenant, user)
        self._repository.add_key(row, key)
        directory_of(context).forget("USER", user)
        shown = {"id": key.id, "state": ACTIVE, "created_at": clock.iso(key.created_at)}
        return {**_shown(shown), "key": secret}

    def issue(self, context: Context, user: int) -> tuple[int, str]:
        """A further key for a web app: its number and, this once, the key."""
        made = self.add(context, user)
        return int(made["id"]), str(made["key"])

    def deactivate(self, context: Context, user: int, key: int) -> None:
        """End a key. Twice is once."""
        self._require(context, user)
        self._repository.deactivate_key(user, key)
        directory_of(context).forget("USER", user)

    def _require(self, context: Context, user: int) -> Mapping[str, Any]:
        row = self._repository.find_user(user)
        if row is None or row["tenant"] != context.tenant or row["kind"] != APPLICATION_USER:
            raise UserNotFound
        if row["state"] == "DELETED":
            raise UserNotFound
        return row


def _shown(key: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": key["id"], "creationTime": key["created_at"], "state": key["state"]}
