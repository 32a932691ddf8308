"""What the issuer of a sandbox remembers of a transaction: never the account number, only its last four digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Plan = Literal["Y", "A", "N", "R", "U", "challenge", "decoupled", "silent"]
"""What happens with a card: a transaction status at once, or a way to one. *silent* is a challenge that nobody can
complete."""

State = Literal["open", "decided", "reported"]

MOST_WRONG_CODES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a transaction: its status, and what goes with it."""

    status: str
    eci: str
    authentication_value: str | None = None
    cancel: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A transaction whose cardholder is asked. `due` (seconds since 1970) is when the clock goes on with it."""

    id: str
    server_transaction_id: str
    ds_transaction_id: str
    ds_url: str
    notification_url: str
    plan: Plan
    scheme: str
    merchant_name: str
    amount: str
    purchase_date: str
    last_four: str
    due: int
    state: State = "open"
    wrong_codes: int = 0
    verdict: Verdict | None = None
