"""Settings of the group's doors, and listeners as whoever hands on changes sees them."""

from __future__ import annotations

from dataclasses import dataclass

from payments.announcements import Change
from tollgate.config import Settings


@dataclass(frozen=True)
class TellingSettings(Settings):
    """Where notes of changes are."""

    payments_table: str


@dataclass(frozen=True, slots=True)
class Listening:
    """An active listener as whoever hands on changes sees it. Without states it listens to all of them."""

    listener_id: int
    states: frozenset[str]
    every_change: bool
    is_signed: bool

    def hears(self, change: Change) -> bool:
        """A change is heard of when it led to a state, or always where every change counts; and then only of objects
        in the states asked for."""
        if not (change.transition or self.every_change):
            return False
        return not self.states or change.state in self.states
