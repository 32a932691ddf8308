"""The schedule's door: takes up imports that nobody works on any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate import aws, config, sandbox_clock
from tollgate.config import Settings
from tollgate.log import Journal
from tollgate.store.table import Table
from vault.imports.clients.steps import StepQueue
from vault.imports.repository import ImportRepository
from vault.imports.service.resumption import Resumption


@dataclass(frozen=True)
class ResumptionSettings(Settings):
    """What the schedule needs: no key, no bucket, no source."""

    vault_table: str
    import_queue_url: str


_settings = config.load(ResumptionSettings)
_journal = Journal("import-resumption", _settings.log_level)
_resumption = Resumption(
    ImportRepository(Table(_settings.vault_table, aws.dynamodb())), StepQueue(aws.sqs(), _settings.import_queue_url)
)


def handler(_event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Look once at the jobs under way (five hundred at most); answers how many there are and how many it took up."""
    sandbox_clock.refresh()
    found = _resumption.run()
    _journal.count(ImportsUnderWay=found.under_way, ImportsResumed=found.resumed)
    return {"under_way": found.under_way, "resumed": found.resumed}
