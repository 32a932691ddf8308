"""Letting a card come in without seeing it: a session for the buyer's browser, the reader of a terminal.

Both are the card zone's, by invocation. Nothing is charged here, so whatever is not an answer may be asked again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from payments.acquiring import CardGone, KeptCard
from tollgate.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Reading:
    """What a terminal has read: a card, once there is one, or that the buyer went away."""

    card: KeptCard | None
    cancelled: bool


class CardEntry:
    """The card zone's other door. `client` invokes functions, `function` is the door's name."""

    def __init__(self, client: Any, function: str) -> None:
        self._client = client
        self._function = function

    def open_session(self, tenant: str, *, lasting: bool) -> str:
        """The id of a session in which a browser hands over one card: keep it to the buyer it is for."""
        answer = self._invoke({"action": "open_session", "account_id": tenant, "lasting": lasting})
        return str(answer["session_id"])

    def came_of(self, tenant: str, session_id: str) -> KeptCard | None:
        """The card of a session; None while it has none.

        Raises:
            CardGone: there is no such session of the tenant's, or its card is not kept any more.
        """
        return _card(self._invoke({"action": "read_session", "account_id": tenant, "session_id": session_id})["card"])

    def read_card(self, tenant: str, amount: int, seconds: int) -> Reading:
        """What a terminal has read so many seconds after it was told an amount in minor units."""
        asked = {"action": "read_card", "account_id": tenant, "amount": amount, "seconds": seconds}
        answer = self._invoke(asked)
        return Reading(_card(answer["card"]), answer["cancelled"])

    def _invoke(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Raises:
        CardGone, Unavailable: the card zone refused, or did not answer.
        """
        try:
            answer = self._client.invoke(
                FunctionName=self._function, InvocationType="RequestResponse", Payload=json.dumps(payload)
            )
            made = json.loads(answer["Payload"].read())
        except Exception:
            raise Unavailable from None
        if "FunctionError" in answer or not isinstance(made, dict):
            raise Unavailable
        if "NotFound" in made.get("failure", ()):
            raise CardGone
        if "failure" in made:
            raise Unavailable
        return made


def _card(described: dict[str, Any] | None) -> KeptCard | None:
    return KeptCard(**{name: described[name] for name in KeptCard.__slots__}) if described else None
