"""Requests that pass through: make a decision request of them, decide, and let them go on or not.

Without a mapping a request goes on as it is, and what members it has is noted. One of which no decision request can be
made goes on too (an acquirer's new field must not stop a shop's sales) unless the interceptor has an answer for it, and
the log says why. Only ALLOW lets a decided
request go on, byte for byte. That it is about to go on is written down before; nothing is sent twice. With an
idempotency key, which goes on to the destination too, a request is decided once however often it comes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from risk.credentials import Masker
from risk.decisions.public import CreateDecision, DecisionService, Origin, PanNotTaken
from risk.interceptors.clients.destination import DestinationClient
from risk.interceptors.errors import InterceptorNotFound, MappingFailed
from risk.interceptors.models import Interceptor, Passing, Relayed
from risk.interceptors.repository import InterceptorRepository
from risk.interceptors.rules import headers, mapping, payload, responses
from tollgate import ids
from tollgate.auth.instances import Instance
from tollgate.crypto.keyring import Keyring
from tollgate.egress import BadAnswer, EgressFailure
from tollgate.errors import Failure, IdempotencyMismatch, Invalid, UpstreamTimeout
from tollgate.models.fields import validated
from tollgate.store.idempotency import AlreadyAnswered, Claim, Once

TOTAL_MS: Final = 26_500
"""From the request to the last byte of the destination's answer; the gateway in front of us gives up after thirty
seconds."""

STATES: Final = {"authorization": "authorized", "sale": "captured"}
"""The payment's state to begin with, by the payment type that the caller declares; of others there is none yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the caller gets: what the destination answered or why it did not, or an answer of ours. `reason` says why
    there is no decision."""

    decision_id: str | None = None
    decision: str | None = None
    relayed: Relayed | None = None
    failure: Failure | None = None
    status: int = 200
    body: Any = None
    reason: str | None = None


class PassingService:
    """Lets requests pass. `on_fault` hears of what went wrong after the destination had answered."""

    def __init__(
        self,
        repository: InterceptorRepository,
        decisions: DecisionService,
        keyring: Keyring,
        destinations: DestinationClient,
        on_fault: Callable[[Exception], None],
    ) -> None:
        self._repository = repository
        self._decisions = decisions
        self._keyring = keyring
        self._destinations = destinations
        self._on_fault = on_fault

    def require(self, account_id: str, ref: str) -> Interceptor:
        """The active version of a reference, or InterceptorNotFound."""
        found = self._repository.active(account_id, ref.lower()) if ids.is_uuid(ref) else None
        if found is None:
            raise InterceptorNotFound
        return found

    def pass_through(self, instance: Instance, interceptor: Interceptor, passing: Passing, once: Once) -> Outcome:
        """Decide on a request, if that can be, and let it go on if it may.

        Raises:
            IdempotencyMismatch, Contended, …: nothing was sent.
        """
        started = time.monotonic_ns()
        try:
            decision, reference = self._decided(instance, interceptor, passing, once)
        except MappingFailed as failed:
            refusal = interceptor.responses.get("undecided")
            if refusal is not None:
                return Outcome(status=refusal["status"], body=refusal["body"], reason=failed.reason)
            return self._go_on(interceptor, passing, started, reason=failed.reason)
        if decision["decision"] == "ALLOW":
            return self._go_on(interceptor, passing, started, decision["id"])
        status, body = responses.answer_for(decision, interceptor.responses, reference)
        return Outcome(decision["id"], decision["decision"], status=status, body=body)

    def _decided(
        self, instance: Instance, interceptor: Interceptor, passing: Passing, once: Once
    ) -> tuple[dict[str, Any], str]:
        """The decision, and the payment's reference."""
        document = mapping.document_of(passing.body, passing.headers.get("content-type"))
        masker = Masker(self._keyring, interceptor.account_id)
        if not interceptor.field_mapping:
            self._repository.add_keys(interceptor, payload.discovered(document, masker.text))
            raise MappingFailed("no mapping")
        made = mapping.decision_request(document, interceptor.field_mapping, interceptor.context)
        try:
            wanted = validated(CreateDecision, made)
        except Invalid:
            raise MappingFailed("no decision request") from None
        shown = payload.masked(document, interceptor.field_mapping, masker.text)
        origin = Origin(
            "interceptor", interceptor.id, passing.payment_type, STATES.get(passing.payment_type or ""), shown
        )
        reference = masker.text(wanted.transaction.reference)
        return self._decide_once(instance, wanted, once, origin), reference

    def _decide_once(self, instance: Instance, wanted: CreateDecision, once: Once, origin: Origin) -> dict[str, Any]:
        earlier = once.find() if isinstance(once, Claim) else None
        if earlier is not None:
            return dict(json.loads(earlier))
        try:
            return dict(self._decisions.decide(instance, wanted, once, origin))
        except AlreadyAnswered as first:
            return dict(json.loads(first.body))
        except IdempotencyMismatch:
            raise
        except (PanNotTaken, Invalid):
            raise MappingFailed("credential not taken") from None

    def _go_on(
        self,
        interceptor: Interceptor,
        passing: Passing,
        started: int,
        decision_id: str | None = None,
        reason: str | None = None,
    ) -> Outcome:
        about: dict[str, Any] = {
            "decision_id": decision_id, "decision": "ALLOW" if decision_id else None, "reason": reason,
        }  # fmt: skip
        to_send = headers.to_send(passing.headers)
        row = self._repository.note_sent(interceptor, decision_id or ids.new_uuid())
        left = TOTAL_MS - (time.monotonic_ns() - started) // 1_000_000
        try:
            if left <= 0:
                raise UpstreamTimeout
            time_out = min(interceptor.destination["timeout_ms"], left)
            answer = self._destinations.send(interceptor.destination, to_send, passing.body, time_out)
            relayed = headers.to_relay(answer.status, answer.headers, answer.body)
            if relayed is None:
                raise BadAnswer("headers too large", sent=True)
        except Failure as failure:
            was_sent = isinstance(failure, EgressFailure) and failure.sent
            self._note(row, "unknown" if was_sent else "not sent", None)
            return Outcome(**about, failure=failure)
        self._note(row, "answered", relayed.status)
        return Outcome(**about, relayed=relayed)

    def _note(self, row: tuple[str, str], stage: str, status: int | None) -> None:
        """The caller must hear what the destination said, whether or not it can be written down."""
        try:
            self._repository.note_outcome(row, stage, status)
        except Exception as fault:
            self._on_fault(fault)
