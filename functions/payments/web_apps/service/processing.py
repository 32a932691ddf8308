"""Processors and connectors of a web app, and what it says of payments made with them.

An app sees what it brought in itself and nothing else. A payment is an app's if its connector configuration stands for
a connector of the app. What an app says ends an operation that is under way, in the way in which an acquirer's answer
would; it is said once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from payments import failure_reasons
from payments.acquiring import Outcome
from payments.engine import catalogue
from payments.engine.declarations import Resource
from payments.engine.errors import AlreadyThere, ExternalIdReused, ValueTaken
from payments.engine.fields import now
from payments.engine.models import Context, Entity, Values
from payments.engine.repository import Objects
from payments.engine.statics import objects_of
from payments.failure_reasons import FailureReason
from payments.refunds.public import Refunding
from payments.resources.configurations import PAYMENT_CONNECTOR_CONFIGURATION, PAYMENT_PROCESSOR_CONFIGURATION
from payments.resources.refunds import REFUND
from payments.resources.transactions import CHARGE_ATTEMPT, TRANSACTION, TRANSACTION_COMPLETION, TRANSACTION_VOID
from payments.resources.web_apps import PAYMENT_APP_CONNECTOR, PAYMENT_APP_PROCESSOR
from payments.transactions.public import Acting, Transactions
from payments.units import UnitOfWork, repeated
from payments.web_apps.errors import NotInstalled, ObjectNotFound, StateInvalid
from payments.web_apps.models import Installation
from payments.web_apps.repository import WebAppRepository
from payments.web_apps.service.installing import delete_processor, mark_deleted
from tollgate.errors import Fault, Invalid

_UNDER_WAY: Final[Mapping[str, tuple[str, ...]]] = {
    "ChargeAttempt": ("PROCESSING",),
    "TransactionCompletion": ("PENDING",),
    "TransactionVoid": ("PENDING",),
    "Refund": ("PENDING",),
}


class Processors:
    """What apps bring into spaces."""

    def __init__(self, objects: Objects, repository: WebAppRepository) -> None:
        self._objects = objects
        self._repository = repository

    def create(self, context: Context, given: Mapping[str, Any]) -> Entity:
        """A processor of the calling app, and the processor configuration that stands for it.

        Raises:
            NotInstalled. ValueTaken: the space has one of this external id.
        """
        installation = self.installation(context)
        unit = self._unit(context)
        name = given.get("name") or given["externalId"]
        configuration = unit.insert(
            PAYMENT_PROCESSOR_CONFIGURATION, {"applicationManaged": True, "name": name, "state": "ACTIVE"}
        )
        values = {
            **given, "configuredEnvironment": "TEST", "installationId": installation.id, "name": name,
            "processorConfiguration": {"id": configuration.id}, "state": "ACTIVE", "updatedOn": now(),
            "usableInProduction": False,
        }  # fmt: skip
        made = unit.insert(PAYMENT_APP_PROCESSOR, values)
        _commit_new(unit)
        return made

    def add_connector(self, context: Context, processor: str, given: Mapping[str, Any]) -> Entity:
        """A connector of one of the app's processors, and the connector configuration that stands for it.

        Raises:
            NotInstalled, ObjectNotFound, ValueTaken.
        """
        above = self.processor(context, processor)
        unit = self._unit(context)
        name = given.get("name") or given["externalId"]
        configuration = unit.insert(
            PAYMENT_CONNECTOR_CONFIGURATION,
            {"name": name, "processorConfiguration": above.values["processorConfiguration"], "state": "ACTIVE"},
        )
        values = {
            **given, "connectorConfiguration": {"id": configuration.id}, "name": name, "processor": {"id": above.id},
            "state": "ACTIVE", "updatedOn": now(),
        }  # fmt: skip
        made = unit.insert(PAYMENT_APP_CONNECTOR, values)
        _commit_new(unit)
        return made

    def update(self, context: Context, before: Entity, given: Mapping[str, Any]) -> Entity:
        """The object with the details given; what is not given stays."""

        def attempt() -> Entity:
            present = self._objects.read(before.resource, before.scope, before.id)
            unit = self._unit(context)
            after = unit.replace(present, {**given, "updatedOn": now()})
            unit.commit()
            return after

        return repeated(attempt)

    def activate(self, context: Context, external_id: str) -> Entity:
        """A processor that may take real payments. Twice is once."""
        before = self.processor(context, external_id)
        if before.values.get("usableInProduction"):
            return before
        values = {"configuredEnvironment": "PRODUCTION", "usableInProduction": True, "usableInProductionSince": now()}
        return self.update(context, before, values)

    def delete_processor(self, context: Context, external_id: str) -> None:
        delete_processor(self._objects, self._repository, context.tenant, self.processor(context, external_id))

    def delete_connector(self, context: Context, external_id: str) -> None:
        mark_deleted(self._objects, context.tenant, self.connector(context, external_id))

    # ------------------------------------------------------------------ finding

    def installation(self, context: Context) -> Installation:
        """Raises NotInstalled."""
        found = self._repository.installation(context.place.space_id or 0, context.user_id)
        if found is None:
            raise NotInstalled
        return found

    def processor(self, context: Context, external_id: str) -> Entity:
        """Raises NotInstalled, ObjectNotFound: the app has none of this external id."""
        installation = self.installation(context)
        found = self._living(PAYMENT_APP_PROCESSOR, context, external_id)
        if found.values["installationId"] != installation.id:
            raise ObjectNotFound
        return found

    def connector(self, context: Context, external_id: str) -> Entity:
        """Raises NotInstalled, ObjectNotFound: the app has none of this external id."""
        installation = self.installation(context)
        found = self._living(PAYMENT_APP_CONNECTOR, context, external_id)
        if not self._is_of(found, installation):
            raise ObjectNotFound
        return found

    def owns(self, context: Context, transaction: Entity) -> bool:
        """Whether a transaction was made with a connector of the calling app."""
        configuration = transaction.link("paymentConnectorConfiguration")
        connector = self._repository.connector_of(transaction.scope, configuration) if configuration else None
        return connector is not None and self._is_of(connector, self.installation(context))

    def _is_of(self, connector: Entity, installation: Installation) -> bool:
        processor = self._objects.find(PAYMENT_APP_PROCESSOR, connector.scope, connector.link("processor") or 0)
        return processor is not None and processor.values["installationId"] == installation.id

    def _living(self, resource: Resource, context: Context, external_id: str) -> Entity:
        found = self._objects.by_unique(resource, context.place.scope_of(resource), "externalId", external_id)
        if found is None or found.state == "DELETED":
            raise ObjectNotFound
        return found

    def _unit(self, context: Context) -> UnitOfWork:
        return UnitOfWork(self._objects, context.tenant, f"S{context.place.space_id}")


def _commit_new(unit: UnitOfWork) -> None:
    try:
        unit.commit()
    except (AlreadyThere, ExternalIdReused):
        raise ValueTaken("externalId") from None


class Telling:
    """What an app says of operations under way."""

    def __init__(self, processors: Processors, transactions: Transactions, refunding: Refunding) -> None:
        self._processors = processors
        self._objects = transactions.objects
        self._transactions = transactions
        self._refunding = refunding

    def find(self, context: Context, resource: Resource, number: int) -> tuple[Entity, Entity]:
        """An operation and its transaction.

        Raises:
            NotInstalled. ObjectNotFound: there is none, or it is not the app's.
        """
        self._processors.installation(context)
        found = self._objects.read(resource, context.place.scope_of(resource), number)
        number_of = found.values.get("linkedTransaction") or found.link("transaction") or 0
        transaction = self._objects.read(TRANSACTION, found.scope, number_of)
        if not self._processors.owns(context, transaction):
            raise ObjectNotFound
        return found, transaction

    def tell(self, context: Context, found: Entity, transaction: Entity, given: Mapping[str, Any]) -> Entity:
        """The operation as it is after what the app says.

        Raises:
            Invalid: a success without a reference, a failure without a known reason.
            StateInvalid: the operation is not under way.
        """
        reason = _required_reason(given)
        if found.state not in _UNDER_WAY[found.resource.name]:
            raise StateInvalid
        acting = Acting.of(context)
        _TELL[found.resource.name](self, acting, found, transaction, _outcome(given, reason))
        return self._objects.read(found.resource, found.scope, found.id)

    def _attempt(self, acting: Acting, found: Entity, transaction: Entity, outcome: Outcome) -> None:
        under_way = self._transactions.charging.find(acting, transaction)
        if under_way.attempt.id != found.id:
            raise StateInvalid
        if outcome.status == "approved":
            self._transactions.charging.settle(acting, under_way, outcome)
            return
        reason = FailureReason(int(outcome.reason or 0), outcome.processor_reference)
        self._transactions.charging.fail(acting, under_way, reason)

    def _completion(self, acting: Acting, found: Entity, transaction: Entity, outcome: Outcome) -> None:
        self._transactions.completing.settle_completion(acting, transaction, found, _coded(outcome))

    def _void(self, acting: Acting, found: Entity, transaction: Entity, outcome: Outcome) -> None:
        self._transactions.completing.settle_void(acting, transaction, found, _coded(outcome))

    def _refund(self, acting: Acting, found: Entity, _transaction: Entity, outcome: Outcome) -> None:
        self._refunding.settle(acting, found, _coded(outcome))


_TELL: Final[Mapping[str, Callable[[Telling, Acting, Entity, Entity, Outcome], None]]] = {
    "ChargeAttempt": Telling._attempt,
    "TransactionCompletion": Telling._completion,
    "TransactionVoid": Telling._void,
    "Refund": Telling._refund,
}
RESOURCES: Final = {
    "charge-attempts": CHARGE_ATTEMPT,
    "completions": TRANSACTION_COMPLETION,
    "refunds": REFUND,
    "voids": TRANSACTION_VOID,
}


def _required_reason(given: Mapping[str, Any]) -> Values | None:
    """The reason of a failure, as reference data has it; None for a success."""
    if given["targetState"] == "SUCCESSFUL":
        if not given.get("reference"):
            raise Invalid([Fault("reference", "is required with SUCCESSFUL")])
        return None
    reasons = catalogue.find("FailureReason")
    found = objects_of(reasons).get(given.get("failureReason") or 0) if reasons else None
    if found is None:
        raise Invalid([Fault("failureReason", "must be the id of a failure reason, with FAILED")])
    return found.values


def _outcome(given: Mapping[str, Any], reason: Values | None) -> Outcome:
    """A success with the app's reference; a failure with the reason's number and what the buyer is told."""
    if reason is None:
        return Outcome("approved", given["reference"])
    told = given.get("endUserFailureMessage") or next(iter(reason["description"].values()), "")
    return Outcome("declined", told, str(reason["id"]))


def _coded(outcome: Outcome) -> Outcome:
    """A failure with the code that acquirers have for its reason, if they have one."""
    if outcome.status == "approved":
        return outcome
    codes = {str(each.id): code for code, each in failure_reasons.REASONS.items()}
    return Outcome("declined", "", codes.get(outcome.reason or "", "rejected"))
