"""Cards and acquirers as this family sees them: through one function of the card zone, by invocation.

A card's number leaves here in the moment it came in, before anything is written down; what comes back is a token's id
and a masked number. After an operation was sent, whatever is not an answer is `UpstreamTimeout`: nobody knows, nobody
repeats it, and only `ask` tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tollgate.errors import Fault, Invalid, NotFound, Unavailable, UpstreamTimeout

_MEMBERS: Final = {
    "account_number": "primaryAccountNumber",
    "expiry_month": "expiryDate",
    "expiry_year": "expiryDate",
    "cardholder_name": "cardHolderName",
    "security_code": "cardVerificationCode",
}


class CardRefused(Invalid):
    """The card's details break a rule; with the members as this family calls them."""

    default_message = "The card data is not valid"


class CardGone(NotFound):
    """The card behind a token is not kept any more."""

    default_message = "The payment details are not available any more"


class KeyRefused(Invalid):
    """The acquirer does not take the merchant's key, or it is of the wrong kind for this deployment."""

    default_message = "The processor does not accept the key"


class OperationUnknown(NotFound):
    """The acquirer never heard of the operation."""

    default_message = "The processor knows no such operation"


@dataclass(frozen=True, slots=True)
class KeptCard:
    """A card that the vault keeps. `fingerprint` is the same for the same card of one tenant."""

    token_id: str
    masked_account_number: str
    scheme: str
    expiry_month: int
    expiry_year: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an acquirer made of an operation: approved, declined (with a reason) or pending."""

    status: str
    processor_reference: str
    reason: str | None = None
    review: bool = False


class Acquiring:
    """The card zone's door. `client` invokes functions, `function` is the door's name."""

    def __init__(self, client: Any, function: str) -> None:
        self._client = client
        self._function = function

    # ------------------------------------------------------------------ cards

    def keep(self, tenant: str, card: Mapping[str, Any], *, lasting: bool) -> KeptCard:
        """Hand a card over.

        Raises:
            CardRefused: its details break a rule.
            Unavailable: it could not be handed over; nothing was charged.
        """
        try:
            answer = self._invoke({"action": "keep", "account_id": tenant, "card": dict(card), "lasting": lasting})
        except UpstreamTimeout:
            raise Unavailable from None
        return _card(_sound(answer))

    def describe(self, tenant: str, token_id: str) -> KeptCard:
        """Raises:
        CardGone: it is not kept any more.
        """
        return _card(_sound(self._invoke({"action": "describe", "account_id": tenant, "token_id": token_id})))

    def forget(self, tenant: str, token_id: str) -> None:
        """Destroy a card; one that is gone already is no fault."""
        self._invoke({"action": "forget", "account_id": tenant, "token_id": token_id})

    # ------------------------------------------------------------------ merchants

    def connect(self, tenant: str, connector: str, credential: str, secret: str) -> None:
        """Hand over a merchant's key to an acquirer, from now on to be named as `credential`. It is kept over there.

        Raises:
            KeyRefused: the acquirer does not take it.
            Unavailable: nobody knows whether it is kept; it can be handed over again.
        """
        self._tell("connect", account_id=tenant, connector=connector, credential=credential, secret=secret)

    def disconnect(self, tenant: str, connector: str, credential: str) -> None:
        """Have a merchant's key forgotten.

        Raises:
            Unavailable: nobody knows whether it is; it can be asked for again.
        """
        self._tell("disconnect", account_id=tenant, connector=connector, credential=credential)

    def _tell(self, action: str, **members: Any) -> None:
        try:
            kinds = self._invoke({"action": action, **members}).get("failure", ())
        except UpstreamTimeout:
            raise Unavailable from None
        if "Invalid" in kinds:
            raise KeyRefused.at("secretKey", KeyRefused.default_message)
        if kinds:
            raise Unavailable

    # ------------------------------------------------------------------ operations

    def authorise(self, tenant: str, connector: str, token_id: str, reference: str, **asked: Any) -> Outcome:
        """Have a payment authorised. `asked`: amount, currency, capture, authentication, merchant_initiated,
        credential.

        Raises:
            CardGone: nothing was sent.
            UpstreamTimeout: nobody knows.
        """
        answer = self._operate(
            "authorise", account_id=tenant, connector=connector, token_id=token_id, reference=reference, **asked
        )
        if "NotFound" in answer.get("failure", ()):
            raise CardGone
        return _outcome(answer)

    def carry_out(self, kind: str, tenant: str, connector: str, reference: str, parent: str, **asked: Any) -> Outcome:
        """Capture, void or refund what was authorised under `parent`. `asked`: amount, currency, final.

        Raises:
            UpstreamTimeout: nobody knows.
        """
        return _outcome(
            self._operate(kind, account_id=tenant, connector=connector, reference=reference, parent=parent, **asked)
        )

    def ask(self, tenant: str, connector: str, reference: str) -> Outcome:
        """What became of an operation.

        Raises:
            OperationUnknown: it never arrived.
            UpstreamTimeout: there is no answer now.
        """
        answer = self._operate("ask", account_id=tenant, connector=connector, reference=reference)
        if "NotFound" in answer.get("failure", ()):
            raise OperationUnknown
        return _outcome(answer)

    def _operate(self, action: str, **members: Any) -> dict[str, Any]:
        """The door's answer, unless it is one that leaves open what happened."""
        answer = self._invoke({"action": action, **members})
        if "failure" in answer and not _NOTHING_DONE & set(answer["failure"]):
            raise UpstreamTimeout
        return answer

    def _invoke(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = self._client.invoke(
                FunctionName=self._function, InvocationType="RequestResponse", Payload=json.dumps(payload).encode()
            )
            body: dict[str, Any] = json.loads(answer["Payload"].read())
        except Exception:  # whatever it was, the other side may have done what it was asked
            raise UpstreamTimeout from None
        if "FunctionError" in answer:
            raise UpstreamTimeout
        return body


_NOTHING_DONE: Final = frozenset({"NotFound", "Invalid", "Malformed"})
"""Refusals that came before anything was sent."""


def _outcome(answer: Mapping[str, Any]) -> Outcome:
    """An acquirer's answer; a refusal in which nothing was done counts as declined."""
    return Outcome("declined", "", "rejected") if "failure" in answer else Outcome(**answer)


def _card(answer: Mapping[str, Any]) -> KeptCard:
    return KeptCard(
        answer["token_id"], answer["masked_account_number"], answer["scheme"], answer["expiry_month"],
        answer["expiry_year"], answer["fingerprint"],
    )  # fmt: skip


def _sound(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, if it is none of the refusals in which nothing was done."""
    kinds = answer.get("failure", ())
    if "NotFound" in kinds:
        raise CardGone
    if "Invalid" in kinds or "Malformed" in kinds:
        raise CardRefused([Fault(_member(each["path"]), each["message"]) for each in answer["faults"]])
    if kinds:
        raise Unavailable
    return answer


def _member(path: str) -> str:
    name = path.rpartition(".")[2]
    return f"cardData.{_MEMBERS.get(name, name)}"
