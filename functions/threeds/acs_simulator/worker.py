"""The scheduled door of the sandbox's access control server: decoupled authentications, time-outs, and verdicts whose
report did not get through. It runs every minute and whenever the sandbox clock moves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from threeds.acs_simulator.repository import SessionRepository
from threeds.acs_simulator.service import AcsService
from tollgate import aws, config, sandbox_clock
from tollgate.egress import Egress
from tollgate.log import Journal
from tollgate.store.table import Table

MOST_SECONDS = 30


@dataclass(frozen=True)
class ScheduleSettings(config.Settings):
    """What the function needs."""

    sandbox_allow_targets: tuple[str, ...]


_settings = config.load(ScheduleSettings)
_journal = Journal("acs-simulator-schedule", _settings.log_level)
_service = AcsService(
    SessionRepository(Table(_settings.sandbox_table, aws.dynamodb())), Egress(_settings.sandbox_allow_targets)
)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Go on with what is due, for as long as there is time."""
    sandbox_clock.refresh()
    started = time.monotonic()
    reported = left = 0
    for go_on in _service.due():
        if time.monotonic() - started > MOST_SECONDS:
            left += 1
        else:
            reported += go_on()
    _journal.count(SandboxResultsReported=reported, SandboxResultsLeft=left)
    return {"reported": reported, "left": left}
