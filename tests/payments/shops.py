"""Shops that are paid: what tests of transactions, refunds and tokens do again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from control.provisioning.handler import handler as provisioning
from payments.engine import documents
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.gateway.handler import handler
from payments.resources.transactions import TRANSACTION
from tests.support.environment import DEPLOYMENT
from tests.support.http import Response
from tests.support.payments import Merchant, merchant_of
from tollgate import aws
from tollgate.store.table import Table

PAN = "4111111111111111"
DECLINED = "4000000000000002"
PENDING = "4000000000000259"
PENDING_DECLINED = "4000000000000267"
SILENT = "4000000000000119"
SILENT_DECLINED = "4000000000000127"
LOST = "4000000000000143"
REVIEW = "4000000000009235"

SHIRT: Mapping[str, Any] = {
    "uniqueId": "shirt", "name": "Shirt", "type": "PRODUCT", "quantity": 2, "amountIncludingTax": Decimal("80.00"),
    "taxes": [{"rate": Decimal("8.1"), "title": "VAT"}],
}  # fmt: skip
SHIPPING: Mapping[str, Any] = {
    "uniqueId": "shipping", "name": "Shipping", "type": "SHIPPING", "quantity": 1, "amountIncludingTax": Decimal(20),
}  # fmt: skip
TOTAL = Decimal(100)


def lines_of(amount: Decimal | str) -> list[dict[str, Any]]:
    """A cart that comes to an amount."""
    return [{**SHIPPING, "amountIncludingTax": Decimal(amount)}]


def table() -> Table:
    return Table(DEPLOYMENT.tables["PaymentsTable"].name, aws.dynamodb())


@dataclass(frozen=True)
class Shop:
    """A merchant and the operations that tests need."""

    merchant: Merchant

    @property
    def scope(self) -> str:
        return f"S{self.merchant.space_id}"

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Response:
        raw = options.pop("raw", None if body is None else documents.encode(body))
        headers = {"content-type": "application/json", **options.pop("headers", {})}
        return self.merchant.call(handler, method, path, raw=raw, headers=headers, **options)

    def get(self, path: str) -> Any:
        return self._done(self.call("GET", path))

    def post(self, path: str, body: Any = None) -> Any:
        return self._done(self.call("POST", path, body))

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str, list[str]]:
        answer = self.call(method, path, body)
        assert answer.status >= 400, answer.body
        return answer.status, answer.json["code"], sorted(answer.json["errors"])

    def create(self, **members: Any) -> dict[str, Any]:
        made = self.call(
            "POST", "/payment/transactions", {"currency": "EUR", "lineItems": [SHIRT, SHIPPING], **members}
        )
        assert made.status == 201, made.body
        return dict(made.json)

    def process(self, number: int, pan: str = PAN, **members: Any) -> dict[str, Any]:
        return dict(self.post(f"/payment/transactions/{number}/process-card-details", card(pan, **members)))

    def paid(self, pan: str = PAN, **members: Any) -> dict[str, Any]:
        """A transaction after its payment."""
        return self.process(self.create(**members)["id"], pan)

    def authorised(self, **members: Any) -> dict[str, Any]:
        return self.paid(completionBehavior="COMPLETE_DEFERRED", **members)

    def state(self, number: int) -> str:
        return str(self.get(f"/payment/transactions/{number}")["state"])

    def stored(self, number: int) -> Entity:
        return Objects(table()).read(TRANSACTION, self.scope, number)

    def _done(self, answer: Response) -> Any:
        assert 200 <= answer.status < 300, answer.body
        return answer.json if answer.body else None


def card(pan: str = PAN, **members: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"primaryAccountNumber": pan, "expiryDate": "2040-12", "cardVerificationCode": "737"}
    return {"cardData": {**data, **members}}


def settle() -> dict[str, int]:
    """What the clock does every minute."""
    from payments.gateway.worker import handler as worker

    return worker({}, object())


def new_shop() -> Shop:
    """A shop of a new tenant."""
    return Shop(merchant_of(provisioning({"action": "create_account", "name": "shop"}, object())))
