"""The PCI export file as a source: an OpenPGP message with a CSV table or, by assumption, a JSON list of customers.

Columns as Stripe documents them: `id` (the customer), `card.id`, `card.number`, `card.exp_month`, `card.exp_year`,
`card.name`, and others that are not read. JSON is taken as a list of customers or `{"customers": [...]}`, each with
`card` or `cards`. Rows hold their cards, so nothing has to be fetched; nothing in clear leaves this process.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from vault.imports.clients.openpgp import Undecryptable
from vault.imports.clients.sources import Listed
from vault.imports.errors import RowProblem, SourceRefused
from vault.imports.models import MOST_ROWS, Entry

_MOST_JSON_BYTES: Final = 64 * 1024 * 1024
_REQUIRED: Final = ("card.number", "card.exp_month", "card.exp_year")
_IDS: Final = ("card.id", "default_source")
_MEMBERS: Final = {
    "account_number": "number", "expiry_month": "exp_month", "expiry_year": "exp_year", "cardholder_name": "name",
}  # fmt: skip
_UNREADABLE: Final = "The file could not be decrypted: it is damaged, or encrypted to another key"
_NOT_A_TABLE: Final = "The file is neither a CSV table with the columns of an export nor a JSON list of customers"

Opened = Callable[[], AbstractContextManager[io.BufferedReader]]
"""Begins to decrypt the file, from its start."""


class ExportFile:
    """The rows of one uploaded file."""

    rows_per_chunk = 400
    fetches_at_once = 1
    is_proven_at_its_end = True

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def listing(self, after: str | None) -> Iterator[Listed]:
        try:
            with self._opened() as clear:
                is_empty = not clear.peek(1)
                if not is_empty:
                    yield from _after(_entries(clear), int(after or 0))
        except Undecryptable:
            raise SourceRefused(_UNREADABLE) from None
        except (csv.Error, UnicodeError, ValueError, RecursionError):
            raise SourceRefused(_NOT_A_TABLE) from None
        if is_empty:
            raise SourceRefused(_NOT_A_TABLE)

    def fetch(self, entry: Entry) -> Mapping[str, Any]:
        if entry.card is None:
            raise RowProblem("source_error", "The row holds no card")
        return entry.card


def _after(entries: Iterator[Entry], skipped: int) -> Iterator[Listed]:
    for entry in entries:
        if entry.row > MOST_ROWS:
            raise SourceRefused(f"The file has more than {MOST_ROWS} cards")
        if entry.row > skipped:
            yield Listed((entry,), str(entry.row))


def _entries(clear: io.BufferedReader) -> Iterator[Entry]:
    beginning = clear.peek(1)[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if beginning[:1] in (b"[", b"{"):
        return _of_json(clear)
    return _of_csv(clear)


def _of_csv(clear: io.BufferedReader) -> Iterator[Entry]:
    text = io.TextIOWrapper(clear, "utf-8-sig", newline="")
    try:
        rows = csv.DictReader(text)
        if not set(_REQUIRED) <= set(rows.fieldnames or ()):
            raise SourceRefused(_NOT_A_TABLE)
        for number, row in enumerate(rows, 1):
            card = {member: row.get(f"card.{column}") or None for member, column in _MEMBERS.items()}
            key = next((row[name] for name in _IDS if row.get(name)), None)
            yield Entry(number, key, card=card)
    finally:
        text.detach()  # or it would close what is not its own


def _of_json(clear: io.BufferedReader) -> Iterator[Entry]:
    text = clear.read(_MOST_JSON_BYTES + 1)
    if len(text) > _MOST_JSON_BYTES:
        raise SourceRefused(f"A JSON export may have {_MOST_JSON_BYTES} bytes; ask for CSV")
    document = json.loads(text)
    customers = document.get("customers") if isinstance(document, dict) else document
    if not isinstance(customers, list):
        raise SourceRefused(_NOT_A_TABLE)
    cards = (card for customer in customers if isinstance(customer, dict) for card in _cards_of(customer))
    for number, card in enumerate(cards, 1):
        members = {member: card.get(column) for member, column in _MEMBERS.items()}
        key = card.get("id")
        yield Entry(number, key if isinstance(key, str) else None, card=members)


def _cards_of(customer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    several = customer.get("cards", customer.get("card"))
    listed = several if isinstance(several, list) else [several]
    return [card for card in listed if isinstance(card, dict)]
