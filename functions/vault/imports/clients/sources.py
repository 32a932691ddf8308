"""The port to where cards come from, and its simulator.

A source lists entries and hands over the card of one. It must neither store nor log anything, and it says what failed
in the three ways of `vault.imports.errors`: this row, not now, not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tollgate import luhn
from vault.imports.errors import Reason, RowProblem, SourceRefused
from vault.imports.models import MOST_ROWS, Entry


@dataclass(frozen=True, slots=True)
class Listed:
    """Entries, and the position behind them from which listing can go on later."""

    entries: tuple[Entry, ...]
    position: str


class Source(Protocol):
    """Where the cards of one job come from.

    `rows_per_chunk` is how many rows a worker takes on at once, `fetches_at_once` how many cards may be asked for in
    parallel. `is_proven_at_its_end` says that what was listed holds only once the end was reached without an error.
    """

    rows_per_chunk: int
    fetches_at_once: int
    is_proven_at_its_end: bool

    def listing(self, after: str | None) -> Iterator[Listed]:
        """What comes after a position, in an order that stays.

        Raises:
            SourceBusy, SourceRefused.
        """

    def fetch(self, entry: Entry) -> Mapping[str, Any]:
        """The members of the entry's card, as `vault.cards` names them.

        Raises:
            RowProblem, SourceBusy, SourceRefused.
        """


_CARDS: Final[tuple[tuple[str, str], ...]] = (
    ("visa", "4242424242424242"),
    ("mastercard", "5555555555554444"),
    ("amex", "378282246310005"),
    ("discover", "6011111111111117"),
    ("diners", "36227206271667"),
    ("jcb", "3566002020360505"),
    ("unionpay", "6200000000000005"),
)
_PROBLEMS: Final[tuple[tuple[str, Reason, str], ...]] = (
    ("destination", "destination_error", "The card could not be handed over"),
    ("source", "source_error", "The source has no such card"),
    ("ratelimited", "rate_limited", "The source kept refusing for too many requests"),
    ("unknown", "unknown", "An unforeseen error"),
)
_LAST_YEAR: Final = 2020
_GOOD_YEAR: Final = 2040
_SIZED: Final = "sk_test_simulate_"
_MOST_SIMULATED: Final = 100_000


class SimulatedSource:
    """Fifteen rows that show every outcome there is, the same each time; the API key decides.

    `sk_test_simulate_<n>` makes n good cards instead, for a look at progress, abort and speed. A key that ends in
    `_refused` is refused, as a revoked one is.
    """

    rows_per_chunk = 100
    fetches_at_once = 1
    is_proven_at_its_end = False

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def listing(self, after: str | None) -> Iterator[Listed]:
        if self._api_key.endswith("_refused"):
            raise SourceRefused("The API key was refused")
        for entry in self._entries(int(after or 0)):
            yield Listed((entry,), str(entry.row))

    def fetch(self, entry: Entry) -> Mapping[str, Any]:
        if entry.card is not None:
            return entry.card
        for name, reason, message in _PROBLEMS:
            if entry.business_key == f"pm_simulated_{name}":
                raise RowProblem(reason, message)
        raise RowProblem("source_error", "The source has no such card")

    def _entries(self, after: int) -> Iterator[Entry]:
        count = self._api_key.removeprefix(_SIZED)
        if count != self._api_key and count.isascii() and count.isdigit():
            for row in range(after + 1, min(int(count[:7]), _MOST_SIMULATED, MOST_ROWS) + 1):
                yield Entry(row, f"pm_simulated_{row}", card=_card(numbered_pan(row)))
        else:
            yield from _every_outcome()[after:]


def _every_outcome() -> list[Entry]:
    made = [(f"pm_simulated_{name}", "card", _card(pan)) for name, pan in _CARDS]
    made.append(("pm_simulated_visa", "card", _card(_CARDS[0][1])))  # the same id again: a duplicate
    made.append(("pm_simulated_invalid", "card", _card("4242424242424241")))
    made.append(("pm_simulated_expired", "card", {**_card(_CARDS[0][1]), "expiry_year": _LAST_YEAR}))
    rows = [Entry(row, key, kind, card) for row, (key, kind, card) in enumerate(made, 1)]
    rows.append(Entry(len(rows) + 1, "pm_simulated_debit", "sepa_debit"))
    rows += [Entry(len(rows) + n, f"pm_simulated_{name}") for n, (name, _, _) in enumerate(_PROBLEMS, 1)]
    return rows


def _card(pan: str) -> dict[str, Any]:
    return {"account_number": pan, "expiry_month": 12, "expiry_year": _GOOD_YEAR, "cardholder_name": "Jane Doe"}


def numbered_pan(number: int) -> str:
    """The n-th card number of an endless row of good ones."""
    payload = f"424242{number:09d}"
    return payload + luhn.check_digit(payload)
