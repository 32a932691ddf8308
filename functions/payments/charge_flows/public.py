"""What others may ask of charge flows: their operations, on the engine of the function that serves them; what the clock
has to do; and a flow for whoever applies one to a transaction of its own."""

from __future__ import annotations

import re
from typing import Any, Final

from payments.charge_flows.models import CHANNELS, EMAIL
from payments.charge_flows.service.configuring import FlowHooks, LevelHooks
from payments.charge_flows.service.flows import Flows
from payments.engine import parameters, shapes
from payments.engine.errors import BadParameters
from payments.engine.faults import Faults
from payments.engine.fields import Email
from payments.engine.models import Context, Entity
from payments.engine.routes import Engine, object_id, route
from payments.resources.charge_flows import (
    CHARGE_FLOW,
    CHARGE_FLOW_LEVEL,
    CHARGE_FLOW_LEVEL_CONFIGURATION,
    CHARGE_FLOW_LEVEL_PAYMENT_LINK,
)
from payments.resources.transactions import TRANSACTION
from payments.transactions.public import Acting, Credentials, PayingSettings, Transactions, page_url
from tollgate.dialects.payments import accepts, directory_of, keyring_of
from tollgate.errors import Invalid
from tollgate.http.message import Answer, Request
from tollgate.http.origin import base_url
from tollgate.http.query import Parameter
from tollgate.http.route import Route

__all__ = ["Flows", "routes"]

LINK_RESERVE_SECONDS: Final = 86_400
"""How long a link is good beyond the end of its flow, so that who comes too late is told so."""
_TEXT: Final = "text/plain"
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")


def _type(text: str) -> int:
    found = next((each for each in CHANNELS if str(each) == text), None)
    if found is None:
        raise ValueError("must be the number of a type of level that sends messages")
    return found


_TYPE: Final = Parameter(
    "type", _type, {"type": "integer", "format": "int64", "enum": list(CHANNELS)},
    "The type of level whose messages the recipient gets",
)  # fmt: skip
_RECIPIENT: Final = Parameter(
    "recipient",
    str,
    {"type": "string", "maxLength": 254},
    "An e-mail address, or a telephone number as in +41791234567",
)


class _FlowOperations:
    """Endpoints around flows of transactions."""

    def __init__(self, engine: Engine, flows: Flows, transactions: Transactions, settings: PayingSettings) -> None:
        self._engine = engine
        self._flows = flows
        self._transactions = transactions
        self._credentials = Credentials(keyring_of(settings), directory_of(settings))
        self._own_url = settings.base_url

    def apply(self, request: Request) -> Answer:
        """Have a transaction paid by the space's charge flow."""
        context, before = self._beginning(request)
        tree = self._engine.expand(request, TRANSACTION)
        after = self._flows.apply(
            Acting.of(context), before.id,
            lambda until: self._link(request, context, before.id, until + LINK_RESERVE_SECONDS),
        )  # fmt: skip
        return self._engine.reply(request, after, tree)

    def cancel(self, request: Request) -> Answer:
        """End the charge flow of a transaction, and with it the transaction."""
        context, before = self._beginning(request)
        tree = self._engine.expand(request, TRANSACTION)
        return self._engine.reply(request, self._flows.cancel(Acting.of(context), before.id), tree)

    def page(self, request: Request) -> Answer:
        """Where the buyer pays: the address that the flow sends, or before it one that is good for a day."""
        context, transaction = self._beginning(request)
        flow = transaction.attributes.get("flow")
        url = str(flow["link"]) if flow else self._link(request, context, transaction.id, None)
        if accepts(request, _TEXT):
            return Answer(200, url.encode(), content_type=_TEXT)
        return Answer(200, url)

    def update_recipient(self, request: Request) -> Answer:
        """Say who gets the messages of a type of level."""
        context, transaction = self._beginning(request)
        asked = parameters.read(request.raw_query, (_TYPE, _RECIPIENT))
        kind, recipient = asked["type"], asked["recipient"]
        for name in ("type", "recipient"):
            if asked[name] is None:
                raise BadParameters.at(name, "is required")
        if not _is_recipient(kind, recipient):
            raise BadParameters.at("recipient", "must be an e-mail address or a telephone number, as the type has it")
        self._flows.name_recipient(Acting.of(context), transaction.id, kind, recipient)
        return Answer(204)

    def send_message(self, request: Request) -> Answer:
        """Have the message of a level sent again."""
        self._flows.send_again(Acting.of(self._engine.context(request)), object_id(request))
        return Answer(204)

    def routes(self) -> tuple[Route, ...]:
        one = "/payment/transactions/{id}/charge-flow"
        own: dict[str, Any] = {"permission": "chargeFlow.apply", "tag": "Transactions"}
        whole: dict[str, Any] = {**own, "query": parameters.READ, "answer": shapes.answer(TRANSACTION)}
        return (
            route("POST", f"{one}/apply", self.apply, "Apply a charge flow to a transaction", **whole),
            route("POST", f"{one}/cancel", self.cancel, "Cancel the charge flow of a transaction", **whole),
            route(
                "GET", f"{one}/payment-page-url", self.page, "Retrieve the address that a charge flow's buyer pays at",
                permission="chargeFlow.read", tag="Transactions", answer={"type": "string"}, media_type=_TEXT,
            ),
            route(
                "POST", f"{one}/update-recipient", self.update_recipient, "Update the recipient of a charge flow",
                query=(_TYPE, _RECIPIENT), status=204, **own,
                description="Counts from the next message on; nothing is sent by this operation.",
            ),
            route(
                "POST", "/payment/charge-flows/levels/{id}/send-message", self.send_message,
                "Send the message of a charge flow level again", permission="chargeFlow.apply", tag="ChargeFlowLevels",
                status=204,
            ),
        )  # fmt: skip

    def _beginning(self, request: Request) -> tuple[Context, Entity]:
        context = self._engine.context(request)
        return context, self._transactions.read(Acting.of(context), object_id(request))

    def _link(self, request: Request, context: Context, number: int, until: int | None) -> str:
        space = context.place.space_id or 0
        made = self._credentials.make(context.tenant, space, number, until)
        return page_url(base_url(self._own_url, request.event), space, number, made)


def routes(engine: Engine, transactions: Transactions, settings: PayingSettings) -> tuple[Route, ...]:
    """All operations of charge flows. What begins with a word stands before what `{id}` would take it for."""
    return (
        *engine.routes_of(engine.service(CHARGE_FLOW_LEVEL_PAYMENT_LINK)),
        *engine.routes_of(engine.service(CHARGE_FLOW_LEVEL_CONFIGURATION, LevelHooks())),
        *engine.routes_of(engine.service(CHARGE_FLOW_LEVEL)),
        *_FlowOperations(engine, Flows(transactions), transactions, settings).routes(),
        *engine.routes_of(engine.service(CHARGE_FLOW, FlowHooks())),
    )


def _is_recipient(kind: int, text: str) -> bool:
    if kind != EMAIL:
        return _NUMBER.fullmatch(text) is not None
    faults = Faults()
    Email(254).read(text, "recipient", faults)
    try:
        faults.raise_rules()
    except Invalid:
        return False
    return True
