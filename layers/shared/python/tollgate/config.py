"""Settings from the environment: the only module that reads it.

A door declares a frozen dataclass of what its function needs and calls `load` once, at import, so that a function
whose template block is incomplete fails at its start with every missing name at once and not on a rare path later.
Field names are the variables' names in lower case; only `str`, `int` and comma-separated `tuple[str, ...]` exist.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


class MissingSettings(RuntimeError):
    """Raised at start; names every variable that the template should have given."""


@dataclass(frozen=True)
class Settings:
    """What every function has from the template's Globals."""

    environment: str
    log_level: str
    sandbox_table: str

    @property
    def is_sandbox(self) -> bool:
        return self.environment == "sandbox"


@dataclass(frozen=True)
class CallerSettings(Settings):
    """What a function needs that authenticates callers by API key or id token."""

    identity_table: str
    platform_key_id: str
    sandbox_allow_targets: tuple[str, ...]


@dataclass(frozen=True)
class PaymentsSettings(CallerSettings):
    """What a function of the payments family needs."""

    payments_table: str


def load(cls: type[T], environment: Mapping[str, str] | None = None) -> T:
    """Build `cls` from the environment.

    Raises:
        MissingSettings: a variable without a default is absent.
    """
    source = os.environ if environment is None else environment
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    missing: list[str] = []
    for field in fields(cls):  # type: ignore[arg-type]
        name = field.name.upper()
        if name in source:
            values[field.name] = _convert(source[name], hints[field.name])
        elif field.default is MISSING:
            missing.append(name)
    if missing:
        raise MissingSettings(f"{cls.__name__} needs {', '.join(missing)}")
    return cls(**values)


def _convert(text: str, kind: object) -> object:
    if kind is int:
        return int(text)
    if kind is str:
        return text
    return tuple(part.strip() for part in text.split(",") if part.strip())
