"""What a message on the imports' queue makes happen: list a source, work through a chunk, clean up.

Each step may be delivered twice, late, or next to its double: what it may record is conditional on where the job
stands, so it either gets further or notices that somebody else did. A step that runs out of time sends itself on.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from tollgate import clock, ids
from tollgate.crypto.keyring import CannotOpen, Keyring
from tollgate.store.transaction import Transaction
from vault.imports.clients import openpgp
from vault.imports.clients.objects import ObjectStore
from vault.imports.clients.sources import Listed, Source
from vault.imports.clients.steps import StepQueue
from vault.imports.errors import (
    AlreadyImported,
    ImportStopped,
    NotDone,
    NotRunning,
    SourceBusy,
    SourceRefused,
    StepTaken,
)
from vault.imports.models import MOST_ROWS, Chunk, Entry, Failed, Job, Step
from vault.imports.repository import ImportRepository, PgpKey
from vault.imports.rules import business_key_of
from vault.imports.service import rows
from vault.imports.service.jobs import Note, fail, prefix, seal_pgp_key, send_soon, upload_end, upload_key
from vault.imports.service.rows import Good, Outcome
from vault.tokens.public import BATCH, Token, TokenNotFound, TokenService

MOST_ATTEMPTS: Final = 8
_MARGIN_SECONDS: Final = 30
_UPLOAD_POLL_SECONDS: Final = 5
_LISTED_PER_COMMIT: Final = 500

SourceOf = Callable[[Job], Source]
SecondsLeft = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What steps work with. `source_of` makes the source of a job under way."""

    repository: ImportRepository
    tokens: TokenService
    keyring: Keyring
    objects: ObjectStore
    queue: StepQueue
    source_of: SourceOf
    note: Note


class StepService:
    """Carries out one step at a time."""

    def __init__(self, workshop: Workshop) -> None:
        self._w = workshop
        self._repository = workshop.repository

    def carry_out(self, step: Step, seconds_left: SecondsLeft) -> None:
        """Get a job further, as far as the time allows."""
        job = self._repository.find(step.account_id, step.import_id)
        if job is None:
            return
        if step.action == "clean":
            self._clean(job)
            return
        try:
            if step.action == "list":
                self._list(job, step, seconds_left)
            else:
                self._work(job, step, seconds_left)
        except (ImportStopped, StepTaken):
            return
        except SourceBusy as busy:
            self._wait(job, step, busy)
        except SourceRefused as refused:
            self._fail(job, refused.message)

    # ------------------------------------------------------------------ listing

    def _list(self, job: Job, step: Step, seconds_left: SecondsLeft) -> None:
        if not job.is_active or job.listed or step.ticket != job.ticket:
            return
        if job.source == "file" and not self._has_file(job, step):
            return
        source = self._w.source_of(job)
        gathered: list[Entry] = []
        seen, position = 0, job.position or ""
        for listed in source.listing(job.position):
            self._check_size(job, gathered, listed)
            gathered += listed.entries
            seen, position = seen + 1, listed.position
            if len(gathered) < source.rows_per_chunk and seen < _LISTED_PER_COMMIT:
                continue
            job = self._commit(job, source, gathered, position, end=False)
            gathered, seen = [], 0
            if seconds_left() < _MARGIN_SECONDS:
                self._w.queue.send([replace(step, attempt=0)])
                return
        job = self._commit(job, source, gathered, position, end=True)
        if source.is_proven_at_its_end:
            self._w.queue.send([_chunk_step(chunk) for chunk in self._repository.chunks(job)])
        self._finish(job)

    @staticmethod
    def _check_size(job: Job, gathered: Sequence[Entry], listed: Listed) -> None:
        if job.total + len(gathered) + len(listed.entries) > MOST_ROWS:
            raise SourceRefused(f"There are more than {MOST_ROWS} cards")

    def _has_file(self, job: Job, step: Step) -> bool:
        """Whether the file is there; if not, look again in some seconds. Makes the account's first key on the way."""
        if self._repository.pgp_key(job.account_id) is None:
            public, fingerprint, private = openpgp.generate()
            sealed = seal_pgp_key(self._w.keyring, job.account_id, private)
            self._repository.keep_pgp_key(job.account_id, PgpKey(public, fingerprint, sealed))
        if self._w.objects.exists(upload_key(job)):
            return True
        if clock.now() >= upload_end(job):
            raise SourceRefused("No file was uploaded in time")
        self._repository.touch(job)
        self._w.queue.send([replace(step, attempt=0)], _UPLOAD_POLL_SECONDS)
        return False

    def _commit(self, job: Job, source: Source, entries: Sequence[Entry], position: str, *, end: bool) -> Job:
        """Put what was listed into sealed objects, then on record, then on the queue; answers the job after it."""
        size = source.rows_per_chunk
        chunks = [
            self._put_chunk(job, job.chunks + n, entries[start : start + size])
            for n, start in enumerate(range(0, len(entries), size))
        ]
        transaction = self._repository.begin()
        runs = end or not source.is_proven_at_its_end
        self._repository.extend(transaction, job, chunks, position, end=end, runs=runs)
        transaction.commit()
        if not source.is_proven_at_its_end:
            self._w.queue.send([_chunk_step(chunk) for chunk in chunks])
        return replace(
            job, position=position, listed=end, listings=job.listings + 1, chunks=job.chunks + len(chunks),
            total=job.total + len(entries),
        )  # fmt: skip

    def _put_chunk(self, job: Job, number: int, entries: Sequence[Entry]) -> Chunk:
        """An object's name is new each time: what is on record is never overwritten by a double of this step."""
        key = f"{prefix(job)}chunks/{number:07d}-{ids.new_uuid()}"
        payload = json.dumps([asdict(entry) for entry in entries], separators=(",", ":")).encode()
        self._w.objects.put(key, self._w.keyring.seal(job.account_id, _bound_to(job, key), payload))
        return Chunk(job.account_id, job.id, number, len(entries), key)

    # ------------------------------------------------------------------ working through a chunk

    def _work(self, job: Job, step: Step, seconds_left: SecondsLeft) -> None:
        chunk = self._repository.find_chunk(job.account_id, job.id, step.number)
        if job.status != "running" or chunk is None:
            return
        entries = self._open_chunk(job, chunk) if not chunk.is_done else []
        source = self._w.source_of(job) if entries else None
        attempt = step.attempt
        while not chunk.is_done:
            if seconds_left() < _MARGIN_SECONDS:
                self._w.queue.send([replace(step, attempt=0)])
                return
            outcomes, busy = self._evaluate(job, source, chunk, entries)
            if busy is not None and not outcomes and attempt >= MOST_ATTEMPTS:
                outcomes, busy = [rows.gave_up(entries[chunk.next_row])], None
            if outcomes:
                chunk, attempt = self._record(chunk, outcomes), 0
            if busy is not None:
                self._wait(job, replace(step, attempt=attempt), busy)
                return
        self._w.objects.delete(chunk.object)
        self._finish(job)

    def _open_chunk(self, job: Job, chunk: Chunk) -> list[Entry]:
        """The rows of a chunk, or as many that say they were lost."""
        sealed = self._w.objects.find(chunk.object)
        try:
            text = self._w.keyring.open(job.account_id, _bound_to(job, chunk.object), sealed) if sealed else b"[]"
        except CannotOpen:
            text = b"[]"
        return [Entry(**members) for members in json.loads(text)]

    def _evaluate(
        self, job: Job, source: Source | None, chunk: Chunk, entries: Sequence[Entry]
    ) -> tuple[Sequence[Outcome], SourceBusy | None]:
        batch = entries[chunk.next_row : chunk.next_row + BATCH]
        if source is None or not batch:
            missing = min(chunk.rows - chunk.next_row, BATCH)
            return [rows.lost(None)] * missing, None
        keys = [key for entry in batch if (key := business_key_of(entry))]
        earlier = self._repository.tokens_of(job.account_id, keys)
        evaluated = rows.evaluate(source, batch, earlier, lambda token: self._is_live(job.account_id, token))
        return evaluated.outcomes, evaluated.busy

    def _is_live(self, account_id: str, token_id: str) -> bool:
        try:
            self._w.tokens.find(account_id, token_id)
        except TokenNotFound:
            return False
        return True

    def _record(self, chunk: Chunk, outcomes: Sequence[Outcome]) -> Chunk:
        """Make the tokens and write the outcomes, in one transaction; answers the chunk after it."""
        good = [each for each in outcomes if isinstance(each, Good)]
        failed = [each for each in outcomes if isinstance(each, Failed)]

        def also(transaction: Transaction, tokens: Sequence[Token]) -> None:
            for each, token in zip(good, tokens, strict=True):
                self._repository.mark(
                    transaction, chunk.account_id, each.business_key, token.id, instead_of=each.instead_of
                )
            self._repository.record(transaction, chunk, len(good), failed)

        try:
            if good:
                self._w.tokens.tokenise_batch(chunk.account_id, [each.new for each in good], also)
            else:
                transaction = self._repository.begin()
                also(transaction, [])
                transaction.commit()
        except AlreadyImported:
            return chunk  # another chunk had the same id a moment ago: judge these rows again
        return replace(chunk, next_row=chunk.next_row + len(outcomes))

    # ------------------------------------------------------------------ ends

    def _wait(self, job: Job, step: Step, busy: SourceBusy) -> None:
        """Try again later, twice as late each time; a listing that waited too often ends its job."""
        if step.attempt >= MOST_ATTEMPTS and step.action == "list":
            self._fail(job, "The source could not be reached")
            return
        self._repository.touch(job)
        self._w.queue.send([replace(step, attempt=step.attempt + 1)], max(busy.seconds, 2**step.attempt))

    def _finish(self, job: Job) -> None:
        with contextlib.suppress(NotDone, ImportStopped):
            self._repository.finish(job)
            send_soon(self._w.queue, self._w.note, Step(job.account_id, job.id, "clean"))

    def _fail(self, job: Job, message: str) -> None:
        with contextlib.suppress(NotRunning):
            fail(self._repository, job, message)
            send_soon(self._w.queue, self._w.note, Step(job.account_id, job.id, "clean"))

    def _clean(self, job: Job) -> None:
        """Remove every object of a job that has ended."""
        if not job.is_active:
            self._w.objects.delete_all(prefix(job))


def _chunk_step(chunk: Chunk) -> Step:
    return Step(chunk.account_id, chunk.import_id, "chunk", number=chunk.number)


def _bound_to(job: Job, key: str) -> dict[str, str]:
    """What a sealed chunk is bound to."""
    return {"record": "import-chunk", "import": job.id, "object": key}
