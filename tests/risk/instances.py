"""Risk instances for tests: an account with its client, a token for it, requests with that token."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from control.oauth.handler import handler as token_endpoint
from risk.blacklist.handler import handler as blacklist
from risk.decisions.handler import handler as decisions
from risk.events.handler import handler as events
from risk.integrations.handler import handler as integrations
from risk.interceptors.handler import handler as interceptors
from risk.rulesets.handler import handler as rulesets
from risk.simulations.handler import handler as simulations
from risk.webhooks.handler import handler as webhooks
from tests.support.http import Handler, Response, send
from tollgate.dialects.risk import ALL_SCOPES

BODY: dict[str, Any] = {
    "credential": {
        "type": "pan",
        "pan": {"value": "4242424242424242", "expiry_month": 4, "expiry_year": 2033, "scheme": "visa"},
    },
    "customer": {"id": "customer-1", "email": "john@shop.example"},
    "transaction": {"reference": "order-1", "amount": 14999, "currency": "EUR"},
    "device": {"ip": "203.0.113.7", "fingerprint": "device-1"},
}


def request_token(client_id: str, secret: str, **form: str) -> Response:
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
    sent = {"grant_type": "client_credentials", **form}
    return send(token_endpoint, "POST", "/oauth2/token", headers=headers, body=urlencode(sent))


@dataclass
class Instance:
    """An account's risk instance, used through a token with all scopes unless others are named."""

    account_id: str
    client_id: str
    client_secret: str
    audience: str
    token: str = ""

    def token_for(self, *scopes: str) -> str:
        asked = " ".join(scopes or sorted(ALL_SCOPES))
        answer = request_token(self.client_id, self.client_secret, scope=asked, audience=self.audience)
        return str(answer.json["access_token"])

    def send(self, method: str, target: str, **arguments: Any) -> Response:
        if not self.token:
            self.token = self.token_for()
        headers = {"authorization": f"Bearer {self.token}", "host": "risk.example", "x-forwarded-proto": "https"}
        return send(door_of(target), method, target, headers=headers | arguments.pop("headers", {}), **arguments)

    def decide(self, **changes: Any) -> Response:
        return self.send("POST", "/api/decisions", json_body=BODY | changes)

    def draft(self, *rules: dict[str, Any], context: str = "default") -> Response:
        return self.send("POST", "/api/admin/rulesets", json_body={"context": context, "rules": list(rules)})

    def activate(self, *rules: dict[str, Any], context: str = "default") -> dict[str, Any]:
        made = self.draft(*rules, context=context)
        assert made.status == 201, made.body
        answer = self.send("POST", f"/api/admin/rulesets/{made.json['id']}/activate")
        assert answer.status == 200, answer.body
        return dict(answer.json)


def door_of(target: str) -> Handler:
    doors = (
        ("/api/decisions", decisions),
        ("/api/events", events),
        ("/api/admin/rulesets", rulesets),
        ("/api/admin/integrations", integrations),
        ("/api/admin/interceptors", interceptors),
        ("/api/interceptors", interceptors),
        ("/api/admin/webhooks", webhooks),
    )
    if target.endswith("/simulate"):
        return simulations
    for prefix, door in doors:
        if target.startswith(prefix):
            return door
    return blacklist


MakeInstance = Callable[..., Instance]


def condition(rule_id: str, of: dict[str, Any], action: str = "BLOCK", **members: Any) -> dict[str, Any]:
    return {"id": rule_id, "name": f"rule {rule_id}", "type": "condition", "action": action, "condition": of, **members}


def leaf(field: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "op": op, **({} if value is None else {"value": value})}


def count(key: str, op: str, value: int, window: int = 3600, **members: Any) -> dict[str, Any]:
    velocity = {"key": key, "window_seconds": window, "aggregate": "count", **members}
    return {"velocity": velocity, "op": op, "value": value}
