"""Roles and who has them where. Nobody hands out, in a role or by giving one, a permission that they lack there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from payments.access.errors import MoreThanOwn, Unchangeable, UserNotFound
from payments.access.models import MOST_ROLES, NewAssignment
from payments.access.repository.directory import DirectoryRepository
from payments.access.service.users import USER_TYPES
from payments.access.service.visibility import (
    caller_of,
    directory_of,
    path_of,
    require,
    require_living,
)
from payments.engine.models import Context
from payments.engine.service import Change, Hooks
from tollgate import clock, ids
from tollgate.auth import permissions
from tollgate.auth.directory import Role
from tollgate.dialects.payments import BadParameters

DELETED: Final = "DELETED"


def held_in(context: Context, path: Sequence[int], space: int | None = None) -> frozenset[str]:
    """All permissions that the caller has in an account, or in a space of it."""
    assignments = caller_of(context).assignments
    return directory_of(context).held([each for each in assignments if each.reaches(path, space)], fresh=True)


class RoleHooks(Hooks):
    """What a change of a role means for those who have it."""

    def __init__(self, repository: DirectoryRepository) -> None:
        self._repository = repository

    def creating(self, change: Change) -> None:
        account = change.values["account"]["id"]
        path = path_of(change.context, account, "account")
        require(change.context, "role.create", path)
        numbers = _numbers(change.values.get("permissions") or [])
        _require_own(change.context, path, numbers)
        change.values |= {"state": "ACTIVE"}
        change.values.setdefault("twoFactorRequired", False)
        row = {"tenant": change.context.tenant, "account": account, "permissions": numbers}
        self._repository.insert_role(change.transaction, change.id, row)

    def updating(self, change: Change) -> None:
        require_living(change)
        _require_own_role(change)
        if "permissions" in change.values and change.before is not None:
            numbers = _numbers(change.values["permissions"] or [])
            account = change.before.link("account") or 0
            _require_own(change.context, path_of(change.context, account, "account"), numbers)
            self._repository.change(change.transaction, "ROLE", change.id, {"permissions": numbers})
            directory_of(change.context).forget("ROLE", change.id)

    def deleting(self, change: Change) -> None:
        _require_own_role(change)
        self._repository.change(change.transaction, "ROLE", change.id, {"state": DELETED})
        directory_of(change.context).forget("ROLE", change.id)


def _numbers(links: Sequence[dict[str, int]]) -> list[int]:
    return sorted({each["id"] for each in links})


def _require_own(context: Context, path: Sequence[int], numbers: Sequence[int]) -> None:
    if not permissions.granted_by(frozenset(numbers)) <= held_in(context, path):
        raise MoreThanOwn


def _require_own_role(change: Change) -> None:
    role = directory_of(change.context).role(change.id)
    if role is not None and role.built_in is not None:
        raise Unchangeable


class AssignmentService:
    """Roles of users, in an account or in a space: the one that the request's header names."""

    def __init__(self, repository: DirectoryRepository) -> None:
        self._repository = repository

    def list(self, context: Context, kind: str, user: int, in_space: bool) -> dict[str, Any]:
        """All roles that a user has there; there are few enough for one page."""
        row = self._require(context, kind, user)
        place = ("space", context.place.space_id) if in_space else ("account", context.place.account_id)
        found = [each for each in row["roles"].values() if each.get(place[0]) == place[1]]
        data = [_shown(user, each) for each in sorted(found, key=lambda each: int(each["id"]))]
        return {"data": data, "hasMore": False, "limit": MOST_ROLES}

    def require_user(self, context: Context, kind: str, user: int) -> None:
        """Raises:
        UserNotFound: no user of this kind that the tenant has.
        """
        self._require(context, kind, user)

    def assign(
        self, context: Context, kind: str, user: int, role_id: int, *, in_space: bool, below: bool = False
    ) -> dict[str, Any]:
        """Give a role; the same one again changes nothing but how far it reaches.

        Raises:
            BadParameters: no role that can be given there.
            MoreThanOwn: it holds what the caller lacks there.
        """
        self._require(context, kind, user)
        account, space = context.place.account_id, context.place.space_id if in_space else None
        path = path_of(context, account, "Account")
        role = self._role(context, role_id, path)
        if not role.holds <= held_in(context, path, space):
            raise MoreThanOwn
        made = NewAssignment(
            ids.new_number(clock.now()), role.id, role.built_in, None if in_space else account, space, below
        )
        held = self._repository.assign(user, made)
        directory_of(context).forget("USER", user)
        return _shown(user, held)

    def unassign(self, context: Context, kind: str, user: int, role_id: int, *, in_space: bool) -> None:
        """Take a role away.

        Raises:
            RoleNotAssigned: the user does not have it there.
        """
        self._require(context, kind, user)
        account, space = context.place.account_id, context.place.space_id if in_space else None
        self._repository.unassign(user, NewAssignment(0, role_id, None, account, space).name)
        directory_of(context).forget("USER", user)

    def _require(self, context: Context, kind: str, user: int) -> Mapping[str, Any]:
        row = self._repository.find_user(user)
        if row is None or row["tenant"] != context.tenant or row["kind"] != USER_TYPES[kind]:
            raise UserNotFound
        if row["state"] == DELETED:
            raise UserNotFound
        return row

    def _role(self, context: Context, number: int, path: Sequence[int]) -> Role:
        """A role of the account at the end of the path, or of one above it."""
        directory = directory_of(context)
        directory.load([("ROLE", number)], fresh=True)
        role = directory.role(number)
        if role is None or role.tenant != context.tenant or role.account not in path or role.state == DELETED:
            raise BadParameters.at("roleId", "names no role of this account or of one above it")
        return role


def _shown(user: int, held: dict[str, Any]) -> dict[str, Any]:
    place: dict[str, Any] = (
        {"space": held["space"]}
        if "space" in held
        else {"account": held["account"], "appliesOnSubAccount": held.get("below", False)}
    )
    return {"id": held["id"], "version": held["version"], "user": user, "role": held["role"], **place}
