"""What tests of 3-D Secure stand on: a network in the process, a shop with a merchant, cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.http import Merchant, Response
from tests.threeds.network import Network
from threeds.authentications.handler import handler
from tollgate.egress import Egress

SCHEMES = ("visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay")
MERCHANT: dict[str, Any] = {
    "company_city": "Berlin",
    "country_code": "DE",
    "legal_name": "Blumen Müller GmbH",
    "website_url": "https://blumen.example",
    "3ds_enabled": True,
    "schemes": [
        {
            "name": name,
            "acquirer_bin": "400012",
            "requestor_id": f"requestor.{name}",
            "requestor_name": "Blumen",
            "category_code": "5992",
            "merchant_id": "M-1",
            "merchant_name": "Blumen Shop",
        }
        for name in SCHEMES
    ],
}
PAYMENT: dict[str, Any] = {"amount": 4200, "currency_code": "EUR"}
SERIES: dict[str, Any] = {**PAYMENT, "recurring_expiry": "20991231", "recurring_frequency": 28}
INSTALMENTS: dict[str, Any] = {**SERIES, "number_of_installments": 3}

FRICTIONLESS = "4242424242424242"
FRICTIONLESS_MASTERCARD = "5555555555554444"
CHALLENGE = "4111111111111111"
CHALLENGE_MASTERCARD = "2223003122003222"
ATTEMPT = "4000056655665556"
REFUSED = "5105105105105100"
REJECTED = "371449635398431"
UNAVAILABLE = "6011000990139424"
DECOUPLED = "3566002020360505"
SILENT = "30569309025904"


@dataclass(frozen=True)
class Shop:
    """A caller who has cards authenticated."""

    caller: Merchant

    def send(self, method: str, target: str, **arguments: Any) -> Response:
        headers = {"host": "tollgate.test", **arguments.pop("headers", {})}
        return self.caller.send(method, target, headers=headers, **arguments)

    def token(self, account_number: str, **changes: Any) -> str:
        from vault.tokens.handler import handler as tokens

        card = {"account_number": account_number, "expiry_month": 4, "expiry_year": 2033, "cardholder_name": "Jo Doe"}
        answer = self.caller.at(tokens).send("POST", "/cde-import", json_body={**card, **changes})
        assert answer.status == 200, answer.body
        return str(answer.json["id"])

    def delete_token(self, token_id: str) -> None:
        from vault.tokens.handler import handler as tokens

        assert self.caller.at(tokens).send("DELETE", f"/tokens/{token_id}").status == 204

    def merchant(self, **changes: Any) -> dict[str, Any]:
        from vault.merchants.handler import handler as merchants

        answer = self.caller.at(merchants).send("POST", "/merchants", json_body={**MERCHANT, **changes})
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def ask(self, kind: str = "cof", **body: Any) -> Response:
        return self.send("POST", f"/authentications/{kind}", json_body=body)

    def pay(self, account_number: str, **changes: Any) -> dict[str, Any]:
        """A COF authentication of a fresh token."""
        answer = self.ask(**{**PAYMENT, "token_id": self.token(account_number), **changes})
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def begin(self, kind: str = "recurring", account_number: str = FRICTIONLESS, **changes: Any) -> dict[str, Any]:
        """The first authentication of a series."""
        terms = INSTALMENTS if kind == "installment" else SERIES
        answer = self.ask(kind, **{**terms, "token_id": self.token(account_number), **changes})
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def follow(self, original: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """A subsequent authentication of a series."""
        answer = self.ask("subsequent", **{**PAYMENT, "original_authentication": original["id"], **changes})
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def read(self, authentication: dict[str, Any]) -> dict[str, Any]:
        return dict(self.send("GET", f"/authentications/{authentication['id']}").json)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    made = Network()
    monkeypatch.setattr(Egress, "request", lambda self, *positional, **named: made.request(*positional, **named))
    return made


@pytest.fixture
def shop(make_merchant: Callable[..., Merchant], network: Network) -> Shop:
    """An account with a merchant that is registered with every scheme."""
    made = Shop(make_merchant(handler))
    made.merchant()
    return made


@pytest.fixture
def other_shop(make_merchant: Callable[..., Merchant], network: Network) -> Shop:
    made = Shop(make_merchant(handler))
    made.merchant()
    return made
