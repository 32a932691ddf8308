"""The stream door: hands new notes of changes on to who listens, in their order.

The first note that cannot be handed on is reported, and the stream comes back with it and all after it. One that was
handed on before is gone and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments.announcements import from_item
from payments.webhooks.models import TellingSettings
from payments.webhooks.repository import WebhookRecords
from payments.webhooks.service.telling import Telling
from tollgate import aws, config, sandbox_clock
from tollgate.log import Journal
from tollgate.store.items import load
from tollgate.store.table import Table

_settings = config.load(TellingSettings)
_journal = Journal("webhook-feed", _settings.log_level)
_telling = Telling(WebhookRecords(Table(_settings.payments_table, aws.dynamodb())))


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Hand a batch on; answer the first record that failed, if any."""
    sandbox_clock.refresh()
    records = [record["dynamodb"] for record in event.get("Records", [])]
    told = _telling.tell([from_item(load(record["NewImage"])) for record in records])
    _journal.count(WebhookMessages=told.messages, WebhookChangesFailed=int(told.error is not None))
    if told.failed_at is None:
        return {"batchItemFailures": []}
    _journal.fault(None, told.error or RuntimeError())
    return {"batchItemFailures": [{"itemIdentifier": records[told.failed_at]["SequenceNumber"]}]}
