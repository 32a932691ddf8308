"""Values of the group: rows of the directory before they are written, and what they must hold.

Limits are requests per window of two minutes. A tenant begins with one account (its root), one space, two roles and one
application user that holds the administrator's role in all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from payments.resources.access import SPACE_LIMIT, USER_LIMIT
from tollgate.auth.directory import ACTIVE

MOST_KEYS: Final = 20
MOST_ROLES: Final = 200
MOST_LEVELS: Final = 10


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account: `path` leads from the tenant's root account to itself; `limit` of accounts right below it."""

    id: int
    tenant: str
    path: tuple[int, ...]
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class NewSpace:
    """A space of the account at the end of `path`."""

    id: int
    tenant: str
    path: tuple[int, ...]
    limit: int = SPACE_LIMIT
    state: str = ACTIVE


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user of any kind; `account` is its primary account."""

    id: int
    tenant: str
    root: int
    account: int
    kind: str
    limit: int = USER_LIMIT
    state: str = ACTIVE


@dataclass(frozen=True, slots=True, repr=False)
class NewKey:
    """An authentication key, sealed."""

    id: int
    sealed: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewAssignment:
    """A role given in an account (and, with `below`, in those below it) or in a space."""

    id: int
    role: int
    built_in: int | None = None
    account: int | None = None
    space: int | None = None
    below: bool = False

    @property
    def name(self) -> str:
        """What it is called in its user's row: one per role and place."""
        return f"A{self.account}#{self.role}" if self.space is None else f"S{self.space}#{self.role}"

    def row(self) -> dict[str, Any]:
        made = {"id": self.id, "role": self.role, "built_in": self.built_in, "version": 1}
        place = {"account": self.account, "below": self.below} if self.space is None else {"space": self.space}
        return {name: value for name, value in {**made, **place}.items() if value is not None}
