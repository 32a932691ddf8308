"""Who may do what in the payments family: users with their keys and roles, accounts, spaces, roles.

These are the rows that every request of the family is decided by, kept apart from the objects that clients see and
written in the same transactions as those. Access patterns (`pk`, `sk`) in the payments table:
    a user, with keys and roles   `USER#<id>`,    `#`
    a space                       `SPACE#<id>`,   `#`
    an account                    `ACCOUNT#<id>`, `#`
    a role                        `ROLE#<id>`,    `#`

Rows are remembered for `CACHE_SECONDS`, which is how long a key that was deactivated or a role that was taken away may
still count in a worker that did not do it itself. What was given counts at once: nobody is refused by a remembered row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tollgate.auth import permissions
from tollgate.crypto.keyring import CannotOpen, Keyring
from tollgate.store.items import Item
from tollgate.store.table import Table

CACHE_SECONDS: Final = 2
KEYRING: Final = "payments"
"""The keyring whose data keys, one owner per tenant, seal authentication keys. Its rows lie in the identity table."""

ACTIVE: Final = "ACTIVE"
APPLICATION_USER: Final = "APPLICATION_USER"
_CACHE_SIZE: Final = 5000

Name = tuple[str, int]


def row_key(kind: str, number: int) -> tuple[str, str]:
    """Where the row of a USER, SPACE, ACCOUNT or ROLE lies."""
    return f"{kind}#{number}", "#"


def key_context(user_id: int, key_id: int) -> dict[str, str]:
    """What a sealed authentication key is bound to."""
    return {"record": "authentication-key", "user": str(user_id), "key": str(key_id)}


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role that a user has in a space, or in an account and, if so said, in the accounts below it.

    `built_in` says which of the roles that every tenant comes with it is; what those hold is known without reading.
    """

    role: int
    built_in: int | None = None
    space: int | None = None
    account: int | None = None
    below: bool = False

    def reaches(self, path: Sequence[int], space: int | None) -> bool:
        """Whether it counts for a space, or without one for the account at the end of `path`."""
        if self.space is not None:
            return self.space == space
        if self.account is None or not path:
            return False
        return self.account == path[-1] or (self.below and self.account in path)


@dataclass(frozen=True, slots=True, repr=False)
class User:
    """A user as every request is decided by. `keys` holds the sealed active keys by their ids."""

    id: int
    tenant: str
    root: int
    account: int
    kind: str
    state: str
    limit: int
    keys: dict[int, bytes]
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Space:
    """A space: whose it is, and the accounts from the root down to its own."""

    id: int
    tenant: str
    path: tuple[int, ...]
    state: str
    limit: int


@dataclass(frozen=True, slots=True)
class Account:
    """An account and those above it, from the root down to itself."""

    id: int
    tenant: str
    path: tuple[int, ...]
    state: str


@dataclass(frozen=True, slots=True)
class Role:
    """A role of an account, and the permissions that it holds."""

    id: int
    tenant: str
    account: int
    state: str
    holds: frozenset[str]
    built_in: int | None


class Directory:
    """Reads the rows, several at a time, and remembers them for seconds."""

    def __init__(self, table: Table, keyring: Keyring, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._table = table
        self._keyring = keyring
        self._monotonic = monotonic
        self._rows: dict[Name, tuple[float, Item | None]] = {}

    def load(self, names: Collection[Name], *, fresh: bool = False) -> bool:
        """Have these rows at hand, in one round trip; true if one of them had to be read."""
        now = self._monotonic()
        wanted = [name for name in names if fresh or self._is_stale(name, now)]
        if not wanted:
            return False
        if len(self._rows) >= _CACHE_SIZE:
            self._rows.clear()
        found = {item["pk"]: item for item in self._table.batch_get([row_key(*name) for name in wanted])}
        for name in wanted:
            self._rows[name] = (now, found.get(row_key(*name)[0]))
        return True

    def names_of(self, user: int, space: int | None) -> list[Name]:
        """The rows that decide on a request of this user in this space, as far as they are known before reading."""
        names: list[Name] = [("USER", user)]
        if space:
            names.append(("SPACE", space))
            known = self._rows.get(("SPACE", space))
            if known is not None and known[1] is not None:
                names += [("ACCOUNT", each) for each in known[1]["path"]]
        return names

    def is_open(self, path: Sequence[int]) -> bool:
        """Whether all accounts of a path are active."""
        self.load([("ACCOUNT", each) for each in path])
        accounts = [self.account(each) for each in path]
        return all(account is not None and account.state == ACTIVE for account in accounts)

    def forget(self, kind: str, number: int) -> None:
        """Have a row read again: it has just been changed here."""
        self._rows.pop((kind, number), None)

    def user(self, number: int) -> User | None:
        item = self._row("USER", number)
        return _user_of(item) if item else None

    def space(self, number: int) -> Space | None:
        item = self._row("SPACE", number)
        if item is None:
            return None
        return Space(item["id"], item["tenant"], tuple(item["path"]), item["state"], item["limit"])

    def account(self, number: int) -> Account | None:
        item = self._row("ACCOUNT", number)
        return Account(item["id"], item["tenant"], tuple(item["path"]), item["state"]) if item else None

    def keys_of(self, user: User) -> list[bytes]:
        """The user's active keys, opened."""
        opened: list[bytes] = []
        for key_id, sealed in user.keys.items():
            try:
                opened.append(self._keyring.open(user.tenant, key_context(user.id, key_id), sealed))
            except CannotOpen:
                continue
        return opened

    def held(self, assignments: Iterable[Assignment], *, fresh: bool = False) -> frozenset[str]:
        """The permissions that roles hold together."""
        found: frozenset[str] = frozenset()
        own: set[int] = set()
        for each in assignments:
            if each.built_in is None:
                own.add(each.role)
            else:
                found |= permissions.built_in_roles()[each.built_in]
        if own:
            self.load([("ROLE", role) for role in sorted(own)], fresh=fresh)
        return found.union(*(role.holds for role in map(self.role, own) if role is not None))

    def role(self, number: int) -> Role | None:
        """A role; one that is not active holds nothing."""
        item = self._row("ROLE", number)
        if item is None:
            return None
        built_in = item.get("built_in")
        if item["state"] != ACTIVE:
            holds: frozenset[str] = frozenset()
        elif built_in is not None:
            holds = permissions.built_in_roles()[built_in]
        else:
            holds = permissions.granted_by(frozenset(item["permissions"]))
        return Role(item["id"], item["tenant"], item["account"], item["state"], holds, built_in)

    def _row(self, kind: str, number: int) -> Item | None:
        if (kind, number) not in self._rows:
            self.load([(kind, number)])
        return self._rows[kind, number][1]

    def _is_stale(self, name: Name, now: float) -> bool:
        known = self._rows.get(name)
        return known is None or known[1] is None or now - known[0] >= CACHE_SECONDS


def _user_of(item: Item) -> User:
    keys: dict[str, Any] = item.get("keys", {})
    return User(
        id=item["id"],
        tenant=item["tenant"],
        root=item["root"],
        account=item["account"],
        kind=item["kind"],
        state=item["state"],
        limit=item["limit"],
        keys={int(name): key["sealed"] for name, key in keys.items() if key["state"] == ACTIVE},
        assignments=tuple(_assignment_of(each) for each in item.get("roles", {}).values()),
    )


def _assignment_of(stored: dict[str, Any]) -> Assignment:
    return Assignment(
        stored["role"], stored.get("built_in"), stored.get("space"), stored.get("account"), bool(stored.get("below"))
    )
