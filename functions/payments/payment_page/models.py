"""What the page shows, and where a buyer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Stage = Literal["choose", "wait", "paid", "failed"]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay that the buyer may choose; `takes_card` for one with a card form."""

    id: int
    title: str
    takes_card: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the cart."""

    name: str
    quantity: str
    amount: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """A transaction as its buyer sees it. `next_url` is where the buyer goes on, where the merchant has said so or the
    payment asks for it; `message` is why the last attempt failed."""

    space_id: int
    transaction_id: int
    stage: Stage
    amount: str
    language: str
    lines: tuple[Line, ...] = ()
    methods: tuple[Method, ...] = ()
    message: str | None = None
    next_url: str | None = None


@dataclass(frozen=True, slots=True)
class LinkPage:
    """The page that a payment link leads to. `addresses` are those that the buyer has to type, of the members `asked`;
    `typed` is what was, `problem` what is wrong with it."""

    title: str
    language: str
    addresses: tuple[str, ...]
    asked: tuple[str, ...]
    typed: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CardSession:
    """A session for one card, and what proves to us later that it was opened for this transaction."""

    session_id: str
    proof: str
