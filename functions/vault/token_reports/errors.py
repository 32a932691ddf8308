"""What can go wrong with a report."""

from __future__ import annotations

from tollgate.errors import NotFound


class ReportNotFound(NotFound):
    """No report of the caller's account has this name (any more)."""

    default_message = "The report was not found"
