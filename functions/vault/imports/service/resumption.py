"""Takes up jobs that nobody works on any more: a worker was killed, a message was lost.

It only sends steps, and a step too many does no harm. It needs neither keys nor sources.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tollgate import clock, ids
from vault.imports.clients.steps import StepQueue
from vault.imports.errors import ImportStopped, NotDone
from vault.imports.models import Job, Step
from vault.imports.repository import ImportRepository

STALE_AFTER: Final = timedelta(seconds=120)
MOST_STEPS_PER_JOB: Final = 500


@dataclass(frozen=True, slots=True)
class Resumed:
    """How many jobs are under way and how many of them had to be taken up."""

    under_way: int
    resumed: int


class Resumption:
    """One run of the schedule."""

    def __init__(self, repository: ImportRepository, queue: StepQueue) -> None:
        self._repository = repository
        self._queue = queue

    def run(self) -> Resumed:
        found = self._repository.under_way(ids.new_uuid())  # from a place left to chance, so that all get their turn
        stale = 0
        for account_id, import_id in found:
            job = self._repository.find(account_id, import_id)
            if job is not None and job.is_active and self._is_stale(job):
                stale += 1
                self._resume(job)
        return Resumed(len(found), stale)

    @staticmethod
    def _is_stale(job: Job) -> bool:
        return clock.now() - datetime.fromisoformat(job.progressed_at) >= STALE_AFTER

    def _resume(self, job: Job) -> None:
        steps: list[Step] = []
        if job.status == "running":
            steps = [
                Step(job.account_id, job.id, "chunk", number=chunk.number)
                for chunk in self._repository.chunks(job)
                if not chunk.is_done
            ]
        if not steps and job.listed:
            with contextlib.suppress(NotDone, ImportStopped):
                self._repository.finish(job)
                self._queue.send([Step(job.account_id, job.id, "clean")])
            return
        ticket = self._repository.new_ticket(job)
        if ticket is not None and not job.listed:
            steps.append(Step(job.account_id, job.id, "list", ticket=ticket))
        self._queue.send(steps[:MOST_STEPS_PER_JOB])
