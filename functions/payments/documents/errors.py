"""What can go wrong with a document beyond what the engine refuses."""

from __future__ import annotations

from payments.engine.errors import StateInvalid

__all__ = ["NoInvoice", "StateInvalid"]


class NoInvoice(StateInvalid):
    """The transaction has no invoice (yet)."""

    def __init__(self) -> None:
        super().__init__("The transaction has no invoice yet")
