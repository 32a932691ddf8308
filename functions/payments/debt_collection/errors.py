"""What can go wrong with cases of debt collection beyond what the engine refuses."""

from __future__ import annotations

from payments.engine.errors import ExternalIdReused, StateInvalid
from tollgate.errors import Invalid

__all__ = ["CaseIncomplete", "ExternalIdReused", "StateInvalid"]


class CaseIncomplete(Invalid):
    """A case cannot be handed in as long as a property is missing."""
