"""The queue door: records what outbox records announce and makes first attempts at once.

A message names an outbox record (`table`, `pk`, `sk`), or a notification that is to be sent now (`account_id`,
`notification_id`). It says nothing else, so a lost, doubled, late or reordered one changes nothing. Only a message
whose record could not be taken over comes back; once the event is ours, a failed delivery is a matter of the schedule.
What no worker can understand comes back until the queue puts it aside, alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from control.notifications.errors import Unreadable
from control.notifications.models import Notification, Reference
from control.notifications.public import WorkerSettings, dispatcher_of, recorder_of
from tollgate import config, sandbox_clock
from tollgate.log import Journal

ATTEMPTS_BEGIN_WITHIN_SECONDS = 10

_settings = config.load(WorkerSettings)
_journal = Journal("notifications", _settings.log_level)
_recorder = recorder_of(_settings)
_dispatcher = dispatcher_of(_settings)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Take over a batch of references, deliver, and answer the messages that have to come back."""
    sandbox_clock.refresh()
    named, asked, failures = _read(event.get("Records", []))
    taken = _recorder.take(list(dict.fromkeys(named.values())), _report)
    failures += [message for message, reference in named.items() if reference in taken.failed]
    _deliver(taken.in_hand, asked)
    _journal.count(NotificationMessagesFailed=len(failures))
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failures]}


def _deliver(begun: list[Notification], asked: list[tuple[str, str]]) -> None:
    tally = _dispatcher.run(begun, asked, ATTEMPTS_BEGIN_WITHIN_SECONDS, _report)
    _journal.count(NotificationsDelivered=tally.delivered, NotificationAttemptsFailed=tally.failed)


def _read(records: list[Mapping[str, Any]]) -> tuple[dict[str, Reference], list[tuple[str, str]], list[str]]:
    """Message ids with the record each names; notifications asked for; messages that make no sense."""
    named: dict[str, Reference] = {}
    asked: list[tuple[str, str]] = []
    failures: list[str] = []
    for record in records:
        message = _message(record)
        match message:
            case {"table": str(table), "pk": str(pk), "sk": str(sk)} if table in _settings.outbox_tables:
                named[record["messageId"]] = Reference(table, pk, sk)
            case {"account_id": str(account_id), "notification_id": str(notification_id)}:
                asked.append((account_id, notification_id))
            case _:
                _report(Unreadable("a message cannot be understood"))
                failures.append(record["messageId"])
    return named, asked, failures


def _message(record: Mapping[str, Any]) -> object:
    try:
        return json.loads(record["body"])
    except (KeyError, ValueError):
        return None


def _report(error: Exception) -> None:
    _journal.fault(None, error)
