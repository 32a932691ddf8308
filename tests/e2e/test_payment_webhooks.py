"""Webhooks and terminals with the vendor's own client, unmodified, over the running stack."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from wallee import (
    CreationEntityState,
    LineItemCreate,
    LineItemType,
    PaymentTerminalCreate,
    PaymentTerminalsService,
    PaymentTerminalTransactionSummariesService,
    TerminalReceiptFormat,
    TransactionCreate,
    TransactionsService,
    WebhookEncryptionKeysService,
    WebhookListenerCreate,
    WebhookListenersService,
    WebhookListenerUpdate,
    WebhookUrlCreate,
    WebhookURLsService,
)

from tests.e2e.stack import Stack
from tests.e2e.test_official_client import Shop

TRANSACTION = 1472041829003
WITHIN_SECONDS = 30


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack, "demo")


def delivered(stack: Stack, inbox: str, number: int) -> list[dict[str, Any]]:
    """The inbox once so many messages have come."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        found = list(stack.send("GET", f"/sandbox/inbox/{inbox}").json["requests"])
        if len(found) >= number:
            return found
        assert time.monotonic() < deadline, found


def test_a_payment_at_a_terminal_is_told_and_the_signature_holds(shop: Shop, stack: Stack) -> None:
    space, inbox = shop.space_id, uuid.uuid4().hex[:20]
    listeners = shop.use(WebhookListenersService)
    url = shop.use(WebhookURLsService).post_webhooks_urls(
        space, WebhookUrlCreate(name="shop", url=f"{stack.base_url}/sandbox/inbox/{inbox}/hooks")
    )
    listener = listeners.post_webhooks_listeners(
        space,
        WebhookListenerCreate(
            entity=TRANSACTION, url=url.id, entity_states=["FULFILL"], state=CreationEntityState.INACTIVE
        ),
    )
    assert (listener.state, listener.url.id, listener.enable_payload_signature_and_state) == ("INACTIVE", url.id, True)
    listener = listeners.patch_webhooks_listeners_id(
        listener.id, space, WebhookListenerUpdate(version=listener.version, state=CreationEntityState.ACTIVE)
    )

    terminals = shop.use(PaymentTerminalsService)
    terminal = terminals.post_payment_terminals(
        space, PaymentTerminalCreate(external_id=str(uuid.uuid4()), type=1580000000001, name="Till 1")
    )
    terminals.post_payment_terminals_id_link(terminal.id, uuid.uuid4().hex, space)
    line = LineItemCreate(unique_id="tea", name="Tea", type=LineItemType.PRODUCT, quantity=1, amount_including_tax=4.5)
    made = shop.use(TransactionsService).post_payment_transactions(
        space, TransactionCreate(currency="CHF", line_items=[line])
    )
    done = terminals.post_payment_terminals_id_perform_transaction(terminal.id, made.id, space)
    assert (done.state, done.terminal.id) == ("FULFILL", terminal.id)

    (message,) = delivered(stack, inbox, 1)
    headers = {name.lower(): value for name, value in message["headers"].items()}
    assert shop.use(WebhookEncryptionKeysService).is_content_valid(headers["x-signature"], message["body"])
    assert f'"entityId":{made.id},' in message["body"]
    assert f'"webhookListenerId":{listener.id}' in message["body"]

    receipts = shop.use(TransactionsService).get_payment_transactions_id_terminal_receipts(
        made.id, TerminalReceiptFormat.TXT, 32, space
    )
    assert len(receipts.data) == 2
    balance = terminals.post_payment_terminals_id_trigger_final_balance(terminal.id, space)
    summary = shop.use(PaymentTerminalTransactionSummariesService).get_payment_terminals_transaction_summaries_id(
        balance.id, space
    )
    assert (summary.number_of_transactions, summary.balance_amount_per_currency) == (1, {"CHF": 4.5})

    listeners.delete_webhooks_listeners_id(listener.id, space)
    assert listeners.get_webhooks_listeners_id(listener.id, space).state == "DELETED"
    terminals.delete_payment_terminals_id(terminal.id, space)
    assert terminals.get_payment_terminals_id(terminal.id, space).state == "DECOMMISSIONED"
