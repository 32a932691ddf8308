"""The queue door: carries work to the token service provider.

An attempt that found no decision needs no redelivery: its row says when it is looked at again. Redelivered is only what
failed for a reason that nobody foresaw.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tollgate import config, sandbox_clock
from tollgate.log import Journal
from vault.network_tokens.public import NetworkTokenSettings, provisioning_of

_settings = config.load(NetworkTokenSettings)
_journal = Journal("network-token-worker", _settings.log_level)
_service = provisioning_of(_settings)

_METRICS = {
    "done": "NetworkTokenWorkDone",
    "waiting": "NetworkTokenWorkWaiting",
    "gone": "NetworkTokenWorkGone",
    "given up": "NetworkTokenWorkGivenUp",
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
    _journal.count(**outcomes, NetworkTokenWorkFailed=len(failures))
    return {"batchItemFailures": failures}
