"""Which cards may get a network token, and the rows in which work at the token service provider waits.

The transaction that makes or deletes tokens writes such a row; `vault.network_tokens` does the work and takes it away.
So no token is forgotten at the provider, whatever fails in between. Pure: rows and keys, nothing that reads or writes.

Access patterns (vault table; `pk`, `sk`):
    work, by when it is due             `NETWORK-TOKEN-WORK#<shard>`,     `<due>#<id>`
    which merchant is an account's primary one  `MERCHANTS#<account>#PRIMARY`, `#`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from tollgate import clock, ids
from vault import pans

Status = Literal["active", "inactive", "pending", "deleted", "failed", "not_available"]
"""How a token stands with its network token."""

STATUSES: Final[tuple[Status, ...]] = ("active", "inactive", "pending", "deleted", "failed", "not_available")

Kind = Literal["enrol", "delete"]
Stage = Literal["ready", "begun"]

SCHEMES: Final = frozenset({pans.VISA, pans.MASTERCARD, pans.AMERICAN_EXPRESS})
"""Schemes with a token service."""

KNOWN_TO_PROVIDER: Final = frozenset({"pending", "active", "inactive"})
"""The statuses of tokens whose deletion the provider has to hear of."""

WORK_PREFIX: Final = "NETWORK-TOKEN-WORK#"
WORK_SHARDS: Final = 16
SWEPT_AFTER_SECONDS: Final = 60
"""Fresh work is handed on by the table's stream at once; what still waits after this was lost on the way."""


@dataclass(frozen=True, slots=True)
class Work:
    """Something to be done at the provider about tokens of one account.

    `due` is when to look at it again (seconds since 1970), `attempts` how often it was begun. A row that comes to be
    `ready` is handed to the queue by the table's stream. Every step puts a new row in the place of the old one, so of
    any number of workers one takes it.
    """

    id: str
    kind: Kind
    account_id: str
    token_ids: tuple[str, ...]
    due: int
    attempts: int = 0
    stage: Stage = "ready"

    @property
    def key(self) -> tuple[str, str]:
        return f"{WORK_PREFIX}{int(self.id[:2], 16) % WORK_SHARDS:02d}", f"{self.due:012d}#{self.id}"

    def row(self) -> dict[str, Any]:
        pk, sk = self.key
        return {
            "pk": pk,
            "sk": sk,
            "id": self.id,
            "kind": self.kind,
            "account_id": self.account_id,
            "token_ids": list(self.token_ids),
            "due": self.due,
            "attempts": self.attempts,
            "stage": self.stage,
        }

    def begun(self, again_in_seconds: int) -> Work:
        """The row while somebody works on it; unless that ends well it is looked at again after the time given."""
        return replace(self, stage="begun", attempts=self.attempts + 1, due=clock.epoch() + again_in_seconds)

    def ready(self) -> Work:
        """The row as the stream hands it on once more."""
        return replace(self, stage="ready", due=clock.epoch() + SWEPT_AFTER_SECONDS)


def from_row(row: Mapping[str, Any]) -> Work:
    return Work(
        id=row["id"],
        kind=row["kind"],
        account_id=row["account_id"],
        token_ids=tuple(row["token_ids"]),
        due=row["due"],
        attempts=row["attempts"],
        stage=row["stage"],
    )


def new_work(kind: Kind, account_id: str, token_ids: Sequence[str]) -> Work:
    return Work(ids.new_uuid(), kind, account_id, tuple(token_ids), clock.epoch() + SWEPT_AFTER_SECONDS)


def primary_merchant_key(account_id: str) -> tuple[str, str]:
    """The row that says which merchant is primary: the first one, which stays. Without it there is no merchant."""
    return f"MERCHANTS#{account_id}#PRIMARY", "#"
