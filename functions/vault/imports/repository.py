"""Imports in DynamoDB: keys, items, conditions.

Access patterns (`pk`, `sk`):
    an import by id                        `IMPORT#<account>#<id>`,            `#`
    its chunks, in order                   `IMPORT#<account>#<id>`,            `C#<number>`
    its failures in order, counted         see `tollgate.store.listing`: owner the import, name `failures`, facet reason
    the import an account has under way    `IMPORTS#<account>`,                `#`
    all imports under way                  `IMPORTS-UNDER-WAY`,                `<account>#<id>`
    which token an original id became      `IMPORTED#<account>#<provider>#<business key>`, `#`
    an account's OpenPGP key               `IMPORT-KEY#<account>`,             `#`

A row's outcome, the place in its chunk and the counts of its job change in one transaction, on the condition that the
place is where the worker found it and the job is still running. So an outcome is recorded once, whoever delivers what
twice, the counts are exact at every moment, and from the moment of an abort nothing more is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.listing import Listing, Page, Selection
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction
from vault.imports.errors import (
    AlreadyImported,
    AnotherImportRuns,
    ImportStopped,
    NotDone,
    NotRunning,
    StepTaken,
)
from vault.imports.models import PROVIDER, Chunk, Failed, Job

MOST_LOOKED_AT = 500
_UNDER_WAY = "IMPORTS-UNDER-WAY"
_JOB_MEMBERS = tuple(field.name for field in fields(Job))
_CHUNK_MEMBERS = tuple(field.name for field in fields(Chunk))


@dataclass(frozen=True, slots=True)
class PgpKey:
    """An account's OpenPGP key: the public part as armoured text, the private one sealed."""

    public_key: str
    fingerprint: str
    sealed: bytes


class ImportRepository:
    """Imports of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._failures = Listing(table, "failures")

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    # ------------------------------------------------------------------ reading

    def find(self, account_id: str, import_id: str) -> Job | None:
        item = self._table.get(_pk(account_id, import_id), "#")
        return _job(item) if item else None

    def find_chunk(self, account_id: str, import_id: str, number: int) -> Chunk | None:
        item = self._table.get(_pk(account_id, import_id), _chunk_key(number))
        return _chunk(item) if item else None

    def chunks(self, job: Job) -> list[Chunk]:
        """Every chunk of a job in order: some thousand small rows at most."""
        return [_chunk(item) for item in self._table.query(_pk(job.account_id, job.id), prefix="C#")]

    def under_way(self, start: str) -> list[tuple[str, str]]:
        """Account and id of jobs under way, from account `start` on and round to it again; at most five hundred."""
        rows = self._table.query(_UNDER_WAY, low=start, limit=MOST_LOOKED_AT, project=("sk",))
        if len(rows) < MOST_LOOKED_AT:
            rest = MOST_LOOKED_AT - len(rows)
            rows += self._table.query(_UNDER_WAY, high=start, limit=rest, project=("sk",))
        return [(account_id, import_id) for account_id, import_id in (str(row["sk"]).split("#") for row in rows)]

    def failures(self, import_id: str, selection: Selection) -> Page:
        return self._failures.page(import_id, selection)

    def tokens_of(self, account_id: str, business_keys: Iterable[str]) -> dict[str, str]:
        """Which of these original ids became a token before, and which token. At most 100 at once."""
        keys = [(_imported(account_id, key), "#") for key in sorted(set(business_keys))]
        return {str(item["business_key"]): str(item["token_id"]) for item in self._table.batch_get(keys)}

    def pgp_key(self, account_id: str) -> PgpKey | None:
        item = self._table.get(f"IMPORT-KEY#{account_id}", "#")
        return PgpKey(item["public_key"], item["fingerprint"], item["sealed"]) if item else None

    # ------------------------------------------------------------------ the life of a job

    def insert(self, transaction: Transaction, job: Job) -> None:
        """A new job as the only one of its account. Refused with AnotherImportRuns."""
        place = {"pk": f"IMPORTS#{job.account_id}", "sk": "#", "id": job.id}
        transaction.put(self._table, place, condition="attribute_not_exists(pk)", refusal=lambda _: AnotherImportRuns())
        transaction.put(self._table, {"pk": _UNDER_WAY, "sk": f"{job.account_id}#{job.id}"})
        item = {name: getattr(job, name) for name in _JOB_MEMBERS}
        transaction.put(self._table, {**item, "pk": _pk(job.account_id, job.id), "sk": "#"})

    def extend(
        self, transaction: Transaction, job: Job, chunks: Sequence[Chunk], position: str, *, end: bool, runs: bool
    ) -> None:
        """Add what was listed since `job` was read; `runs` lets work on it begin. Refused with StepTaken."""
        for chunk in chunks:
            item = {name: getattr(chunk, name) for name in _CHUNK_MEMBERS}
            transaction.put(
                self._table, {**item, "pk": _pk(job.account_id, job.id), "sk": _chunk_key(chunk.number)},
                condition="attribute_not_exists(pk)", refusal=lambda _: StepTaken(),
            )  # fmt: skip
        started = ", #status = :running, started_at = if_not_exists(started_at, :now)" if runs else ""
        transaction.update(
            self._table, _pk(job.account_id, job.id), "#",
            f"SET #position = :position, listed = :end, progressed_at = :now{started} "
            "ADD #total :rows, chunks :chunks, listings :one",
            condition="#status IN (:preparing, :running) AND listings = :listings AND listed = :false",
            names={"#status": "status", "#position": "position", "#total": "total"},
            values={
                ":position": position, ":end": end, ":now": clock.iso(clock.now()), ":one": 1, ":false": False,
                ":rows": sum(chunk.rows for chunk in chunks), ":chunks": len(chunks), ":listings": job.listings,
                ":preparing": "preparing", ":running": "running",
            },
            refusal=lambda item: StepTaken() if _is_active(item) else ImportStopped(),
        )  # fmt: skip

    def finish(self, job: Job) -> None:
        """End a job whose every row has its outcome, and forget its API key.

        Raises:
            NotDone: there is more to do. ImportStopped: it has ended already.
        """
        transaction = self.begin()
        transaction.update(
            self._table, _pk(job.account_id, job.id), "#",
            "SET #status = :finished, finished_at = :now REMOVE api_key",
            condition="#status = :running AND listed = :true AND #done = #total",
            names={"#status": "status", "#done": "done", "#total": "total"},
            values={":finished": "finished", ":now": clock.iso(clock.now()), ":running": "running", ":true": True},
            refusal=lambda item: NotDone() if _is_active(item) else ImportStopped(),
        )  # fmt: skip
        self._leave(transaction, job)
        transaction.commit()

    def stop(self, transaction: Transaction, job: Job, failures: int = 0) -> None:
        """Abort a job under way and forget its API key. Refused with NotRunning."""
        transaction.update(
            self._table, _pk(job.account_id, job.id), "#",
            "SET #status = :aborted, finished_at = :now REMOVE api_key ADD failures :failures",
            condition="#status IN (:preparing, :running)",
            names={"#status": "status"},
            values={
                ":aborted": "aborted", ":now": clock.iso(clock.now()), ":failures": failures,
                ":preparing": "preparing", ":running": "running",
            },
            refusal=lambda _: NotRunning(),
        )  # fmt: skip
        self._leave(transaction, job)

    def _leave(self, transaction: Transaction, job: Job) -> None:
        """Make room for the account's next import."""
        transaction.delete(self._table, f"IMPORTS#{job.account_id}", "#")
        transaction.delete(self._table, _UNDER_WAY, f"{job.account_id}#{job.id}")

    def new_ticket(self, job: Job) -> int | None:
        """Take over the listing of a job under way: steps with an older ticket end. None when it has ended."""
        try:
            after = self._table.update(
                _pk(job.account_id, job.id), "#", "SET progressed_at = :now ADD ticket :one",
                condition="#status IN (:preparing, :running)", names={"#status": "status"},
                values={":now": clock.iso(clock.now()), ":one": 1, ":preparing": "preparing", ":running": "running"},
            )  # fmt: skip
        except ConditionFailed:
            return None
        return int(after["ticket"])

    def touch(self, job: Job) -> None:
        """Note that somebody is still at it, so that nobody else takes over."""
        try:
            self._table.update(
                _pk(job.account_id, job.id), "#", "SET progressed_at = :now",
                condition="attribute_exists(pk)", values={":now": clock.iso(clock.now())},
            )  # fmt: skip
        except ConditionFailed:
            return

    # ------------------------------------------------------------------ outcomes of rows

    def record(self, transaction: Transaction, chunk: Chunk, successes: int, failed: Sequence[Failed]) -> None:
        """The outcome of the chunk's next rows, with the counts of the job.

        Refused with ImportStopped or StepTaken. Call once per transaction.
        """
        done = successes + len(failed)
        transaction.update(
            self._table, _pk(chunk.account_id, chunk.import_id), "#",
            "SET progressed_at = :now ADD successes :successes, failures :failures, #done :done",
            condition="#status = :running",
            names={"#status": "status", "#done": "done"},
            values={
                ":now": clock.iso(clock.now()), ":successes": successes, ":failures": len(failed), ":done": done,
                ":running": "running",
            },
            refusal=lambda _: ImportStopped(),
        )  # fmt: skip
        transaction.update(
            self._table, _pk(chunk.account_id, chunk.import_id), _chunk_key(chunk.number),
            "SET next_row = :after",
            condition="next_row = :before",
            values={":before": chunk.next_row, ":after": chunk.next_row + done},
            refusal=lambda _: StepTaken(),
        )  # fmt: skip
        self.list_failures(transaction, chunk.import_id, failed)

    def list_failures(self, transaction: Transaction, import_id: str, failed: Sequence[Failed]) -> None:
        """Put failures on the job's list."""
        if not failed:
            return
        slots = self._failures.allocate(import_id, len(failed))
        entries = [
            (slot, each.reason, {name: getattr(each, name) for name in Failed.__slots__})
            for slot, each in zip(slots, failed, strict=True)
        ]
        self._failures.add(transaction, import_id, entries)

    def mark(
        self, transaction: Transaction, account_id: str, business_key: str, token_id: str, *, instead_of: str | None
    ) -> None:
        """Note which token an original id became, where it was none or `instead_of`. Refused with AlreadyImported."""
        item = {"business_key": business_key, "token_id": token_id}
        condition, values = "attribute_not_exists(pk)", None
        if instead_of is not None:
            condition, values = "token_id = :gone", {":gone": instead_of}
        transaction.put(
            self._table, {**item, "pk": _imported(account_id, business_key), "sk": "#"},
            condition=condition, values=values, refusal=lambda _: AlreadyImported(),
        )  # fmt: skip

    def keep_pgp_key(self, account_id: str, key: PgpKey) -> None:
        """Keep a new key; when another writer was first, theirs is the one."""
        item = {"public_key": key.public_key, "fingerprint": key.fingerprint, "sealed": key.sealed}
        try:
            self._table.put({**item, "pk": f"IMPORT-KEY#{account_id}", "sk": "#"}, unless_exists=True)
        except ConditionFailed:
            return


def _pk(account_id: str, import_id: str) -> str:
    return f"IMPORT#{account_id}#{import_id}"


def _chunk_key(number: int) -> str:
    return f"C#{number:07d}"


def _imported(account_id: str, business_key: str) -> str:
    return f"IMPORTED#{account_id}#{PROVIDER}#{business_key}"


def _is_active(item: Item) -> bool:
    return item.get("status") in ("preparing", "running")


def _job(item: Item) -> Job:
    return Job(**{name: item[name] for name in _JOB_MEMBERS if name in item})


def _chunk(item: Item) -> Chunk:
    return Chunk(**{name: item[name] for name in _CHUNK_MEMBERS if name in item})
