"""Writes what `tollgate.auth.directory` reads: users with their keys and roles, accounts, spaces, roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments.access.errors import NumberTaken
from payments.access.models import NewAccount, NewKey, NewSpace, NewUser
from tollgate.auth.directory import ACTIVE, row_key
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction


class DirectoryRepository:
    """The rows of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def insert_account(self, transaction: Transaction, account: NewAccount) -> None:
        row = {"id": account.id, "tenant": account.tenant, "path": list(account.path), "state": ACTIVE}
        self._insert(transaction, "ACCOUNT", account.id, row)

    def insert_space(self, transaction: Transaction, space: NewSpace, state: str = ACTIVE) -> None:
        row = {"id": space.id, "tenant": space.tenant, "path": list(space.path), "state": state, "limit": space.limit}
        self._insert(transaction, "SPACE", space.id, row)

    def insert_user(
        self,
        transaction: Transaction,
        user: NewUser,
        *,
        keys: tuple[NewKey, ...] = (),
        roles: Mapping[str, Mapping[str, Any]] | None = None,
        state: str = ACTIVE,
    ) -> None:
        row = {
            "id": user.id,
            "tenant": user.tenant,
            "root": user.root,
            "account": user.account,
            "kind": user.kind,
            "state": state,
            "limit": user.limit,
            "keys": {str(key.id): key_row(key) for key in keys},
            "roles": dict(roles or {}),
        }
        self._insert(transaction, "USER", user.id, row)

    def _insert(self, transaction: Transaction, kind: str, number: int, row: Mapping[str, Any]) -> None:
        pk, sk = row_key(kind, number)
        transaction.put(
            self._table, {"pk": pk, "sk": sk, **row},
            condition="attribute_not_exists(pk)", refusal=lambda _: NumberTaken(),
        )  # fmt: skip


def key_row(key: NewKey) -> dict[str, Any]:
    """An authentication key as it lies in its user's row."""
    return {"id": key.id, "sealed": key.sealed, "state": ACTIVE, "created_at": key.created_at}


def account_role(role: int, account: int, *, below: bool, assignment: int) -> tuple[str, dict[str, Any]]:
    """A role in an account, by its name in the user's row."""
    return f"A{account}#{role}", {"id": assignment, "role": role, "account": account, "below": below, "version": 1}


def space_role(role: int, space: int, *, assignment: int) -> tuple[str, dict[str, Any]]:
    """A role in a space, by its name in the user's row."""
    return f"S{space}#{role}", {"id": assignment, "role": role, "space": space, "version": 1}
