"""The queue door: asks and tells backends what was put off.

An attempt that found no answer needs no redelivery: its row says when it is looked at again. Redelivered is only what
failed for a reason that nobody foresaw.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from risk.decisions.public import DecisionRepository, RiskSettings, access_of, risk_keyring
from risk.settlements.service import Settlements
from tollgate import aws, config, sandbox_clock
from tollgate.log import Journal
from tollgate.store.table import Table


@dataclass(frozen=True)
class SettlementSettings(RiskSettings):
    """Also the sandbox's exempt targets."""

    sandbox_allow_targets: tuple[str, ...]


_settings = config.load(SettlementSettings)
_journal = Journal("backend-worker", _settings.log_level)
_keyring = risk_keyring(_settings)
_service = Settlements(
    DecisionRepository(Table(_settings.risk_table, aws.dynamodb()), _keyring),
    access_of(_settings, _keyring, _settings.sandbox_allow_targets),
)

_METRICS = {
    "done": "BackendWorkDone",
    "waiting": "BackendWorkWaiting",
    "gone": "BackendWorkGone",
    "given up": "BackendWorkGivenUp",
}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """One attempt for each message; answers those that the queue is to deliver again."""
    sandbox_clock.refresh()
    failures: list[dict[str, str]] = []
    outcomes: Counter[str] = Counter()
    for record in event.get("Records", []):
        try:
            reference = json.loads(record["body"])
            outcomes[_METRICS[_service.carry_out(str(reference["pk"]), str(reference["sk"]))]] += 1
        except Exception as error:  # one message must not repeat the others
            _journal.fault(None, error)
            failures.append({"itemIdentifier": record["messageId"]})
    _journal.count(**outcomes, BackendWorkFailed=len(failures))
    return {"batchItemFailures": failures}
