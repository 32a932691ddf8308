"""What can go wrong with an import: refusals a caller sees, and what stops a row, a step or a whole job."""

from __future__ import annotations

from typing import Literal

from tollgate.errors import Fault, Invalid

Reason = Literal[
    "destination_error", "source_error", "invalid_card_data", "expired_card", "unsupported_type", "duplicate",
    "rate_limited", "unknown",
]  # fmt: skip


class ImportNotFound(Invalid):
    """No import of the caller's account has this id. The reference lists 422 and no 404 for these endpoints."""

    def __init__(self) -> None:
        super().__init__([Fault("path.id", "is not the id of an import of this account")])


class AnotherImportRuns(Invalid):
    """An account has one import under way at a time."""

    default_message = "Another import is being prepared or processed; wait for its end or abort it"


class NotRunning(Invalid):
    """Only an import that is under way can be aborted."""

    default_message = "The import is finished or was aborted already"


class ImportStopped(Exception):
    """The job was aborted or has ended: nothing more may be recorded for it."""


class StepTaken(Exception):
    """Another worker did this piece of work first; nothing was recorded."""


class AlreadyImported(Exception):
    """A card of this batch became a token meanwhile; look again."""


class NotDone(Exception):
    """There are rows left, so the job is not to be finished yet."""


class RowProblem(Exception):
    """One row cannot become a token, and trying again would not help. `message` holds nothing of the card."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message


class SourceBusy(Exception):
    """The source cannot be asked now; in `seconds` it may."""

    def __init__(self, seconds: int = 1) -> None:
        super().__init__("busy")
        self.seconds = seconds


class SourceRefused(Exception):
    """The source will not serve this job at all. `message` says why, for the failure list; it holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
