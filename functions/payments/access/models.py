"""Values of the group: rows of the directory before they are written, and what they must hold.

Limits are requests per window of two minutes. A tenant begins with one account (its root), one space and one
application user that holds the administrator's role in all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from payments.resources.access import SPACE_LIMIT, USER_LIMIT

MOST_KEYS: Final = 20
MOST_ROLES: Final = 200
MOST_LEVELS: Final = 10


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account: `path` leads from the tenant's root account to itself."""

    id: int
    tenant: str
    path: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NewSpace:
    """A space of the account at the end of `path`."""

    id: int
    tenant: str
    path: tuple[int, ...]
    limit: int = SPACE_LIMIT


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user of any kind; `account` is its primary account."""

    id: int
    tenant: str
    root: int
    account: int
    kind: str
    limit: int = USER_LIMIT


@dataclass(frozen=True, slots=True, repr=False)
class NewKey:
    """An authentication key, sealed."""

    id: int
    sealed: bytes
    created_at: str
