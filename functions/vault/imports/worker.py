"""The queue door of imports: one message is one step of one job.

A step whose trouble is a matter of time is sent again at once, later each time, since a message that is merely left
alone stays away for the whole visibility timeout. What is no step at all is reported, so that it alone ends up in the
dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tollgate import aws, config, sandbox_clock
from tollgate.egress import Egress
from tollgate.log import Journal
from tollgate.store.table import Table
from vault.imports.clients.objects import ObjectStore
from vault.imports.clients.steps import StepQueue
from vault.imports.models import Step
from vault.imports.repository import ImportRepository
from vault.imports.service.sourcing import Sourcing
from vault.imports.service.steps import StepService, Workshop
from vault.tokens.public import TokenSettings, card_keyring, tokens_of

MOST_ATTEMPTS = 8
_MARGIN_SECONDS = 45
_STRIPE_API = "https://api.stripe.com"


@dataclass(frozen=True)
class StepSettings(TokenSettings):
    """`import_receiver_url` is the endpoint of ours that Stripe forwards cards to."""

    imports_bucket: str
    import_queue_url: str
    stripe_api_base: str
    import_receiver_url: str


def compose(settings: StepSettings, queue: StepQueue, journal: Journal) -> StepService:
    """The steps of a function with these settings."""
    keyring = card_keyring(settings)
    repository = ImportRepository(Table(settings.vault_table, aws.dynamodb()))
    objects = ObjectStore(aws.s3(), settings.imports_bucket)
    egress = Egress(frozenset(settings.sandbox_allow_targets if settings.is_sandbox else ()))
    api_base = settings.stripe_api_base or _STRIPE_API
    sourcing = Sourcing(keyring, repository, objects, egress, api_base, settings.import_receiver_url)
    tokens = tokens_of(settings, keyring)
    return StepService(Workshop(repository, tokens, keyring, objects, queue, sourcing, journal.note))


_settings = config.load(StepSettings)
_journal = Journal("import-worker", _settings.log_level)
_queue = StepQueue(aws.sqs(), _settings.import_queue_url)
_service = compose(_settings, _queue, _journal)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Carry out the steps of a batch; answers the messages that could not be dealt with."""
    sandbox_clock.refresh()
    seconds_left = _clock_of(context)
    failed = [record["messageId"] for record in event.get("Records", []) if not _deal_with(record, seconds_left)]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _deal_with(record: Mapping[str, Any], seconds_left: Callable[[], int]) -> bool:
    try:
        step = Step.from_text(record["body"])
    except (ValueError, KeyError, TypeError) as error:
        _journal.fault(None, error)
        return False
    try:
        if seconds_left() < _MARGIN_SECONDS:
            _queue.send([step])  # the steps before it took all the time there was
        else:
            _service.carry_out(step, seconds_left)
    except Exception as error:  # whatever a step meets must not stop the others of the batch
        _journal.fault(None, error)
        return _again(step)
    return True


def _again(step: Step) -> bool:
    """Send a step again after a pause; False when it failed too often or the queue does not take it."""
    if step.attempt >= MOST_ATTEMPTS:
        return False
    try:
        _queue.send([replace(step, attempt=step.attempt + 1)], 2**step.attempt)
    except Exception as error:
        _journal.fault(None, error)
        return False
    return True


def _clock_of(context: object) -> Callable[[], int]:
    """How many seconds the invocation has left; without a runtime that says so, plenty."""
    left: Callable[[], int] | None = getattr(context, "get_remaining_time_in_millis", None)
    return (lambda: left() // 1000) if left is not None else (lambda: 900)
