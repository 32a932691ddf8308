"""What a buyer is sent at a level: who gets it, and the note that something is to be sent.

There is no mail server here. A message is an event of the merchant's account, written with the level that it belongs
to, delivered and repeated as all events are; whoever takes it sends it in the merchant's own name. It names the payment
link and does not hold it: a link lets anyone pay, so it is read through the API by who has a right to.
"""

from __future__ import annotations

from typing import Final

from payments.charge_flows.models import CHANNELS, EMAIL
from payments.engine.models import Entity
from payments.units import UnitOfWork, space_of
from tollgate import events

EVENT: Final = "charge_flow_level.message"


def recipient_of(transaction: Entity, kind: int) -> str | None:
    """Who gets the messages of a type of level: the one named for the flow, else the one that the transaction has."""
    named = (transaction.attributes.get("flow_recipients") or {}).get(str(kind))
    if named is not None:
        return str(named)
    address = transaction.values.get("billingAddress") or {}
    if kind == EMAIL:
        found = transaction.values.get("customerEmailAddress") or address.get("emailAddress")
    else:
        found = address.get("mobilePhoneNumber")
    return str(found) if found else None


def announce(unit: UnitOfWork, transaction: Entity, level: Entity, kind: int, link_id: int) -> None:
    """Note that the buyer is to be written to, unless the merchant does not want us to."""
    recipient = recipient_of(transaction, kind)
    if recipient is None or transaction.values.get("emailsDisabled"):
        return
    events.announce(
        unit.transaction,
        unit.objects.table,
        account_id=unit.tenant,
        event_type=EVENT,
        subject=f"{unit.scope}#ChargeFlowLevel#{level.id}",
        payload={
            "message": {
                "channel": CHANNELS[kind],
                "recipient": recipient,
                "language": transaction.values.get("language"),
                "space_id": space_of(unit.scope),
                "transaction_id": transaction.id,
                "charge_flow_level_id": level.id,
                "payment_link_id": link_id,
                "expires_on": level.values.get("timeoutOn"),
            }
        },
    )
