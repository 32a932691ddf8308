"""What can go wrong with a decision beyond what the request itself shows."""

from __future__ import annotations

from typing import Any

from tollgate.errors import Conflict, Invalid, NotFound


class DecisionNotFound(NotFound):
    """No decision of the caller's account has this id; a foreign one is not told apart."""

    default_message = "The decision was not found"


class NotForReview(Conflict):
    """Only REVIEW decisions can be resolved."""

    default_message = "Only a decision REVIEW can be resolved"


class AlreadyResolved(Conflict):
    """A decision is resolved once."""

    default_message = "The decision is already resolved"


class PanNotTaken(Invalid):
    """An instance of PCI level SAQ A takes no card numbers."""


class EventsMoved(Exception):
    """Another lifecycle event came to the decision first; read again."""


class CounterMoved(Exception):
    """Another decision with the same key was first; `item` is the log as it is now."""

    def __init__(self, path: str, item: dict[str, Any]) -> None:
        super().__init__("a counter moved")
        self.path = path
        self.item = item
