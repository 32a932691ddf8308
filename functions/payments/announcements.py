"""Changes that webhook listeners may want to hear of, noted in the transaction that makes them.

`entity` is the number under which listeners name a kind (fact file 2.11). A note holds ids and the state, never the
object: who is told reads it. `payments.webhooks` hands a note on to those who listen and removes it.

Access pattern (`pk`, `sk`): notes not yet handed on, oldest first  `CHANGE#<shard>`, `<number, 16 digits>`
Numbers sort by time. All notes about an object lie in one shard, in the order in which a process made them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from payments.engine.models import Entity
from payments.engine.repository import Objects, key
from tollgate import clock, events, ids
from tollgate.store.transaction import Transaction

PREFIX: Final = "CHANGE#"
SHARDS: Final = events.SHARDS
_STAMP: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

ENTITIES: Final = {
    "ChargeAttempt": 1472041801860,
    "Token": 1472041806455,
    "TokenVersion": 1472041811051,
    "TransactionGroup": 1472041814414,
    "TransactionInvoice": 1472041816898,
    "ChargeFlowLevel": 1472041819798,
    "DeliveryIndication": 1472041819799,
    "Transaction": 1472041829003,
    "TransactionCompletion": 1472041831364,
    "Charge": 1472041836176,
    "Refund": 1472041839405,
    "PaymentConnectorConfiguration": 1472041843695,
    "ChargeFlowLevelConfiguration": 1472041847188,
    "PaymentMethodConfiguration": 1472041857405,
    "PaymentProcessorConfiguration": 1472041863438,
    "TransactionVoid": 1472041867364,
    "ChargeFlow": 1472041871385,
    "Condition": 1472041875547,
    "ManualTask": 1487165678181,
    "ChargeFlowLevelPaymentLink": 1582966575060,
    "PaymentTerminal": 1582966575099,
}


@dataclass(frozen=True, slots=True)
class Change:
    """A note: an object of a space reached a state, or (`transition` false) changed without leaving it."""

    number: int
    tenant: str
    space_id: int
    name: str
    entity_id: int
    state: str | None
    transition: bool
    created_at: str

    @property
    def subject(self) -> str:
        """What keeps the order of the notes about one object."""
        return f"S{self.space_id}#{self.name}#{self.entity_id}"

    @property
    def key(self) -> tuple[str, str]:
        return f"{PREFIX}{events.shard_of(self.subject):02d}", key(self.number)


def announce(
    transaction: Transaction, objects: Objects, tenant: str, entity: Entity, state: str | None = None, *,
    transition: bool = True,
) -> None:  # fmt: skip
    """Note that an object reached a state, by default the one that it has now; with `transition` false, that it
    changed otherwise."""
    name = entity.resource.name
    if name not in ENTITIES:
        return
    now = clock.now()
    space_id = int(entity.scope.partition("#")[0].partition("=")[0][1:])
    change = Change(
        ids.new_number(now), tenant, space_id, name, entity.id, state or entity.state, transition, now.strftime(_STAMP)
    )  # fmt: skip
    pk, sk = change.key
    transaction.put(
        objects.table,
        {
            "pk": pk,
            "sk": sk,
            "tenant": change.tenant,
            "space_id": change.space_id,
            "name": change.name,
            "entity_id": change.entity_id,
            "state": change.state,
            "transition": change.transition,
            "created_at": change.created_at,
            "expires": clock.epoch() + events.RETENTION_SECONDS,
        },
    )


def from_item(item: Mapping[str, Any]) -> Change:
    """The change of a note."""
    return Change(
        int(item["sk"]), item["tenant"], item["space_id"], item["name"], item["entity_id"], item.get("state"),
        item["transition"], item["created_at"],
    )  # fmt: skip
