"""Shapes of web apps: an installation, and a code that leads to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CODE_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Installation:
    """A web app in a space: its number, the application user that it acts as, the key that it was given."""

    id: int
    space: int
    user: int
    key: int = 0


@dataclass(frozen=True, slots=True)
class Code:
    """What an activation code stands for: whose it is, and the space to be installed in."""

    tenant: str
    root: int
    space: int
