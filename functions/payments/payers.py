"""Payers' authentication with 3-D Secure as this family sees it: through one function of the card zone, by invocation.

An authentication has an id that is ours and is written down before it is asked for, so that asking again asks nobody
twice. Whatever is not an answer is `UpstreamTimeout`: only `read` tells what became of it. A result is good for the
reference, the amount, the currency and the card that it was asked for, and for nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tollgate.errors import NotFound, UpstreamTimeout

_PROVEN: Final = frozenset("YA")
_CANNOT: Final = frozenset({"merchant_not_configured", "directory_server_error", "authentication_unavailable"})


class AuthenticationUnknown(NotFound):
    """It was never asked for, or under another reference."""

    default_message = "There is no such authentication"


@dataclass(frozen=True, slots=True)
class Payment:
    """What an authentication is for: the token is the vault's, the amount in minor units."""

    reference: str
    token_id: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Requestor:
    """On whose behalf it is asked for: a space."""

    id: str
    name: str
    url: str
    country: str

    def sent(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "url": self.url, "country": self.country}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an authentication; `target_url` is where the payer's browser has to go while it is open."""

    id: str
    status: str
    payment: Payment
    target_url: str | None = None
    transaction_status: str | None = None
    eci: str | None = None
    value: str | None = field(default=None, repr=False)
    ds_transaction_id: str | None = None
    reasons: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.status == "PROCESSING"

    @property
    def is_proven(self) -> bool:
        """The issuer vouches for the cardholder (or for having been asked): liability is the issuer's."""
        return self.status == "COMPLETED" and self.transaction_status in _PROVEN and self.value is not None

    @property
    def is_refused(self) -> bool:
        """The cardholder is not the one, or did not say so. Where nobody could be asked, nothing was refused."""
        if self.status != "FAILED":
            return False
        return self.transaction_status not in (None, "U") or not _CANNOT.issuperset(self.reasons)

    def for_acquirer(self) -> dict[str, Any] | None:
        """What the authorisation carries of it."""
        if self.status != "COMPLETED":
            return None
        return {"eci": self.eci, "value": self.value, "ds_transaction_id": self.ds_transaction_id}


class PayerAuthentication:
    """The door. `client` invokes functions, `function` is its name."""

    def __init__(self, client: Any, function: str) -> None:
        self._client = client
        self._function = function

    def authenticate(
        self, tenant: str, number: str, payment: Payment, requestor: Requestor, browser: Mapping[str, Any], *,
        return_url: str, base_url: str,
    ) -> Result:  # fmt: skip
        """Ask, or hear what became of having asked before.

        Raises:
            AuthenticationUnknown: the card is not kept any more; nothing was asked.
            UpstreamTimeout: nobody knows.
        """
        return self._invoke(
            action="authenticate", account_id=tenant, id=number, reference=payment.reference,
            token_id=payment.token_id, amount=payment.amount, currency=payment.currency, requestor=requestor.sent(),
            browser=dict(browser), return_url=return_url, base_url=base_url,
        )  # fmt: skip

    def read(self, tenant: str, number: str, reference: str) -> Result:
        """Raises:
        AuthenticationUnknown: there is none of this id and reference.
        UpstreamTimeout: there is no answer now.
        """
        return self._invoke(action="read", account_id=tenant, id=number, reference=reference)

    def _invoke(self, **payload: Any) -> Result:
        try:
            answer = self._client.invoke(
                FunctionName=self._function, InvocationType="RequestResponse", Payload=json.dumps(payload).encode()
            )
            body: dict[str, Any] = json.loads(answer["Payload"].read())
        except Exception:  # whatever it was, the other side may have done what it was asked
            raise UpstreamTimeout from None
        if "NotFound" in body.get("failure", ()):
            raise AuthenticationUnknown
        if "FunctionError" in answer or "failure" in body:
            raise UpstreamTimeout
        return _result(body)


def _result(body: Mapping[str, Any]) -> Result:
    payment = Payment(body["reference"], body["token_id"], body["amount"], body["currency"])
    return Result(
        body["id"], body["status"], payment, body["target_url"], body["transaction_status"], body["eci"],
        body["value"], body["ds_transaction_id"], tuple(body["reasons"]),
    )  # fmt: skip
