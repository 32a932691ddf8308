"""What can go wrong with a ruleset beyond what the request itself shows."""

from __future__ import annotations

from tollgate.errors import Conflict, NotFound


class RulesetNotFound(NotFound):
    """No ruleset of the caller's account has this id; a foreign one is not told apart."""

    default_message = "The ruleset was not found"


class NotDraft(Conflict):
    """Only a draft can be changed or activated."""

    default_message = "Only a ruleset DRAFT can be changed or activated"


class NotInactive(Conflict):
    """Only what was active before can be rolled back to."""

    default_message = "Only a ruleset INACTIVE can be rolled back to"


class Overtaken(Exception):
    """Another writer was first; read again."""
