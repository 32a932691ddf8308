"""A shop that sells subscriptions: what tests of them do again and again."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from payments import work
from payments.engine import documents
from payments.subscriptions.handler import handler
from payments.subscriptions.models import QUEUE
from payments.subscriptions.worker import handler as worker
from tests.payments.shops import PAN, Shop, new_shop, table
from tests.support.http import Response
from tollgate import ids

EUR = "EUR"


def price(amount: str, currency: str = EUR) -> list[dict[str, Any]]:
    return [{"amount": Decimal(amount), "currency": currency}]


def forget_work() -> None:
    """Nothing is due of what a test has left."""
    kept = table()
    for shard in range(work.SHARDS):
        for row in kept.query(work.partition(QUEUE, shard)):
            kept.delete(row["pk"], row["sk"])


def bill() -> dict[str, int]:
    """What the clock does every minute."""
    return worker({}, object())


@dataclass(frozen=True)
class Offer:
    """A product with its active version and the ids of what is in it."""

    product: int
    version: int
    group: int
    component: int
    reference: int
    metric: int


@dataclass
class Sales:
    """A merchant that sells subscriptions."""

    shop: Shop

    @cached_property
    def card(self) -> int:
        """A token that subscriptions share."""
        return self.token()

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Response:
        raw = None if body is None else documents.encode(body)
        headers = {"content-type": "application/json"}
        return self.shop.merchant.call(
            handler, method, f"/subscriptions{path}", raw=raw, headers=headers, **options
        )  # fmt: skip

    def get(self, path: str) -> Any:
        return _done(self.call("GET", path))

    def post(self, path: str, body: Any = None) -> Any:
        return _done(self.call("POST", path, body))

    def patch(self, path: str, body: Any) -> Any:
        return _done(self.call("PATCH", path, body))

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str, list[str]]:
        answer = self.call(method, path, body)
        assert answer.status >= 400, answer.body
        return answer.status, answer.json["code"], sorted(answer.json["errors"])

    def found(self, path: str, query: str) -> list[dict[str, Any]]:
        return list(self.get(f"{path}/search?limit=100&order=id&query={query}")["data"])

    # ------------------------------------------------------------------ what is sold

    def metric(self) -> int:
        body = {"name": {"en-US": "Calls"}, "type": 1550000000001}
        return int(self.post("/metrics", body)["id"])

    def draft(self, product: int | None = None, **members: Any) -> tuple[int, int]:
        """A product, or another version of one; answers the product and the pending version."""
        number = product or int(self.post("/products", {"reference": "gold", "name": "Gold"})["id"])
        body = {
            "version": 1, "product": number, "billingCycle": "P1M", "defaultCurrency": EUR, "enabledCurrencies": [EUR],
            "name": {"en-US": "Gold"}, **members,
        }  # fmt: skip
        return number, int(self.post("/products/versions", body)["id"])

    def group(self, version: int, **members: Any) -> int:
        body = {"version": 1, "productVersion": version, "name": {"en-US": "Plan"}, **members}
        return int(self.post("/products/component-groups", body)["id"])

    def component(self, group: int, **members: Any) -> dict[str, Any]:
        body = {"version": 1, "componentGroup": group, "name": {"en-US": "Seat"}, "defaultComponent": True, **members}
        return dict(self.post("/products/components", body))

    def fee(self, kind: str, component: int, **members: Any) -> int:
        body = {"version": 1, "component": component, "name": {"en-US": kind}, **members}
        return int(self.post(f"/products/{kind}", body)["id"])

    def tier(self, fee: int, start: str, amount: str, currency: str = EUR) -> int:
        body = {"version": 1, "meteredFee": fee, "startRange": Decimal(start), "fee": price(amount, currency)}
        return int(self.post(f"/products/metered-fees/{fee}/tiers", body)["id"])

    def offer(
        self, *, product: int | None = None, setup: str = "20", period: str = "30", reference: int | None = None,
        component: dict[str, Any] | None = None, **members: Any,
    ) -> Offer:  # fmt: skip
        """A product with a setup fee, a period fee, and calls at 2.00, from the tenth on at 1.00."""
        product, version = self.draft(product, **members)
        group, metric = self.group(version), self.metric()
        known = {} if reference is None else {"reference": reference}
        seat = self.component(group, **known, **(component or {}))
        currency = members.get("defaultCurrency", EUR)
        self.fee("setup-fees", seat["id"], setupFee=price(setup, currency))
        self.fee("period-fees", seat["id"], periodFee=price(period, currency))
        calls = self.fee("metered-fees", seat["id"], metric=metric, tierPricing="INCREMENTAL_DISCOUNT_PRICING")
        self.tier(calls, "0", "2", currency)
        self.tier(calls, "10", "1", currency)
        self.post(f"/products/versions/{version}/activate")
        return Offer(product, version, group, seat["id"], seat["reference"]["id"], metric)

    # ------------------------------------------------------------------ who buys it

    def subscriber(self, **members: Any) -> int:
        body = {"externalId": ids.new_uuid(), "emailAddress": f"{ids.new_uuid()}@example.com", **members}
        return int(self.post("/subscribers", body)["id"])

    def token(self) -> int:
        """Details of a card, on file."""
        return int(self.shop.paid(PAN, tokenizationMode="FORCE_CREATION")["token"]["id"])

    def subscribe(self, offer: Offer, *, token: int | None = None, **members: Any) -> int:
        """A pending subscription."""
        inner = {"version": 1, "subscriber": self.subscriber(), "token": token, **members.pop("subscription", {})}
        made = self.post("", {"product": offer.product, "subscription": inner, **members})
        return int(made["subscription"]["id"])

    def active(self, offer: Offer, *, token: int | None = None, **members: Any) -> int:
        """A subscription that runs, after its first payment."""
        number = self.subscribe(offer, token=token or self.card, **members)
        charge = self.post(f"/{number}/initialize")
        assert charge["state"] == "SUCCESSFUL", charge
        return number

    def use(self, subscription: int, metric: int, units: str) -> dict[str, Any]:
        body = {
            "externalId": ids.new_uuid(), "consumedUnits": Decimal(units), "metric": metric,
            "subscription": subscription,
        }  # fmt: skip
        return dict(self.post("/metric-usage-reports", body))

    # ------------------------------------------------------------------ what became of it

    def state(self, subscription: int) -> str:
        return str(self.get(f"/{subscription}")["state"])

    def charges(self, subscription: int) -> list[dict[str, Any]]:
        """Oldest first, with their entries and transactions."""
        path = f"/charges/search?limit=100&order=id&query=subscription:{subscription}"
        return list(self.get(f"{path}&expand=ledgerEntries,transaction")["data"])

    def amounts(self, subscription: int) -> list[list[tuple[str, str]]]:
        """The titles and amounts of the entries of each charge."""
        return [
            [(each["title"], f"{each['amountIncludingTax']:.2f}") for each in charge.get("ledgerEntries", [])]
            for charge in self.charges(subscription)
        ]

    def paid(self, subscription: int) -> list[Decimal]:
        """What each charge took."""
        return [
            Decimal(str(charge["transaction"]["authorizationAmount"]))
            for charge in self.charges(subscription)
            if charge["state"] == "SUCCESSFUL" and "transaction" in charge
        ]


def new_sales() -> Sales:
    return Sales(new_shop())


def _done(answer: Response) -> Any:
    assert 200 <= answer.status < 300, answer.body
    return answer.json if answer.body else None
