"""Tenants of the payments family and the requests that their application users sign.

A `Merchant` has a root account, a space and an administrating application user. It signs as the published clients do;
`sign` takes every part of a token, so that a test can bend one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.http import Handler, Response, send
from tollgate import clock

BASE = "/api/v2.0"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(header: str | bytes | Mapping[str, Any], claims: str | bytes | Mapping[str, Any], key: bytes) -> str:
    """A compact JWS; texts are taken as they are, so that they may be anything."""
    parts = [each if isinstance(each, (str, bytes)) else json.dumps(each) for each in (header, claims)]
    signed = ".".join(encode(part if isinstance(part, bytes) else part.encode()) for part in parts)
    return f"{signed}.{encode(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


@dataclass(frozen=True)
class Merchant:
    """An application user of a tenant, in its space; `at` is the handler that it calls by default."""

    account_id: int
    space_id: int
    user_id: int
    key: str
    tenant: str
    handler: Handler | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(
        self,
        handler: Handler | None,
        method: str,
        path: str,
        body: Any = None,
        *,
        space: int | str | None = -1,
        account: int | str | None = None,
        base: str = BASE,
        headers: Mapping[str, str] | None = None,
        raw: bytes | str | None = None,
    ) -> Response:
        """Send a request; `path` begins behind the base and may have a query. The space's header goes with it unless
        another one, or None, is given."""
        target = base + path
        sent = {"authorization": f"Bearer {self.sign(method, target)}", "accept": "application/json"}
        if space is not None:
            sent["space"] = str(self.space_id if space == -1 else space)
        if account is not None:
            sent["account"] = str(account)
        door = handler or self.handler
        assert door is not None
        return send(door, method, target, headers={**sent, **self.headers, **(headers or {})}, json_body=body, body=raw)

    def sign(
        self,
        method: str,
        target: str,
        *,
        header: Mapping[str, Any] | None = None,
        key: bytes | None = None,
        **claims: Any,
    ) -> str:
        """A token for one request, as the Python client makes it; claims replace its own, None leaves one out."""
        made = {
            "sub": self.user_id,
            "iat": int(clock.wall().timestamp()),
            "requestPath": target,
            "requestMethod": method,
            **claims,
        }
        head = header if header is not None else {"alg": "HS256", "typ": "JWT", "ver": 1}
        claimed = {name: value for name, value in made.items() if value is not None}
        return token(head, claimed, key if key is not None else base64.b64decode(self.key))

    def at(self, handler: Handler) -> Merchant:
        """The same user with another default door."""
        return replace(self, handler=handler)


def merchant_of(account: Mapping[str, Any], handler: Handler | None = None) -> Merchant:
    """The merchant of a provisioned account."""
    payments = account["payments"]
    return Merchant(
        payments["account_id"], payments["space_id"], payments["application_user_id"], payments["authentication_key"],
        account["id"], handler,
    )  # fmt: skip
