"""Rows of the risk table that several groups read. What one group alone knows is in its repository.

Access patterns (`pk`, `sk`):
    which rulesets are active       `ACTIVE#<account>`,                     `#`
    a ruleset                       `RULESET#<account>#<id>`,               `#`
    a blacklist entry               `ENTRY#<account>#<id>`,                 `#`
    a rolling log (`risk.velocity`) `COUNTER#<account>#<key>#<digest>`,     `#`
    decisions by time               `DECISIONS#<account>#<day>#<shard>`,    `<id>`
    a lifecycle event               `EVENT#<account>#<id>`,                 `#`
    who wants which events          `WEBHOOKS#<account>`,                   `#`   (`wanted`: recipients by event type)

A decision's id is a UUIDv7: its day and its order are in it, and its last digit is the shard, so that one row answers
both "this decision" and "all decisions of a period". An entry's id is made of its field and value, so that looking up a
value is one read by key and saying the same twice is one entry. Pure.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from risk.velocity import Counted
from tollgate.crypto.keyring import Keyring

SHARDS: Final = "0123456789abcdef"
_UUID_VERSION_AT: Final = 14


def active_key(account_id: str) -> tuple[str, str]:
    return f"ACTIVE#{account_id}", "#"


def ruleset_key(account_id: str, ruleset_id: str) -> tuple[str, str]:
    return f"RULESET#{account_id}#{ruleset_id}", "#"


def entry_key(account_id: str, entry_id: str) -> tuple[str, str]:
    return f"ENTRY#{account_id}#{entry_id}", "#"


def counter_key(account_id: str, path: str, digest: str) -> tuple[str, str]:
    return f"COUNTER#{account_id}#{path}#{digest}", "#"


def webhooks_key(account_id: str) -> tuple[str, str]:
    return f"WEBHOOKS#{account_id}", "#"


def event_key(account_id: str, event_id: str) -> tuple[str, str]:
    return f"EVENT#{account_id}#{event_id}", "#"


def decision_key(account_id: str, decision_id: str) -> tuple[str, str] | None:
    """Where a decision is; None for an id that no decision can have."""
    if decision_id[_UUID_VERSION_AT] != "7":
        return None
    milliseconds = int(decision_id[:8] + decision_id[9:13], 16)
    try:
        day = datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y%m%d")
    except (OverflowError, ValueError, OSError):
        return None
    return f"DECISIONS#{account_id}#{day}#{decision_id[-1]}", decision_id


def first_id(moment: datetime) -> str:
    """What sorts before every decision's id from a moment on (to the millisecond), and behind all earlier ones."""
    milliseconds = f"{int(moment.timestamp()) * 1000 + moment.microsecond // 1000:012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"


def begun_at(decision_id: str) -> datetime:
    """When a decision was begun, to the millisecond."""
    milliseconds = int(decision_id[:8] + decision_id[9:13], 16)
    return datetime.fromtimestamp(milliseconds // 1000, UTC)


def decision_partitions(account_id: str, first: datetime, last: datetime) -> list[str]:
    """The partitions with all decisions of the days from `first` to `last`, oldest day first."""
    days = [first.date() + timedelta(days=n) for n in range((last.date() - first.date()).days + 1)]
    return [f"DECISIONS#{account_id}#{day:%Y%m%d}#{shard}" for day in days for shard in SHARDS]


def entry_id(keyring: Keyring, account_id: str, path: str, value: str) -> str:
    """The id of the entry for a value of a field: a UUIDv8 (RFC 9562, 5.8) of a keyed digest."""
    return _uuid_of(keyring.digest(account_id, "blacklist-entry", f"{path}\n{value}".encode()))


def event_id(keyring: Keyring, account_id: str, content: bytes) -> str:
    """The id of a lifecycle event, by all that it says: so the same event sent again is the same one."""
    return _uuid_of(keyring.digest(account_id, "lifecycle-event", content))


def _uuid_of(digest: str) -> str:
    return str(uuid.UUID(f"{digest[:12]}8{digest[13:16]}{'89ab'[int(digest[16], 16) % 4]}{digest[17:32]}"))


# ------------------------------------------------------------------ what is active


def counted_of(item: dict[str, Any] | None) -> list[dict[str, Counted]]:
    """What each active ruleset wants counted."""
    contexts = (item or {}).get("contexts", {})
    return [
        {key: Counted(each["window"], tuple(each["of"])) for key, each in active["counted"].items()}
        for active in contexts.values()
    ]
