"""Levels of a flow as planned for one transaction, and the kinds of levels there are. Pure data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

TOKEN: Final = 1478100000001
EMAIL: Final = 1478100000002
TEXT_MESSAGE: Final = 1478100000003
"""What a level does: charge the transaction's token, or send the buyer a link to pay by."""
CHANNELS: Final = {EMAIL: "email", TEXT_MESSAGE: "sms"}
TYPES: Final = (TOKEN, *CHANNELS)

MOST_LEVELS: Final = 10
MOST_FLOWS: Final = 50
MOST_MESSAGES: Final = 20
LONGEST_PERIOD_SECONDS: Final = 366 * 86_400

_PERIOD: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
_SECONDS: Final = (7 * 86_400, 86_400, 3600, 60)


@dataclass(frozen=True, slots=True)
class Planned:
    """A level to come: its configuration, what it does, and how long it waits."""

    configuration: int
    type: int
    seconds: int

    def stored(self) -> list[int]:
        return [self.configuration, self.type, self.seconds]

    @classmethod
    def read(cls, stored: list[Any]) -> Planned:
        return cls(*(int(each) for each in stored))


def seconds_of(period: str) -> int:
    """The length of a period in the form that `payments.resources.charge_flows.PERIOD` takes."""
    parts = _PERIOD.fullmatch(period)
    if parts is None:
        raise ValueError("not a period")
    return sum(int(part or 0) * unit for part, unit in zip(parts.groups(), _SECONDS, strict=True))
