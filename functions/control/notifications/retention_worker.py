"""The schedule's door, four times an hour: forgets notifications that are older than they are kept (30 days)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from control.notifications.public import NotificationSettings, upkeep_of
from tollgate import config, sandbox_clock
from tollgate.log import Journal

WITHIN_SECONDS = 20

_settings = config.load(NotificationSettings)
_journal = Journal("notifications-retention", _settings.log_level)
_upkeep = upkeep_of(_settings)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Run once; answers and counts what was removed, and how many accounts have more to remove."""
    sandbox_clock.refresh()
    kept = _upkeep.forget(WITHIN_SECONDS)
    _journal.count(NotificationsForgotten=kept.removed, AccountsLeftToForget=kept.left)
    return {"removed": kept.removed, "left": kept.left}
