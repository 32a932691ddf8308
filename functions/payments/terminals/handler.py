"""The HTTP door of payment terminals: routes and composition, nothing else.

A function of its own, since its requests wait for people and must not keep those of others waiting.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from payments.bodies import read_body
from payments.card_entry import CardEntry
from payments.engine import parameters, shapes
from payments.engine.errors import BadParameters, ObjectNotFound
from payments.engine.fields import Field, Shape, Text
from payments.engine.models import Context, Entity
from payments.engine.routes import Engine, object_id, route
from payments.resources.terminals import PAYMENT_TERMINAL, TRANSACTION_SUMMARY
from payments.resources.transactions import TRANSACTION
from payments.terminals.public import FORMAT, RENDERED, WIDTH, asked_format
from payments.terminals.repository import TerminalRecords
from payments.terminals.service.balancing import Balancing
from payments.terminals.service.life import TerminalLife
from payments.terminals.service.performing import Performing
from payments.terminals.service.tills import Till, Tills
from payments.transactions.public import Acting, PayingSettings, Transactions, steps_to_processing
from tollgate import aws, config
from tollgate.dialects.payments import PAYMENTS, Authenticator, accepts, directory_of, keyring_of
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, plain_text
from tollgate.http.route import Endpoint, Route
from tollgate.log import Journal


@dataclass(frozen=True)
class TerminalSettings(PayingSettings):
    """`CARD_ENTRY_FUNCTION` is the card zone's door that cards come in by."""

    card_entry_function: str


WAIT_SECONDS: Final = 20
"""How long one request waits for a buyer: within the half minute that a gateway gives a request."""

_settings = config.load(TerminalSettings)
_transactions = Transactions.of(_settings.payments_table, _settings.acquiring_function)
_engine = Engine(_transactions.objects)
_records = TerminalRecords(_engine.objects)
_life = TerminalLife(_engine.objects, _records)
_balancing = Balancing(_engine.objects, _records)
_performing = Performing(
    _transactions, _records, CardEntry(aws.lambda_(), _settings.card_entry_function), WAIT_SECONDS, time.monotonic_ns
)
_summaries = _engine.service(TRANSACTION_SUMMARY)
_tills = Tills(keyring_of(_settings), directory_of(_settings))


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**16:
        raise ValueError("must be the id of a transaction")
    return int(text)


_TRANSACTION_ID: Final = Parameter(
    "transactionId", _number, {"type": "integer", "format": "int64"}, "The transaction to perform"
)
_LANGUAGE: Final = Parameter("language", plain_text(10), {"type": "string"}, "The language of the terminal's display")
_SERIAL: Final = Parameter("serialNumber", plain_text(100), {"type": "string"}, "The device's serial number")


def _named(request: Request) -> tuple[Context, Entity]:
    """The terminal of the path, by its number or by its identifier.

    Raises:
        ObjectNotFound: there is none.
    """
    context = _engine.context(request)
    if "identifier" not in request.parameters:
        return context, _life.terminals.read(context, object_id(request))
    found = _life.by_identifier(context, request.parameters["identifier"])
    if found is None:
        raise ObjectNotFound
    return context, found


def _required(request: Request, parameter: Parameter, *further: Parameter) -> Any:
    asked = parameters.read(request.raw_query, (parameter, *further))
    if asked[parameter.name] is None:
        raise BadParameters.at(parameter.name, "is required")
    return asked[parameter.name]


def perform(request: Request) -> Answer:
    """A payment at the terminal; the answer comes when it has come to an end."""
    context, terminal = _named(request)
    number = _required(request, _TRANSACTION_ID, _LANGUAGE, parameters.EXPAND)
    tree = _engine.expand(request, TRANSACTION)
    return _engine.reply(request, _performing.perform(Acting.of(context), terminal, number), tree)


def till_credentials(request: Request) -> Answer:
    """Leave for a till to perform one transaction at the terminal."""
    context, terminal = _named(request)
    number = _required(request, _TRANSACTION_ID, _LANGUAGE)
    acting = Acting.of(context)
    steps_to_processing(_transactions.read(acting, number))
    made = _tills.make(Till(acting.tenant, int(acting.scope[1:]), terminal.id, number))
    return Answer(200, made.encode(), content_type=_TEXT) if accepts(request, _TEXT) else Answer(200, made)


def perform_for_till(request: Request) -> Answer:
    """A payment at the terminal, for who holds its credentials."""
    given = read_body(_TILL, request.json())
    till = _tills.read(given["credentials"])
    request.notes["account_id"] = till.tenant
    acting = Acting(till.tenant, f"S{till.space_id}")
    terminal = _engine.objects.read(PAYMENT_TERMINAL, acting.scope, till.terminal_id)
    done = _performing.perform(acting, terminal, till.transaction_id).values
    told = {name: done.get(name) for name in ("id", "state", "userFailureMessage")}
    return Answer(200, {name: value for name, value in told.items() if value is not None})


def configure(request: Request) -> Answer:
    """The device takes over its configuration."""
    context, terminal = _named(request)
    _life.configure(context, terminal.id)
    return Answer(204)


def balance(request: Request) -> Answer:
    """What was paid at the terminal since the last time is added up."""
    context, terminal = _named(request)
    made = _balancing.balance(Acting.of(context), terminal)
    return Answer(201, {
        "id": made.id, "linkedSpaceId": context.place.space_id, "terminalId": terminal.id,
        "terminalIdentifier": terminal.values.get("identifier"),
    })  # fmt: skip


def link(request: Request) -> Answer:
    """A device is put to the terminal."""
    context, terminal = _named(request)
    _life.link(context, terminal.id, _required(request, _SERIAL))
    return Answer(204)


def unlink(request: Request) -> Answer:
    """The device is taken away."""
    context, terminal = _named(request)
    _life.unlink(context, terminal.id)
    return Answer(204)


def delete(request: Request) -> Answer:
    """The terminal is given up for good."""
    context, terminal = _named(request)
    _life.decommission(context, terminal.id)
    return Answer(204)


def summary_receipt(request: Request) -> Answer:
    """What a terminal prints of a summary."""
    context = _engine.context(request)
    summary = _summaries.read(context, object_id(request))
    form, width = asked_format(request)
    terminal = _engine.objects.find(PAYMENT_TERMINAL, summary.scope, summary.values["paymentTerminal"])
    return Answer(200, _balancing.summary_receipt(summary, form, width, terminal))


_TAG: Final = PAYMENT_TERMINAL.tag
_TEXT: Final = "text/plain"
_TILL: Final = Shape("TillRequest", (Field("credentials", Text(300)),), ("credentials",))
_ONE: Final = "/payment/terminals/{id}"
_BY_IDENTIFIER: Final = "/payment/terminals/by-identifier/{identifier}"
_REFERENCE: Final = {
    "title": "PaymentTerminalTransactionSummaryReference",
    "type": "object",
    "properties": {
        "id": {"type": "integer", "format": "int64"},
        "linkedSpaceId": {"type": "integer", "format": "int64"},
        "terminalId": {"type": "integer", "format": "int64"},
        "terminalIdentifier": {"type": "string"},
    },
}


def _both(action: str, endpoint: Endpoint, summary: str, permission: str, **further: Any) -> tuple[Route, ...]:
    """The same operation by number and by identifier."""
    return tuple(
        route("POST", f"{path}/{action}", endpoint, summary + how, permission=permission, tag=_TAG, **further)
        for path, how in ((_BY_IDENTIFIER, " by the terminal's identifier"), (_ONE, ""))
    )


ROUTES = (
    *_engine.routes_of(_summaries),
    route(
        "GET", f"{TRANSACTION_SUMMARY.path}/{{id}}/receipt", summary_receipt,
        "Render the receipt of a terminal's transaction summary", permission="paymentTerminal.read",
        tag=TRANSACTION_SUMMARY.tag, query=(FORMAT, WIDTH), answer=RENDERED,
    ),
    *_both(
        "perform-transaction", perform, "Perform a transaction at a payment terminal", "paymentTerminal.perform",
        query=(_TRANSACTION_ID, _LANGUAGE, parameters.EXPAND), answer=shapes.answer(TRANSACTION),
        failures=(400, 401, 403, 404, 406, 409, 422, 429, 504),
        description="Starts the transaction and waits for the buyer. After 504 the same request goes on waiting.",
    ),
    *_both(
        "trigger-configuration", configure, "Have a payment terminal configured", "paymentTerminal.update", status=204,
    ),
    *_both(
        "trigger-final-balance", balance, "Have a payment terminal added up", "paymentTerminal.perform", status=201,
        answer=_REFERENCE, description="Each payment is in one summary.",
    ),
    route(
        "POST", f"{_ONE}/link", link, "Link a device to a payment terminal", permission="paymentTerminal.update",
        tag=_TAG, query=(_SERIAL,), status=204,
        description="In a sandbox any serial number of 4 to 40 letters, digits and hyphens is a simulated device's.",
    ),
    route(
        "POST", f"{_ONE}/unlink", unlink, "Unlink the device of a payment terminal",
        permission="paymentTerminal.update", tag=_TAG, status=204,
    ),
    route(
        "DELETE", _ONE, delete, "Delete a payment terminal", permission="paymentTerminal.delete", tag=_TAG, status=204,
        description="Gives the terminal up for good. It stays readable as decommissioned.",
    ),
    route(
        "GET", f"{_ONE}/till-connection-credentials", till_credentials,
        "Create credentials for a till to perform a transaction at a payment terminal",
        permission="paymentTerminal.perform", tag=_TAG, query=(_TRANSACTION_ID, _LANGUAGE), media_type=_TEXT,
        answer={"type": "string"},
        description="Good for an hour, for this transaction at this terminal. A till gives them to `POST /s/till`.",
    ),
    Route(
        "POST", "/s/till", perform_for_till, "Perform a transaction at a payment terminal with a till's credentials",
        frozenset(), tag=_TAG, operation="perform_for_till", body=shapes.body(_TILL),
        failures=(400, 404, 409, 422, 504),
        answer={
            "title": "TillAnswer",
            "type": "object",
            "properties": {
                "id": {"type": "integer", "format": "int64"},
                "state": {"type": "string"},
                "userFailureMessage": {"type": "string"},
            },
        },
        description="Waits for the buyer. After 504 the same request goes on waiting. An operation of ours.",
    ),
    *_engine.routes_of(_life.terminals),
)  # fmt: skip

handler = App(
    PAYMENTS,
    ROUTES,
    authenticate=Authenticator.of(_settings),
    journal=Journal("terminals", _settings.log_level),
)
