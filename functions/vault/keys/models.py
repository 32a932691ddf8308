"""What an operator may ask for, and how far upkeep has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict

from tollgate.models.fields import RequestModel, UuidStr


class Payload(RequestModel):
    """Strict in type; unknown members are refused, because an operator's typing error must not pass."""

    model_config = ConfigDict(extra="forbid")


class RotateDataKey(Payload):
    """New records of the account are sealed under a new data key; old ones follow in the background."""

    action: Literal["rotate_data_key"]
    account_id: UuidStr


class RewrapDataKeys(Payload):
    """Every data key that exists now is wrapped anew; after the key material in KMS was rotated on demand."""

    action: Literal["rewrap_data_keys"]


COMMANDS: dict[str, type[RotateDataKey | RewrapDataKeys]] = {
    "rotate_data_key": RotateDataKey,
    "rewrap_data_keys": RewrapDataKeys,
}


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk over the owners of a keyring: the owner it has reached (empty: at the start), and when the last walk came
    to its end. Keys last wrapped before `rewrap_before` are wrapped anew."""

    keyring: str
    reached: str = ""
    ended_at: str | None = None
    rewrap_before: str | None = None


@dataclass(frozen=True, slots=True)
class Resealing:
    """How far an account's records are sealed under data key `target`: all are under `done` or a newer one; tokens and
    merchants up to these places are under `target`."""

    account_id: str
    done: int = 1
    target: int = 1
    tokens: int = -1
    merchants: int = -1


@dataclass(slots=True)
class Report:
    """What a run did and what is left: `owners_left` still to be visited in this walk (no more than ten thousand are
    counted), `records_left` at most, of the account at which time ran out. `unreadable` records could not be opened,
    and `failed` owners had to be left for the next walk."""

    rewrapped: int = 0
    resealed: int = 0
    owners_left: int = 0
    records_left: int = 0
    unreadable: int = 0
    failed: int = 0
