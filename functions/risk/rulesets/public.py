"""What other groups of the family may ask of rulesets: to find one, as stored."""

from __future__ import annotations

from risk.rulesets.errors import RulesetNotFound
from risk.rulesets.models import Ruleset
from risk.rulesets.repository import RulesetRepository
from risk.rulesets.service import RulesetService
from tollgate.store.table import Table

__all__ = ["Ruleset", "RulesetNotFound", "RulesetService", "rulesets_of"]


def rulesets_of(table: Table) -> RulesetService:
    """The ruleset use cases of a function of the family."""
    return RulesetService(RulesetRepository(table))
