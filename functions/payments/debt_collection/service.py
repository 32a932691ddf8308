"""Cases of debt collection: prepared, reviewed, handed to a collector, closed by what was collected or by the merchant.

PREPARING → REVIEWING (unless the collector's configuration skips it) → PENDING → PROCESSING → CLOSED or FAILED. The
clock hands pending cases in. The one collector there is, the test collector, answers a day later: it collects the whole
amount, or nothing where the amount ends on 01 minor units. A case may be changed until it is pending.
"""

from __future__ import annotations

import contextlib
import mimetypes
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from payments import amounts, failure_reasons, line_items
from payments.debt_collection.errors import CaseIncomplete, ExternalIdReused, StateInvalid
from payments.debt_collection.repository import MOST_DOCUMENTS, CollectionRepository
from payments.engine.declarations import DELETED
from payments.engine.errors import AlreadyThere, ObjectNotFound, VersionConflict
from payments.engine.fields import now, stamp
from payments.engine.models import Context, Entity, Values
from payments.engine.repository import Objects, child_scope
from payments.engine.service import Change, Hooks, digest
from payments.resources.debt_collection import (
    DEBT_COLLECTION_CASE,
    DEBT_COLLECTION_CASE_DOCUMENT,
    DEBT_COLLECTION_RECEIPT,
    DEBT_COLLECTOR_CONFIGURATION,
)
from payments.units import UnitOfWork, new_entity, repeated
from payments.work import Work
from tollgate import clock, ids
from tollgate.errors import Fault, Invalid

QUEUE: Final = "debt-collection"
_KIND: Final = "case"
_MOST_PER_SHARD: Final = 50
FROM_API: Final = 1561000000001
FROM_DUNNING: Final = 1561000000002
_RECEIPT_OF_MERCHANT: Final = 1561000000101
_RECEIPT_OF_COLLECTOR: Final = 1561000000102
"""Numbers of where a case and a receipt come from; the reference names the kinds and does not list them."""

EDITABLE: Final = ("CREATE", "PREPARING", "REVIEWING")
_OPEN: Final = (*EDITABLE, "PENDING", "PROCESSING")
_COLLECTED_IN: Final = ("PENDING", "PROCESSING")
_ANSWER_HOURS: Final = 24
_TIMEOUT_DAYS: Final = 90
_BEGINNINGS: Final = ("CREATE", "ACTIVE", "INACTIVE")


class ConfigurationHooks(Hooks):
    """A state to begin with, and none after deletion."""

    def creating(self, change: Change) -> None:
        change.values.setdefault("state", "ACTIVE")
        change.values.setdefault("priority", 0)
        change.values.setdefault("skipReviewEnabled", False)
        _require_beginning(change)

    def updating(self, change: Change) -> None:
        if change.before is not None and change.before.state == DELETED:
            raise StateInvalid
        if "state" in change.values:
            _require_beginning(change)


def _require_beginning(change: Change) -> None:
    if change.values["state"] not in _BEGINNINGS:
        raise Invalid.at("state", f"must be one of {', '.join(_BEGINNINGS)}")


class CaseHooks(Hooks):
    """Amounts that follow from line items, and states in which a case may be changed and deleted."""

    def creating(self, change: Change) -> None:
        change.values.update(source={"id": FROM_API}, creator=change.context.user_id, state="PREPARING")
        change.values.setdefault("environment", "PRODUCTION")
        _add_amount(change.values, change.values.get("currency"))

    def updating(self, change: Change) -> None:
        before = _editable(change)
        if {"lineItems", "currency"} & change.values.keys():
            change.values.setdefault("lineItems", before.values.get("lineItems"))
            _add_amount(change.values, change.values.get("currency", before.values.get("currency")))

    def deleting(self, change: Change) -> None:
        for document in CollectionRepository(change.objects).documents(_editable(change)):
            change.objects.remove(change.transaction, document)


def _editable(change: Change) -> Entity:
    if change.before is None or change.before.state not in EDITABLE:
        raise StateInvalid
    return change.before


def _add_amount(values: Values, currency: str | None) -> None:
    lines = values.get("lineItems")
    if not lines:
        values["amount"] = None
        return
    code = amounts.require_currency(currency, "currency")
    values["lineItems"] = line_items.expanded(lines, code, "lineItems")
    values["amount"] = amounts.amount(line_items.total(values["lineItems"], code), code)


class Collection:
    """What happens to cases beyond creation and change."""

    def __init__(self, objects: Objects, repository: CollectionRepository) -> None:
        self._objects = objects
        self._repository = repository

    def mark_prepared(self, context: Context, number: int) -> Entity:
        """A case that is complete goes to review, or past it.

        Raises:
            StateInvalid, CaseIncomplete.
        """

        def attempt() -> Entity:
            unit, case = self._case(context, number, ("CREATE", "PREPARING"))
            configuration = self._configuration(case)
            _require_complete(case, configuration)
            return self._prepared(unit, case, configuration)

        return repeated(attempt)

    def mark_reviewed(self, context: Context, number: int) -> Entity:
        """Somebody has looked at a case: it is handed in. Raises StateInvalid."""

        def attempt() -> Entity:
            unit, case = self._case(context, number, ("REVIEWING",))
            values = {"reviewer": context.user_id, "reviewedOn": now()}
            return self._pending(unit, case, values)

        return repeated(attempt)

    def close(self, context: Context, number: int) -> Entity:
        """A case that is no longer to be collected. Raises StateInvalid."""

        def attempt() -> Entity:
            unit, case = self._case(context, number, _OPEN)
            return self._ended(unit, case, {"state": "CLOSED", "closedOn": now()})

        return repeated(attempt)

    def documents(self, context: Context, number: int) -> list[Entity]:
        """The documents of a case, the first one first."""
        case = self._read(context, number)
        return self._repository.documents(case)

    def attach(self, context: Context, number: int, file_name: str, content: str) -> Entity:
        """A document for the collector; `content` is base64. Raises StateInvalid."""

        def attempt() -> Entity:
            unit, case = self._case(context, number, _OPEN)
            if len(self._repository.documents(case)) >= MOST_DOCUMENTS:
                raise StateInvalid(f"A case has at most {MOST_DOCUMENTS} documents")
            document = new_entity(
                DEBT_COLLECTION_CASE_DOCUMENT, child_scope(case),
                {
                    "debtCollectionCase": case.id, "fileName": file_name, "content": content,
                    "mimeType": mimetypes.guess_type(file_name)[0] or "application/octet-stream",
                    "uniqueId": ids.new_uuid(),
                },
            )  # fmt: skip
            self._objects.insert(unit.transaction, document)
            unit.replace(case, {})
            unit.commit()
            return document

        return repeated(attempt)

    def add_receipt(self, context: Context, number: int, collected: Decimal, external_id: str) -> Entity:
        """Money that was collected; a case whose amount is covered is closed.

        Raises:
            StateInvalid, ExternalIdReused.
        """

        def attempt() -> Entity:
            case = self._read(context, number)
            given = {"amount": collected.normalize(), "externalId": external_id}
            earlier = self._objects.by_unique(DEBT_COLLECTION_RECEIPT, child_scope(case), "externalId", external_id)
            if earlier is not None:
                if earlier.values["amount"] != collected:
                    raise ExternalIdReused
                return earlier
            unit, case = self._case(context, number, _COLLECTED_IN)
            try:
                return self._collected(unit, case, given, collected, _RECEIPT_OF_MERCHANT, context.user_id)
            except AlreadyThere:
                raise VersionConflict from None

        return repeated(attempt)

    def hand_over(self, unit: UnitOfWork, dunning_case: Entity, invoice: Entity) -> None:
        """What dunning came to nothing with becomes a case, where the space has a collector; in the same write."""
        configuration = self._repository.first_configuration(unit.scope)
        if configuration is None:
            return
        lines = invoice.values.get("lineItems")
        values: Values = {
            "amount": invoice.values["outstandingAmount"], "billingAddress": invoice.values.get("billingAddress"),
            "collectorConfiguration": {"id": configuration.id}, "currency": invoice.attributes.get("currency"),
            "dueDate": invoice.values.get("dueOn"), "environment": "PRODUCTION",
            "externalId": f"dunning-{dunning_case.id}",
            "language": invoice.values.get("language"), "lineItems": lines, "reference": f"invoice-{invoice.id}",
            "source": {"id": FROM_DUNNING}, "sourceEntityId": dunning_case.id, "state": "REVIEWING",
            "reviewStartedOn": now(),
        }  # fmt: skip
        unit.insert(DEBT_COLLECTION_CASE, values)

    # ------------------------------------------------------------------ for the clock

    def due(self) -> Iterator[Callable[[], int]]:
        """What is due now, each as what carries it on and answers 1 if that changed something."""
        for row in self._repository.due(QUEUE, _MOST_PER_SHARD):
            yield partial(self._carry_on, row)

    def count_due(self) -> int:
        return sum(1 for _ in self._repository.due(QUEUE, _MOST_PER_SHARD))

    def _carry_on(self, row: Work) -> int:
        try:
            case = self._objects.read(DEBT_COLLECTION_CASE, row.scope, row.object_id)
            if case.attributes.get("due") != row.due:
                raise StateInvalid
            with contextlib.suppress(VersionConflict):
                self._next(UnitOfWork(self._objects, row.tenant, row.scope), case)
                return 1
        except (ObjectNotFound, StateInvalid):
            self._repository.forget(row)
        return 0

    def _next(self, unit: UnitOfWork, case: Entity) -> None:
        """Hand a pending case in; take the collector's answer to one that is processed."""
        moment = clock.now()
        if case.state == "PENDING":
            ends = moment + timedelta(hours=_ANSWER_HOURS)
            values = {
                "processingStartedOn": stamp(moment), "nextAttemptOn": None,
                "processingTimeoutOn": stamp(moment + timedelta(days=_TIMEOUT_DAYS)), "state": "PROCESSING",
            }  # fmt: skip
            self._scheduled(unit, case, values, int(ends.timestamp()))
            return
        currency = case.values["currency"]
        total = amounts.units(case.values["amount"], currency, "amount")
        if total % 100 == 1:
            reason = {"id": failure_reasons.REASONS["rejected"].id}
            self._ended(unit, case, {"state": "FAILED", "failedOn": stamp(moment), "failureReason": reason})
            return
        rest = amounts.amount(total - case.attributes.get("collected", 0), currency)
        given = {"amount": rest, "externalId": f"collector-{case.id}"}
        self._collected(unit, case, given, rest, _RECEIPT_OF_COLLECTOR, None)

    # ------------------------------------------------------------------ parts

    def _read(self, context: Context, number: int) -> Entity:
        return self._objects.read(DEBT_COLLECTION_CASE, f"S{context.place.space_id}", number)

    def _case(self, context: Context, number: int, states: tuple[str, ...]) -> tuple[UnitOfWork, Entity]:
        case = self._read(context, number)
        if case.state not in states:
            raise StateInvalid
        return UnitOfWork(self._objects, context.tenant, case.scope), case

    def _configuration(self, case: Entity) -> Entity | None:
        number = case.link("collectorConfiguration")
        if number is None:
            return self._repository.first_configuration(case.scope)
        found = self._objects.find(DEBT_COLLECTOR_CONFIGURATION, case.scope, number)
        return found if found is not None and found.state == "ACTIVE" else None

    def _prepared(self, unit: UnitOfWork, case: Entity, configuration: Entity | None) -> Entity:
        chosen: Values = {"collectorConfiguration": {"id": configuration.id}} if configuration else {}
        if configuration is not None and configuration.values.get("skipReviewEnabled"):
            return self._pending(unit, case, chosen)
        after = unit.replace(case, {**chosen, "state": "REVIEWING", "reviewStartedOn": now()})
        unit.commit()
        return after

    def _pending(self, unit: UnitOfWork, case: Entity, values: Values) -> Entity:
        return self._scheduled(unit, case, {**values, "state": "PENDING", "nextAttemptOn": now()}, clock.epoch())

    def _scheduled(self, unit: UnitOfWork, case: Entity, values: Values, due: int) -> Entity:
        if due != case.attributes.get("due"):
            self._drop(unit, case)
            unit.later(QUEUE, _KIND, due, case.id)
        after = unit.replace(case, values, {"due": due})
        unit.commit()
        return after

    def _ended(
        self, unit: UnitOfWork, case: Entity, values: Values, attributes: Mapping[str, Any] | None = None
    ) -> Entity:
        self._drop(unit, case)
        after = unit.replace(case, {**values, "nextAttemptOn": None}, {**(attributes or {}), "due": None})
        unit.commit()
        return after

    def _drop(self, unit: UnitOfWork, case: Entity) -> None:
        if case.attributes.get("due") is not None:
            unit.no_longer(QUEUE, _KIND, case.attributes["due"], case.id)

    def _collected(
        self, unit: UnitOfWork, case: Entity, given: Values, collected: Decimal, source: int, user: int | None
    ) -> Entity:
        currency = case.values["currency"]
        minor = amounts.units(collected, currency, "collectedAmount")
        receipt = new_entity(
            DEBT_COLLECTION_RECEIPT, child_scope(case),
            {**given, "amount": collected, "debtCollectionCase": case.id, "source": source, "createdBy": user},
        )  # fmt: skip
        self._objects.insert(unit.transaction, receipt, digest(given))
        total = case.attributes.get("collected", 0) + minor
        if total >= amounts.units(case.values["amount"], currency, "amount"):
            self._ended(unit, case, {"state": "CLOSED", "closedOn": now()}, {"collected": total})
        else:
            unit.replace(case, {}, {"collected": total})
            unit.commit()
        return receipt


def _require_complete(case: Entity, configuration: Entity | None) -> None:
    faults = [
        Fault(name, "must be set before the case can be handed in")
        for name, there in (
            ("lineItems", case.values.get("amount")),
            ("currency", case.values.get("currency")),
            ("collectorConfiguration", configuration),
        )
        if not there
    ]
    if faults:
        raise CaseIncomplete(faults)
