"""What becomes of an operation at the sandbox's acquirer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from vault.acquirers import Outcome, Reason

Course = Literal["answered", "pending", "silent", "deaf", "lost"]
"""*silent*: it is done and nobody says so; *deaf*: nor does asking help; *lost*: it never arrives."""

PENDING_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of an operation: how it goes, and the decision in the end."""

    course: Course = "answered"
    reason: Reason | None = None
    review: bool = False


def decided(processor_reference: str, reason: Reason | None, *, review: bool = False) -> Outcome:
    if reason is not None:
        return Outcome("declined", processor_reference, reason)
    return Outcome("approved", processor_reference, review=review)
