"""Which source a job has, ready to be asked: the export file, the simulator, or the Stripe API."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tollgate.crypto.keyring import Keyring
from tollgate.egress import Egress
from vault.imports.clients import openpgp
from vault.imports.clients.export_file import ExportFile
from vault.imports.clients.objects import ObjectStore
from vault.imports.clients.sources import SimulatedSource, Source
from vault.imports.errors import SourceRefused
from vault.imports.models import Job
from vault.imports.repository import ImportRepository
from vault.imports.service.forwarding import Forwarding
from vault.imports.service.jobs import open_api_key, open_pgp_key, upload_key


@dataclass(frozen=True, slots=True)
class Sourcing:
    """Makes the source of a job. `receiver_url` is where Stripe is to send the cards: our own endpoint."""

    keyring: Keyring
    repository: ImportRepository
    objects: ObjectStore
    egress: Egress
    api_base: str
    receiver_url: str

    def __call__(self, job: Job) -> Source:
        if job.source == "file":
            return self._file(job)
        api_key = open_api_key(self.keyring, job)
        return SimulatedSource(api_key) if job.source == "simulator" else self._stripe(job, api_key)

    def _file(self, job: Job) -> Source:
        key = self.repository.pgp_key(job.account_id)
        if key is None:
            raise SourceRefused("The account has no key to decrypt with")
        private = open_pgp_key(self.keyring, job.account_id, key)
        return ExportFile(lambda: openpgp.decrypted(self.objects.stream(upload_key(job)), private))

    def _stripe(self, job: Job, api_key: str) -> Source:
        from vault.imports.clients.stripe_api import StripeApi  # loads the SDK, which the other sources do not need

        forwarding = Forwarding(self.keyring)
        return StripeApi(
            api_key,
            api_base=self.api_base,
            receiver_url=self.receiver_url,
            egress=self.egress,
            capability=partial(forwarding.capability, job.account_id, job.id),
            opener=partial(forwarding.open, job.account_id, job.id),
        )
