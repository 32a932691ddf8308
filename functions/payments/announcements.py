"""Changes of state that webhook listeners may want to hear of, into the outbox of the transaction that makes them.

`entity` is the number under which listeners name a kind (fact file 2.11). The payload holds ids and the state, never
the object: who is told reads it.
"""

from __future__ import annotations

from typing import Final

from payments.engine.models import Entity
from payments.engine.repository import Objects
from tollgate import events
from tollgate.store.transaction import Transaction

PREFIX: Final = "payments."

ENTITIES: Final = {
    "ChargeAttempt": 1472041801860,
    "Token": 1472041806455,
    "TokenVersion": 1472041811051,
    "TransactionGroup": 1472041814414,
    "TransactionInvoice": 1472041816898,
    "DeliveryIndication": 1472041819799,
    "Transaction": 1472041829003,
    "TransactionCompletion": 1472041831364,
    "Charge": 1472041836176,
    "Refund": 1472041839405,
    "PaymentConnectorConfiguration": 1472041843695,
    "PaymentMethodConfiguration": 1472041857405,
    "PaymentProcessorConfiguration": 1472041863438,
    "TransactionVoid": 1472041867364,
}


def announce(transaction: Transaction, objects: Objects, tenant: str, entity: Entity, state: str | None = None) -> None:
    """Announce that an object has a state; by default the one that it has now."""
    name = entity.resource.name
    if name not in ENTITIES:
        return
    events.announce(
        transaction,
        objects.table,
        account_id=tenant,
        event_type=f"{PREFIX}{entity.resource.kind}",
        subject=f"{entity.scope}#{entity.resource.kind}#{entity.id}",
        payload={
            "entityId": entity.id,
            "listenerEntityId": ENTITIES[name],
            "listenerEntityTechnicalName": name,
            "spaceId": int(entity.scope.partition("#")[0][1:]),
            "state": state or entity.state,
        },
    )
