"""What the owner of an import can do: ask for one, look at it, abort it, read its failures.

Nothing here calls a source: the work is steps on a queue. The API key is sealed before it is stored and is shown to
nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from tollgate import clock, ids
from tollgate.crypto.keyring import Keyring
from tollgate.http.message import encode
from tollgate.store.idempotency import NOT_CLAIMED, Once
from tollgate.store.listing import Page, Selection
from vault.imports import rules
from vault.imports.clients.objects import ObjectStore
from vault.imports.clients.steps import StepQueue
from vault.imports.errors import ImportNotFound, NotRunning
from vault.imports.models import PROVIDER, REDACTED, Failed, ImportView, Job, Step, StripeView, Upload
from vault.imports.repository import ImportRepository, PgpKey

UPLOAD_SECONDS: Final = 3600
_PGP_CONTEXT: Final = {"record": "import-pgp-key"}
Note = Callable[..., None]
"""Writes one line to the log: (constant message, fields)."""


class ImportService:
    """Use cases of the import resource. `simulated` says that there is no Stripe to ask (a sandbox without one)."""

    def __init__(
        self, repository: ImportRepository, keyring: Keyring, objects: ObjectStore, queue: StepQueue, note: Note,
        *, simulated: bool,
    ) -> None:  # fmt: skip
        self._repository = repository
        self._keyring = keyring
        self._objects = objects
        self._queue = queue
        self._note = note
        self._simulated = simulated

    def create(self, account_id: str, body: object, once: Once = NOT_CLAIMED) -> ImportView:
        """Begin an import.

        Raises:
            Invalid: the configuration is not good. AnotherImportRuns: the account has one under way.
        """
        source, api_key = rules.read_configuration(body)
        if source == "api" and self._simulated:
            source = "simulator"
        now, import_id = clock.iso(clock.now()), ids.new_uuid()
        sealed = seal_api_key(self._keyring, account_id, import_id, api_key) if api_key else None
        job = Job(import_id, account_id, now, source, "preparing", now, api_key=sealed)
        view = self._view(job)
        transaction = self._repository.begin()
        once.remember(transaction, encode(view))
        self._repository.insert(transaction, job)
        transaction.commit()
        send_soon(self._queue, self._note, Step(account_id, import_id, "list", ticket=job.ticket))
        return view

    def read(self, account_id: str, import_id: str) -> ImportView:
        return self._view(self._require(account_id, import_id))

    def abort(self, account_id: str, import_id: str) -> ImportView:
        """End an import now: from here on no row of it becomes a token. What became one stays.

        Raises:
            ImportNotFound, NotRunning.
        """
        job = self._require(account_id, import_id)
        if not job.is_active:
            raise NotRunning
        transaction = self._repository.begin()
        self._repository.stop(transaction, job)
        transaction.commit()
        send_soon(self._queue, self._note, Step(account_id, import_id, "clean"))
        return self.read(account_id, import_id)

    def failures(self, account_id: str, import_id: str, selection: Selection) -> Page:
        return self._repository.failures(self._require(account_id, import_id).id, selection)

    def _require(self, account_id: str, import_id: str) -> Job:
        job = self._repository.find(account_id, import_id.lower()) if ids.is_uuid(import_id) else None
        if job is None:
            raise ImportNotFound
        return job

    def _view(self, job: Job) -> ImportView:
        stripe: StripeView = {"source": "file"} if job.source == "file" else {"api_key": REDACTED}
        view: ImportView = {
            "id": job.id,
            "created_at": job.created_at,
            "provider": PROVIDER,
            "status": job.status,
            "stripe": stripe,
            "attemts": job.successes + job.failures,
            "successes": job.successes,
            "failures": job.failures,
            "progress": rules.progress(job, clock.now()),
        }
        if job.finished_at is not None:
            view["finished_at"] = job.finished_at
        if job.source == "file" and job.status == "preparing" and job.listings == 0:
            view["upload"] = self._upload(job)
        return view

    def _upload(self, job: Job) -> Upload | None:
        """Where the file goes; None while the account's first key is being made, and when the time is over."""
        key = self._repository.pgp_key(job.account_id)
        end = upload_end(job)
        seconds = int((end - clock.now()).total_seconds())
        if key is None or seconds <= 0:
            return None
        return {
            "method": "PUT",
            "url": self._objects.upload_url(upload_key(job), seconds),
            "expires_at": clock.iso(end),
            "public_key": key.public_key,
            "fingerprint": key.fingerprint,
        }


def upload_end(job: Job) -> datetime:
    """Until when an export file may be uploaded."""
    return datetime.fromisoformat(job.created_at) + timedelta(seconds=UPLOAD_SECONDS)


def prefix(job: Job) -> str:
    """Below it lie all objects of a job."""
    return f"{job.account_id}/{job.id}/"


def upload_key(job: Job) -> str:
    return f"{prefix(job)}export.pgp"


def seal_api_key(keyring: Keyring, account_id: str, import_id: str, api_key: str) -> bytes:
    return keyring.seal(account_id, {"record": "import-api-key", "import": import_id}, api_key.encode())


def open_api_key(keyring: Keyring, job: Job) -> str:
    """The API key of a job under way."""
    if job.api_key is None:
        raise RuntimeError("the job has no API key")
    return keyring.open(job.account_id, {"record": "import-api-key", "import": job.id}, job.api_key).decode()


def seal_pgp_key(keyring: Keyring, account_id: str, private_key: bytes) -> bytes:
    return keyring.seal(account_id, _PGP_CONTEXT, private_key)


def open_pgp_key(keyring: Keyring, account_id: str, key: PgpKey) -> bytes:
    """The private OpenPGP key of an account."""
    return keyring.open(account_id, _PGP_CONTEXT, key.sealed)


def fail(repository: ImportRepository, job: Job, message: str) -> None:
    """End a job that cannot go on, with the reason as its last failure.

    Raises:
        NotRunning: it has ended already.
    """
    transaction = repository.begin()
    repository.stop(transaction, job, failures=1)
    repository.list_failures(transaction, job.id, [Failed("source_error", message)])
    transaction.commit()


def send_soon(queue: StepQueue, note: Note, step: Step, delay_seconds: int = 0) -> None:
    """Queue a step. If the queue is out of reach the scheduled resumption will do it, so that is no failure."""
    try:
        queue.send([step], delay_seconds)
    except Exception as error:  # the state is committed, and nobody is served by an error now
        note("step not queued", import_id=step.import_id, action=step.action, error_kind=type(error).__name__)
