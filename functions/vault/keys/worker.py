"""The scheduled door of key upkeep, and an operator's: `{"action": "rotate_data_key", "account_id": …}` or
`{"action": "rewrap_data_keys"}` by direct invocation. There is no route; whoever may invoke the function may ask."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tollgate import aws, config, sandbox_clock
from tollgate.auth import records
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.dialects.vault import VAULT
from tollgate.errors import Failure
from tollgate.log import Journal
from tollgate.store.table import Table
from vault.keys.repository import UpkeepRepository
from vault.keys.service import CARDS, KeyUpkeep
from vault.merchants.public import merchants_of
from vault.tokens.public import TokenSettings, card_keyring, tokens_of

MOST_SECONDS = 840
"""How long a run takes on new work: its time-out less a page of records and a slow start."""

_settings = config.load(TokenSettings)
_journal = Journal("keys", _settings.log_level)
_table = Table(_settings.vault_table, aws.dynamodb())
_cards = card_keyring(_settings)
_keyrings = {
    CARDS: _cards,
    "security-codes": Keyring(_table, Kms(aws.kms(), _settings.security_code_key_id), "security-codes"),
    records.PLATFORM: Keyring(
        Table(_settings.identity_table, aws.dynamodb()), Kms(aws.kms(), _settings.platform_key_id), records.PLATFORM
    ),
}
_upkeep = KeyUpkeep(
    UpkeepRepository(_table),
    _keyrings,
    tokens_of(_settings, _cards),
    merchants_of(_table, _cards),
    on_fault=lambda fault: _journal.fault(None, fault),
)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Carry out an operator's payload, or go on with the upkeep."""
    sandbox_clock.refresh()
    return _for_operator(event) if "action" in event else _for_schedule()


def _for_operator(event: Mapping[str, Any]) -> dict[str, Any]:
    try:
        answer = _upkeep.carry_out(event)
    except Failure as failure:
        _journal.note("refused", failure=type(failure).__name__)
        return dict(VAULT.error_body(failure))
    _journal.note("key upkeep asked for", action=str(event["action"]), account_id=answer.get("id"))
    return answer


def _for_schedule() -> dict[str, Any]:
    started = time.monotonic()
    report = _upkeep.run(lambda: time.monotonic() - started < MOST_SECONDS)
    _journal.count(
        DataKeysRewrapped=report.rewrapped,
        RecordsResealed=report.resealed,
        RecordsUnreadable=report.unreadable,
        RecordsToResealLeft=report.records_left,
        KeyOwnersLeft=report.owners_left,
        KeyOwnersFailed=report.failed,
    )
    return asdict(report)
