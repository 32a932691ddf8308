"""Makes decisions, reads them, resolves them: the only place that sequences reading, evaluating and writing.

The decision, what it adds to every count, its idempotency answer and its announcement commit in one transaction. When
another decision with the same key was first, this one is evaluated again on what the other left, so that each sees all
before it; backends are asked once all the same.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from risk import velocity
from risk.credentials import Masker, known_of
from risk.decisions.errors import CounterMoved, DecisionNotFound, PanNotTaken
from risk.decisions.models import (
    CreateDecision,
    DecisionLogEntry,
    DecisionRecord,
    DecisionView,
    ResolutionView,
    log_entry,
    view,
)
from risk.decisions.repository import DecisionRepository, Situation, digests_of, moved
from risk.evaluation import Backends, Facts, NoBackends, Outcome, Remembered, evaluate, view_of
from risk.integrations.public import BackendAccess, Message, Work, WorkQueue, key_of
from tollgate import clock, ids
from tollgate.auth.instances import Instance
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Contended, Fault
from tollgate.http.message import encode
from tollgate.store.idempotency import Once

ATTEMPTS: Final = 60
"""How often a decision is evaluated anew because others with the same card, customer, device or IP were first."""

_READ_ANEW_EVERY: Final = 8
_MASKED_GROUPS: Final = ("customer", "transaction", "billing", "shipping", "items", "airline", "metadata")

LATE_SECONDS: Final = 30
"""How long the queue has to bring what backends answer later, before the sweep hands it on again."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a decision was asked for: the API, or an interceptor with what it knows of the payment."""

    integration: str = "api"
    interceptor_id: str | None = None
    payment_type: str | None = None
    payment_state: str | None = None
    payload: Any = None


class DecisionService:
    """Use cases of the decision resource."""

    def __init__(
        self,
        repository: DecisionRepository,
        keyring: Keyring,
        access: BackendAccess | None = None,
        queue: WorkQueue | None = None,
    ) -> None:
        """`access` leads to backends, `queue` takes what they answer later; without them there are none."""
        self._repository = repository
        self._keyring = keyring
        self._access = access
        self._queue = queue

    def decide(self, instance: Instance, wanted: CreateDecision, once: Once, origin: Origin = Origin()) -> DecisionView:
        """Decide on a payment.

        Raises:
            PanNotTaken, Invalid: the credential is not one that this instance takes, or does not hold.
            Contended: others kept being first; nothing was decided.
        """
        started = time.perf_counter_ns()
        inputs = self._inputs(instance, wanted, origin)
        decision_id = ids.new_ordered_uuid(clock.now())
        backends = Remembered(self._backends(instance, decision_id, wanted.passthrough))
        situation = self._repository.situation(instance.account_id, inputs, connect=instance.is_connect)
        for attempt in range(1, ATTEMPTS + 1):
            record = self._evaluate(instance, inputs, situation, backends, origin, decision_id=decision_id)
            record = replace(record, latency_us=(time.perf_counter_ns() - started) // 1000)
            try:
                return self._commit(instance, record, situation, once)
            except CounterMoved as first:
                clock.pause(ids.uniform(0, min(attempt, 10)) / 100)
                log = situation.logs[first.path]
                situation.logs[first.path] = moved(log, first.item)
                if attempt % _READ_ANEW_EVERY == 0:
                    situation = self._repository.situation(instance.account_id, inputs, connect=instance.is_connect)
        raise Contended

    def _backends(self, instance: Instance, decision_id: str, passthrough: Mapping[str, Any] | None) -> Backends:
        if self._access is None or not instance.is_connect:
            return NoBackends()
        return self._access.assessor(instance.account_id, decision_id, passthrough)

    def _inputs(self, instance: Instance, wanted: CreateDecision, origin: Origin) -> dict[str, Any]:
        """The context that rules see and the record keeps: no card number, whatever member it was sent in."""
        if wanted.credential.type == "pan" and not instance.takes_pans:
            raise PanNotTaken([Fault("$.credential.type", "must not be pan on an instance of PCI level SAQ_A")])
        members = wanted.model_dump(exclude_none=True, exclude={"passthrough"})
        known = known_of(members.pop("credential"), self._keyring, instance.account_id)
        masker = Masker(self._keyring, instance.account_id)
        inputs = {
            name: masker.value(value) if name in _MASKED_GROUPS else value for name, value in members.items() if value
        }
        if "device" in inputs:
            address = inputs["device"].get("ip")
            inputs["device"] = masker.value(inputs["device"]) | ({"ip": address} if address else {})
        inputs |= {
            "credential": masker.value(known.inputs),
            "credential_type": known.type,
            "credential_fingerprint": known.fingerprint,
            "masked_credential": known.masked,
        }
        if origin.payment_type:
            inputs["payment_type"] = origin.payment_type
        return inputs

    def _evaluate(
        self,
        instance: Instance,
        inputs: dict[str, Any],
        situation: Situation,
        backends: Backends,
        origin: Origin,
        *,
        decision_id: str,
    ) -> DecisionRecord:
        now = clock.now()
        paths = tuple({path for wanted in situation.counted.values() for path in wanted.of})
        digests = digests_of(self._repository, instance.account_id, inputs, paths)
        counters = situation.counters(situation.entry(inputs, now, "ALLOW", digests))
        outcome = evaluate(situation.ruleset, Facts(inputs, counters, situation.listed), backends)
        return DecisionRecord(
            id=decision_id,
            account_id=instance.account_id,
            decision=outcome.decision,
            evaluated_at=clock.iso(now),
            latency_us=0,
            inputs=inputs,
            triggered_rules=[view_of(*each) for each in outcome.triggered],
            ruleset_id=situation.ruleset.id,
            ruleset_version=situation.ruleset.version,
            counters=counters,
            listed=sorted(situation.listed),
            integration=origin.integration,
            interceptor_id=origin.interceptor_id,
            payment_type=origin.payment_type,
            payment_state=origin.payment_state if outcome.decision == "ALLOW" else None,
            payload=origin.payload,
            **_of_backends(outcome),
        )

    def _commit(self, instance: Instance, record: DecisionRecord, situation: Situation, once: Once) -> DecisionView:
        answer = view(record, connect=instance.is_connect)
        transaction = self._repository.begin()
        once.remember(transaction, encode(answer))
        self._repository.insert(transaction, record)
        self._count(transaction, record, situation)
        self._repository.announce(transaction, record, f"decision.{record.decision.lower()}", situation.wanted)
        late = self._put_off(transaction, record)
        transaction.commit()
        if late is not None and self._queue is not None:
            with contextlib.suppress(Exception):  # it is written down: the sweep finds what the queue did not take
                self._queue.send([key_of(late)])
        return answer

    def _put_off(self, transaction: Any, record: DecisionRecord) -> Work | None:
        """Write down, with the decision, that backends are still to be asked."""
        if self._access is None or not (record.pending or record.shadow_pending):
            return None
        work = Work(record.id, record.account_id, record.id, "assess", clock.epoch() + LATE_SECONDS)
        self._access.work.put(transaction, work)
        return work

    def _count(self, transaction: Any, record: DecisionRecord, situation: Situation) -> None:
        now = datetime.fromisoformat(record.evaluated_at)
        for path, log in situation.logs.items():
            wanted = situation.counted[path]
            digests = digests_of(self._repository, record.account_id, record.inputs, wanted.of)
            current = situation.entry(record.inputs, now, record.decision, digests)
            self._repository.count(transaction, path, log, velocity.appended(log.entries, current, wanted), wanted)

    # ------------------------------------------------------------------ later

    def require(self, account_id: str, decision_id: str) -> DecisionRecord:
        """A decision of the account, or DecisionNotFound."""
        known = ids.is_uuid(decision_id)
        record = self._repository.find(account_id, decision_id.lower()) if known else None
        if record is None:
            raise DecisionNotFound
        return record

    def read(self, instance: Instance, decision_id: str) -> DecisionLogEntry:
        return log_entry(self.require(instance.account_id, decision_id), connect=instance.is_connect)

    def resolve(self, instance: Instance, record: DecisionRecord, action: str, once: Once) -> ResolutionView:
        """End a review; of any number of callers one does.

        Raises:
            NotForReview, AlreadyResolved: nothing was changed.
        """
        resolution, at = "ACCEPTED" if action == "accept" else "REJECTED", clock.iso(clock.now())
        answer: dict[str, Any] = {
            "id": record.id, "original_decision": "REVIEW", "resolution": resolution, "resolved_at": at,
        }  # fmt: skip
        notifier = self._access.notifier if self._access is not None and instance.is_connect else None
        plan = notifier.plan(_resolved(record, resolution, at), record.backend_results) if notifier else None
        if instance.is_connect:
            answer["backend_notifications"] = list(plan.views) if plan else []
        transaction = self._repository.begin()
        once.remember(transaction, encode(answer))
        self._repository.resolve(transaction, record, resolution, at)
        if notifier and plan:
            notifier.write(transaction, plan)
        transaction.commit()
        if notifier and plan and plan.work:
            answer["backend_notifications"] = notifier.deliver(plan)
            self._remember_anew(once, encode(answer))
        return answer  # type: ignore[return-value]

    def _remember_anew(self, once: Once, body: bytes) -> None:
        """Have this request answered again as it is answered now, since now it is known what the backends said."""
        amendment = self._repository.begin_amendment()
        once.remember(amendment, body)
        if len(amendment):
            amendment.commit()


def _resolved(record: DecisionRecord, resolution: str, at: str) -> Message:
    body = {"type": "resolution", "resolution": resolution, "resolved_at": at}
    return Message(record.account_id, record.id, record.id, "notify.resolution", body)


def _of_backends(outcome: Outcome) -> dict[str, Any]:
    return {
        "source": outcome.source,
        "backend_results": outcome.backend_results,
        "failed_rules": outcome.failed_rules,
        "pending": outcome.pending,
        "shadow_pending": outcome.shadow_pending,
    }
