"""What Stripe can refuse or leave open, told apart by what it means for the money."""

from __future__ import annotations

from tollgate.errors import Invalid


class AmountUnsupported(Invalid):
    """Stripe takes no such amount in this currency; nothing was sent."""

    default_message = "The processor does not take this amount in this currency"


class Declined(Exception):
    """Stripe, or the issuer behind it, said no: `decline_code` and `code` are its words, `card` tells the issuer's no
    from Stripe's own."""

    def __init__(self, decline_code: str | None, code: str | None, *, card: bool) -> None:
        super().__init__("declined")
        self.decline_code = decline_code
        self.code = code
        self.card = card


class NothingDone(Exception):
    """The request was not carried out and may succeed later: not reached, busy, refused for its rate."""


class NobodyKnows(Exception):
    """The request was sent, and what came back does not tell what became of it."""


class KeyRefused(Exception):
    """Stripe does not take the secret key, or it lacks a permission."""
