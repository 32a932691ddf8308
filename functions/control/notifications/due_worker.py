"""The schedule's door, once a minute and whenever the sandbox clock moves: makes the attempts that have fallen due.

What was held back for an endpoint that is enabled again becomes due first. Accounts take turns, so that one account's
slow endpoint does not use up the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from control.notifications.public import NotificationSettings, dispatcher_of, upkeep_of
from tollgate import config, sandbox_clock
from tollgate.log import Journal

ATTEMPTS_BEGIN_WITHIN_SECONDS = 20

_settings = config.load(NotificationSettings)
_journal = Journal("notifications-due", _settings.log_level)
_dispatcher = dispatcher_of(_settings)
_upkeep = upkeep_of(_settings)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Run once; answers and counts what was done and what is left for the next run."""
    sandbox_clock.refresh()
    resumed = _upkeep.resume()
    tally = _dispatcher.run((), _dispatcher.due(), ATTEMPTS_BEGIN_WITHIN_SECONDS, _report)
    _journal.count(
        NotificationsDelivered=tally.delivered,
        NotificationAttemptsFailed=tally.failed,
        NotificationsDead=tally.dead,
        NotificationsParked=tally.parked,
        NotificationsResumed=resumed,
        NotificationsLeftDue=tally.left,
    )
    return {"delivered": tally.delivered, "failed": tally.failed, "left": tally.left}


def _report(error: Exception) -> None:
    _journal.fault(None, error)
