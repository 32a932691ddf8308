"""The one place that identifiers and secrets come from, so that a test can make them literal."""

from __future__ import annotations

import re
import secrets
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_uuid_source: Callable[[], str] = lambda: str(uuid.uuid4())  # noqa: E731


def new_uuid() -> str:
    """A random UUIDv4 in lower-case text form."""
    return _uuid_source()


def new_ordered_uuid(at: datetime) -> str:
    """A UUIDv7 (RFC 9562, 5.7): its first 48 bits are `at` in milliseconds, the others are as random as a UUIDv4's.

    For ids from which the place of an object in time can be told.
    """
    milliseconds = f"{int(at.timestamp()) * 1000 + at.microsecond // 1000:012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7{_uuid_source()[15:]}"


_NUMBERS_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_CHANCE_BITS = 12
_numbers = threading.Lock()
_last_number = 0


def new_number(at: datetime) -> int:
    """A whole number below 2^53 that sorts by time: 41 bits of milliseconds since 2024 and 12 random bits.

    Within a process every number is greater than the one before, whatever the clock does. Two processes may make the
    same one, so it is written under the condition that none is there.
    """
    global _last_number
    past = at - _NUMBERS_BEGIN
    milliseconds = (past.days * 86_400 + past.seconds) * 1000 + past.microseconds // 1000
    with _numbers:
        chance = secrets.randbelow(1 << _CHANCE_BITS)
        _last_number = max((milliseconds << _CHANCE_BITS) + chance, _last_number + 1)
        return _last_number


def moment_of_number(number: int) -> datetime:
    """When a number of `new_number` was made, to the millisecond."""
    return _NUMBERS_BEGIN + timedelta(milliseconds=number >> _CHANCE_BITS)


def number_at(moment: datetime) -> int:
    """The lowest number that can have been made at this moment; negative before 2024."""
    past = moment - _NUMBERS_BEGIN
    return ((past.days * 86_400 + past.seconds) * 1000 + past.microseconds // 1000) << _CHANCE_BITS


def use(source: Callable[[], str]) -> Callable[[], str]:
    """Put another source of UUIDs in place and return the former one (tests)."""
    global _uuid_source
    former, _uuid_source = _uuid_source, source
    return former


def is_uuid(text: str) -> bool:
    """True for the canonical lower- or upper-case text form of a UUID, of any version."""
    return _UUID.fullmatch(text.lower()) is not None


def new_secret(length_bytes: int = 32) -> str:
    """A URL-safe random secret; 32 bytes give 256 bits and 43 characters."""
    return secrets.token_urlsafe(length_bytes)


def secret_bytes(length: int = 32) -> bytes:
    """Random bytes for a key."""
    return secrets.token_bytes(length)


def uniform(low: float, high: float) -> float:
    """A random point in [low, high): jitter for pauses, never for anything secret."""
    return low + (high - low) * secrets.randbelow(1 << 30) / (1 << 30)
