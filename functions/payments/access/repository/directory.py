"""Writes what `tollgate.auth.directory` reads: users with their keys and roles, accounts, spaces, roles.

Rows change in the transactions that change the objects of the same names. An account's row counts the spaces and
accounts right below it (`spaces`, `subaccounts`), so that it is deleted only when empty and filled only within limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments.access.errors import KeyNotFound, LimitReached, NotActive, NotEmpty, NumberTaken, RoleNotAssigned
from payments.access.models import MOST_KEYS, MOST_ROLES, NewAccount, NewAssignment, NewKey, NewSpace, NewUser
from tollgate import clock
from tollgate.auth.directory import ACTIVE, row_key
from tollgate.errors import Contended, Fault
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction

INACTIVE = "INACTIVE"


class DirectoryRepository:
    """The rows of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    # ------------------------------------------------------------------ accounts and spaces

    def insert_account(self, transaction: Transaction, account: NewAccount, *, spaces: int = 0) -> None:
        row = {"id": account.id, "tenant": account.tenant, "path": list(account.path), "state": ACTIVE}
        counts = {"spaces": spaces, "subaccounts": 0, "limit": account.limit}
        self._insert(transaction, "ACCOUNT", account.id, {**row, **counts})

    def insert_space(self, transaction: Transaction, space: NewSpace) -> None:
        row = {"id": space.id, "tenant": space.tenant, "path": list(space.path), "limit": space.limit}
        self._insert(transaction, "SPACE", space.id, {**row, "state": space.state})

    def count_below(self, transaction: Transaction, account: int, counter: str, step: int, field: str = "") -> None:
        """One space or account more or fewer right below an account (`spaces`, `subaccounts`).

        Raises (at the commit):
            NotActive: at `field`: the account takes no more.
        """
        conditions, names, values = list[str](), {"#count": counter}, dict[str, Any]({":step": step})
        if step > 0:
            conditions, values[":active"], names["#state"] = ["#state = :active"], ACTIVE, "state"
        if step > 0 and counter == "subaccounts":
            conditions.append("(attribute_not_exists(#limit) OR #count < #limit)")
            names["#limit"] = "limit"
        transaction.update(
            self._table, *row_key("ACCOUNT", account), "SET #count = #count + :step",
            names=names, values=values, condition=" AND ".join(["attribute_exists(pk)", *conditions]),
            refusal=lambda _: NotActive([Fault(field, "names an account that is not active, or full")]),
        )  # fmt: skip

    def close_account(self, transaction: Transaction, account: int) -> None:
        """Delete an account.

        Raises (at the commit):
            NotEmpty: there are spaces or accounts below it.
        """
        transaction.update(
            self._table, *row_key("ACCOUNT", account), "SET #state = :deleted",
            names={"#state": "state", "#spaces": "spaces"}, values={":deleted": "DELETED", ":none": 0},
            condition="#spaces = :none AND subaccounts = :none", refusal=lambda _: NotEmpty(),
        )  # fmt: skip

    # ------------------------------------------------------------------ users and roles

    def insert_user(
        self,
        transaction: Transaction,
        user: NewUser,
        *,
        keys: tuple[NewKey, ...] = (),
        roles: tuple[NewAssignment, ...] = (),
    ) -> None:
        row = {
            "id": user.id,
            "tenant": user.tenant,
            "root": user.root,
            "account": user.account,
            "kind": user.kind,
            "state": user.state,
            "limit": user.limit,
            "keys": {str(key.id): _key_row(key) for key in keys},
            "roles": {role.name: role.row() for role in roles},
        }
        self._insert(transaction, "USER", user.id, row)

    def insert_role(self, transaction: Transaction, number: int, row: Mapping[str, Any]) -> None:
        self._insert(transaction, "ROLE", number, {"id": number, "state": ACTIVE, **row})

    def change(self, transaction: Transaction, kind: str, number: int, changes: Mapping[str, Any]) -> None:
        """Set members of a row; None takes one away."""
        if not changes:
            return
        sets = [name for name, value in changes.items() if value is not None]
        removes = [name for name, value in changes.items() if value is None]
        parts = [
            "SET " + ", ".join(f"#{name} = :{name}" for name in sets) if sets else "",
            "REMOVE " + ", ".join(f"#{name}" for name in removes) if removes else "",
        ]
        transaction.update(
            self._table, *row_key(kind, number), " ".join(part for part in parts if part),
            names={f"#{name}": name for name in changes}, values={f":{name}": changes[name] for name in sets},
            condition="attribute_exists(pk)", refusal=lambda _: Contended(),
        )  # fmt: skip

    def find_user(self, number: int) -> Item | None:
        """A user's row as it is now."""
        return self._table.get(*row_key("USER", number))

    # ------------------------------------------------------------------ keys

    def add_key(self, user: Mapping[str, Any], key: NewKey) -> None:
        """Add an authentication key. Of keys that were deactivated, those over the number kept are forgotten.

        Raises:
            LimitReached: the user has as many active keys as a user may have.
        """
        keys: dict[str, Any] = user["keys"]
        spent = sorted((int(name) for name, each in keys.items() if each["state"] != ACTIVE))
        forgotten = spent[: max(0, len(keys) + 1 - MOST_KEYS)]
        names = {"#keys": "keys", "#new": str(key.id), **{f"#k{n}": str(each) for n, each in enumerate(forgotten)}}
        removal = f" REMOVE {', '.join(f'#keys.#k{n}' for n in range(len(forgotten)))}" if forgotten else ""
        try:
            self._table.update(
                *row_key("USER", user["id"]), f"SET #keys.#new = :key{removal}",
                names=names, values={":key": _key_row(key), ":most": MOST_KEYS - 1 + len(forgotten)},
                condition="attribute_exists(pk) AND size(#keys) <= :most",
            )  # fmt: skip
        except ConditionFailed:
            raise LimitReached("active authentication keys per user", MOST_KEYS) from None

    def deactivate_key(self, user: int, key: int) -> None:
        """End a key for good: what opened its signatures is destroyed.

        Raises:
            KeyNotFound: the user has none of this id.
        """
        try:
            self._table.update(
                *row_key("USER", user), "SET #keys.#key.#state = :inactive REMOVE #keys.#key.sealed",
                names={"#keys": "keys", "#key": str(key), "#state": "state"}, values={":inactive": INACTIVE},
                condition="attribute_exists(#keys.#key)",
            )  # fmt: skip
        except ConditionFailed:
            raise KeyNotFound from None

    # ------------------------------------------------------------------ roles of users

    def assign(self, user: int, role: NewAssignment) -> dict[str, Any]:
        """Give a user a role; answers the assignment as it is now, the earlier one if there was one.

        Raises:
            LimitReached: the user has as many as a user may have.
        """
        row = role.row()
        try:
            after = self._table.update(
                *row_key("USER", user), "SET #roles.#name = if_not_exists(#roles.#name, :role)",
                names={"#roles": "roles", "#name": role.name}, values={":role": row, ":most": MOST_ROLES},
                condition="attribute_exists(pk) AND (attribute_exists(#roles.#name) OR size(#roles) < :most)",
            )  # fmt: skip
        except ConditionFailed:
            raise LimitReached("roles per user", MOST_ROLES) from None
        held: dict[str, Any] = after["roles"][role.name]
        if held.get("below", False) == role.below:
            return held
        return self._extend(user, role)

    def _extend(self, user: int, role: NewAssignment) -> dict[str, Any]:
        """Have an assignment reach accounts below, or not any more."""
        try:
            after = self._table.update(
                *row_key("USER", user), "SET #a.#name.#below = :below, #a.#name.#version = #a.#name.#version + :one",
                names={"#a": "roles", "#name": role.name, "#below": "below", "#version": "version"},
                values={":below": role.below, ":one": 1}, condition="attribute_exists(#a.#name)",
            )  # fmt: skip
        except ConditionFailed:
            raise Contended from None
        held: dict[str, Any] = after["roles"][role.name]
        return held

    def unassign(self, user: int, name: str) -> None:
        """Take a role away.

        Raises:
            RoleNotAssigned: the user does not have it there.
        """
        try:
            self._table.update(
                *row_key("USER", user), "REMOVE #roles.#name", names={"#roles": "roles", "#name": name},
                condition="attribute_exists(#roles.#name)",
            )  # fmt: skip
        except ConditionFailed:
            raise RoleNotAssigned from None

    def _insert(self, transaction: Transaction, kind: str, number: int, row: Mapping[str, Any]) -> None:
        pk, sk = row_key(kind, number)
        transaction.put(
            self._table, {"pk": pk, "sk": sk, **row},
            condition="attribute_not_exists(pk)", refusal=lambda _: NumberTaken(),
        )  # fmt: skip


def _key_row(key: NewKey) -> dict[str, Any]:
    """An authentication key as it lies in its user's row."""
    return {"id": key.id, "sealed": key.sealed, "state": ACTIVE, "created_at": clock.iso(key.created_at)}
