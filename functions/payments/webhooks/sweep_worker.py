"""The schedule's door, every five minutes: hands on what got lost between a table's stream and the feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from payments.webhooks.models import TellingSettings
from payments.webhooks.repository import WebhookRecords
from payments.webhooks.service.telling import Telling
from tollgate import aws, config, sandbox_clock
from tollgate.log import Journal
from tollgate.store.table import Table

OLDER_THAN_SECONDS: Final = 300

_settings = config.load(TellingSettings)
_journal = Journal("webhook-sweep", _settings.log_level)
_telling = Telling(WebhookRecords(Table(_settings.payments_table, aws.dynamodb())))


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Run once; answers and counts messages made, and how many shards have more or failed."""
    sandbox_clock.refresh()
    messages = left = 0
    for changes, has_more in _telling.left_over(OLDER_THAN_SECONDS):
        told = _telling.tell(changes)
        messages, left = messages + told.messages, left + (has_more or told.error is not None)
        if told.error is not None:
            _journal.fault(None, told.error)
    _journal.count(WebhookMessagesLate=messages, WebhookShardsLeft=left)
    return {"messages": messages, "left": left}
