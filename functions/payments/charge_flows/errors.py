"""What can go wrong with a charge flow beyond what transactions refuse."""

from __future__ import annotations

from tollgate.errors import Invalid


class NoFlow(Invalid):
    """The space has no active flow with a level that could reach the buyer."""

    default_message = "No active charge flow of the space has a level that could reach the buyer"

    def __init__(self) -> None:
        super().__init__(code="no_charge_flow")
