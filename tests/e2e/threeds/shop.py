"""An account of its own on the running stack, with a merchant and cards to authenticate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.e2e.stack import Stack
from tests.threeds.conftest import MERCHANT, PAYMENT


@dataclass(frozen=True)
class Shop:
    """A caller over HTTP."""

    stack: Stack
    api_key: str

    @classmethod
    def open(cls, stack: Stack) -> Shop:
        made = stack.send("POST", "/sandbox/provisioning", json_body={"action": "create_account", "name": "threeds"})
        shop = cls(stack, made.json["vault"]["api_key"])
        shop.send("POST", "/merchants", MERCHANT)
        return shop

    def send(self, method: str, target: str, body: Any = None) -> dict[str, Any]:
        answer = self.stack.send(method, target, headers={"x-api-key": self.api_key}, json_body=body)
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def pay(self, account_number: str) -> dict[str, Any]:
        card = {"account_number": account_number, "expiry_month": 4, "expiry_year": 2033}
        token_id = self.send("POST", "/cde-import", card)["id"]
        return self.send("POST", "/authentications/cof", {**PAYMENT, "token_id": token_id})

    def read(self, made: dict[str, Any]) -> dict[str, Any]:
        return self.send("GET", f"/authentications/{made['id']}")
