"""Cards that Stripe sends us inside a forwarded request, between the worker that asked and the endpoint that is called.

The worker gives Stripe a capability to put into a header: it names account, import and an end of validity, and holds a
keyed digest over these and the id of the one card it is for. The endpoint proves it, seals what it was sent for that
import and that card, and answers the sealed form; it stores nothing and can be called twice without harm. Stripe hands
the answer to the worker, which opens it. Nobody else can, and no card can be passed off as another.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from tollgate import clock
from tollgate.crypto.keyring import CannotOpen, Keyring
from tollgate.errors import Fault, Invalid, Unauthenticated
from vault.imports.errors import RowProblem
from vault.imports.models import Entry, ForwardedCard
from vault.imports.rules import business_key_of

HEADER: Final = "x-hellgate-import"
VALID_SECONDS: Final = 600
_OWNER: Final = "import-forwarding"  # the platform's, so that a stranger's call makes no key for an account
_MEMBERS: Final = ("account_number", "expiry_month", "expiry_year", "cardholder_name")
_LONGEST: Final = 300
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_CAPABILITY: Final = re.compile(rf"({_UUID})\.({_UUID})\.([0-9]{{1,12}})\.([0-9a-f]{{64}})")


class Forwarding:
    """Makes capabilities and opens cards on the one side, receives cards on the other."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def capability(self, account_id: str, import_id: str, business_key: str) -> str:
        """The header value that lets one card of one import come in, for ten minutes."""
        end = clock.epoch() + VALID_SECONDS
        return f"{account_id}.{import_id}.{end}.{self._proof(account_id, import_id, end, business_key)}"

    def receive(self, capability: str | None, body: object) -> ForwardedCard:
        """Seal a card for the import that asked for it.

        Raises:
            Unauthenticated: no capability, or one that is over or for another card.
            Invalid: the members are not those that were asked for.
        """
        members = body if isinstance(body, dict) else {}
        named = members.get("business_key")
        key = business_key_of(Entry(1, named if isinstance(named, str) else None))
        found = _CAPABILITY.fullmatch(capability or "")
        if found is None or key is None:
            raise Unauthenticated
        account_id, import_id, end, proof = found.groups()
        expected = self._proof(account_id, import_id, int(end), key)
        if not hmac.compare_digest(proof, expected) or int(end) < clock.epoch():
            raise Unauthenticated
        payload = json.dumps(_card_in(members)).encode()
        sealed = self._keyring.seal(account_id, _bound_to(import_id, key), payload)
        return {"business_key": key, "sealed_card": base64.b64encode(sealed).decode()}

    def open(self, account_id: str, import_id: str, business_key: str, sealed_card: str) -> Mapping[str, Any]:
        """What was received for this card.

        Raises:
            RowProblem: it was sealed for another card or import, or changed on its way.
        """
        try:
            sealed = base64.b64decode(sealed_card, validate=True)
            opened: Mapping[str, Any] = json.loads(
                self._keyring.open(account_id, _bound_to(import_id, business_key), sealed)
            )
        except (CannotOpen, binascii.Error, ValueError):
            raise RowProblem("destination_error", "The card was changed on its way") from None
        return opened

    def _proof(self, account_id: str, import_id: str, end: int, business_key: str) -> str:
        message = f"{account_id}\n{import_id}\n{end}\n{business_key}"
        return self._keyring.digest(_OWNER, "capability", message.encode())


def _card_in(members: Mapping[str, Any]) -> dict[str, Any]:
    """The card's members, of plausible types; whether the card is good is for the worker to say."""
    card = {name: members.get(name) for name in _MEMBERS}
    faults = [
        Fault(f"$.{name}", "must be a string or a whole number")
        for name, value in card.items()
        if not (value is None or type(value) is int or (isinstance(value, str) and len(value) <= _LONGEST))
    ]
    if faults:
        raise Invalid(faults)
    return card


def _bound_to(import_id: str, business_key: str) -> dict[str, str]:
    return {"record": "import-card", "import": import_id, "business_key": business_key}
