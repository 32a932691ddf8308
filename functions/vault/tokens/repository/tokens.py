"""Tokens in DynamoDB: keys, items, conditions.

Access patterns (`pk`, `sk`):
    a token by id                             `TOKEN#<account>#<id>`,            `#`
    an account's tokens in order, counted     see `tollgate.store.listing`, name `tokens`
    tokens of one original id                 `TOKENS#<account>#KEY#<business key>`, `<sequence>`
    ephemeral tokens by when they end         `TOKENS-DUE#<shard>`,              `<expires_at>#<account>#<id>`

Shards are by account, so that what is due of one account is found with one read. What there is to do at the token
service provider waits in rows of `vault.tokenisation`.

A token's rows in lists carry its public form as one JSON text, which a page hands on as it is. Every method that writes
adds to a transaction that the service commits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tollgate import clock
from tollgate.store.listing import Listing, Page, Selection, Slot
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction
from vault import tokenisation
from vault.cards import ANONYMIZED
from vault.tokens.errors import TokenNotFound
from vault.tokens.models import Token
from vault.tokens.repository.codes import SecurityCodeRepository
from vault.tokens.repository.rows import (
    DUE_SHARDS,
    KEY,
    MEMBERS,
    Due,
    Filter,
    Origin,
    Sealed,
    business_key_key,
    due_from,
    due_key,
    facet_of,
    from_item,
    is_past,
    list_row,
    matches,
    refused,
    sealed_from,
    shard_of,
    stamp,
    to_item,
    token_key,
    tokens_due,
    until_the_end_of,
)

MOST_OF_ONE_BUSINESS_KEY = 1000
MOST_DUE_READ_FOR_A_LIST = 100
MOST_DUE_COUNTED = 1000
MOST_ONBOARDED_REMEMBERED = 10_000
_ORIGIN = ("id", "import_provider", "business_key", "created_at", "expires_at")


class TokenRepository:
    """Tokens of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table, ephemeral: Table) -> None:
        self._table = table
        self.codes = SecurityCodeRepository(ephemeral)
        self._listing = Listing(table, "tokens")
        self._onboarded: set[str] = set()

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def allocate(self, account_id: str, count: int = 1) -> list[Slot]:
        return self._listing.allocate(account_id, count)

    @property
    def table(self) -> Table:
        return self._table

    # ------------------------------------------------------------------ reading

    def find(self, account_id: str, token_id: str) -> Token | None:
        """A live token: neither deleted nor past its `expires_at`, whether or not a sweep has been by."""
        item = self._table.get(token_key(account_id, token_id), "#")
        if item is None or item["state"] != "live" or is_past(item.get("expires_at")):
            return None
        return from_item(item)

    def find_stored(self, account_id: str, token_id: str) -> Token | None:
        """A token that nobody deleted yet, past its `expires_at` or not."""
        item = self._table.get(token_key(account_id, token_id), "#")
        return from_item(item) if item and item["state"] == "live" else None

    def due(self) -> Iterator[Due]:
        """Ephemeral tokens of all accounts whose time has come, the oldest of each shard first."""
        for shard in range(DUE_SHARDS):
            rows = self._table.scan_partition(tokens_due(shard), high=until_the_end_of(stamp(clock.now())), project=KEY)
            yield from map(due_from, rows)

    def due_of(self, account_id: str) -> list[Due]:
        """Those of one account, among the oldest of its shard."""
        rows = self._table.query(
            tokens_due(shard_of(account_id)), high=until_the_end_of(stamp(clock.now())),
            limit=MOST_DUE_READ_FOR_A_LIST, project=KEY,
        )  # fmt: skip
        return [due for due in map(due_from, rows) if due.account_id == account_id]

    def count_due(self) -> int:
        """How many ephemeral tokens are past their time; of each shard no more than a thousand are counted."""
        until = until_the_end_of(stamp(clock.now()))
        return sum(
            len(self._table.query(tokens_due(shard), high=until, limit=MOST_DUE_COUNTED, project=("sk",)))
            for shard in range(DUE_SHARDS)
        )

    def page(self, account_id: str, selection: Selection, chosen: Filter) -> Page:
        """A page of public forms, as JSON texts."""
        if chosen.business_key is None:
            page = self._listing.page(account_id, selection, ("view", "expires_at"))
            return Page([row for row in page.rows if not is_past(row.get("expires_at"))], page.total)
        return self._page_of_business_key(account_id, selection, chosen)

    def _page_of_business_key(self, account_id: str, selection: Selection, chosen: Filter) -> Page:
        """Tokens of one original id are few, so they are read, filtered and cut here."""
        rows = self._table.query(
            f"TOKENS#{account_id}#KEY#{chosen.business_key}",
            descending=selection.descending,
            limit=MOST_OF_ONE_BUSINESS_KEY,
        )
        kept = [row for row in rows if matches(row, selection)]
        start = (selection.page - 1) * selection.limit
        return Page(kept[start : start + selection.limit], len(kept))

    def sealed_card(self, token: Token) -> bytes | None:
        """The sealed PAN of a token that still is live."""
        item = self._table.get(token_key(token.account_id, token.id), "#")
        return item.get("card") if item and item["state"] == "live" else None

    def sealed_network_token(self, token: Token) -> bytes | None:
        """The sealed network token of a token that still is live, once there is one."""
        item = self._table.get(token_key(token.account_id, token.id), "#")
        return item.get("network_token") if item and item["state"] == "live" else None

    def has_merchant(self, account_id: str) -> bool:
        """Whether a merchant is onboarded. The primary one stays for good, so a yes is remembered."""
        if account_id in self._onboarded:
            return True
        if self._table.get(*tokenisation.primary_merchant_key(account_id)) is None:
            return False
        if len(self._onboarded) >= MOST_ONBOARDED_REMEMBERED:
            self._onboarded.clear()
        self._onboarded.add(account_id)
        return True

    def sealed_after(self, account_id: str, sequence: int, limit: int) -> tuple[int | None, list[Sealed]]:
        """What is sealed of up to `limit` tokens behind this place of the list, and the last place looked at."""
        rows = self._listing.rows_after(account_id, sequence, limit)
        found = self._table.batch_get([(token_key(account_id, json.loads(row["view"])["id"]), "#") for row in rows])
        return (int(rows[-1]["sk"]) if rows else None), [sealed_from(item) for item in found]

    def origins(self, account_id: str, sequence: int) -> Iterator[Origin]:
        """Every token that is there to stay, up to a place of the list, in the order of creation."""
        for row in self._listing.rows_through(account_id, sequence, _ORIGIN):
            if row.get("expires_at") is None:
                yield Origin(row["id"], row.get("import_provider"), row.get("business_key"), row["created_at"])

    def last_sequence(self, account_id: str) -> int:
        """The last place in the account's list that was given out; -1 when none was."""
        return self._listing.last_sequence(account_id)

    # ------------------------------------------------------------------ writing

    def require_live(self, transaction: Transaction, token: Token) -> None:
        """Hold a transaction to the token's being live (its card is there), or refuse it with TokenNotFound."""
        transaction.check(
            self._table,
            token_key(token.account_id, token.id),
            "#",
            "attribute_exists(card)",
            refusal=lambda _: TokenNotFound(),
        )

    def replace_sealed(self, account_id: str, sealed: Sealed, attribute: str, renewed: bytes) -> bool:
        """Put a newly sealed form of the same content in the place of the old; False when it is not there any more."""
        try:
            self._table.update(
                token_key(account_id, sealed.token_id), "#", "SET #what = :new",
                names={"#what": attribute, "#state": "state"},
                values={":new": renewed, ":old": sealed.parts[attribute], ":live": "live"},
                condition="#state = :live AND #what = :old",
            )  # fmt: skip
        except ConditionFailed:
            return False
        return True

    def forget_due(self, due: Due) -> None:
        """Drop an entry whose token is gone."""
        self._table.delete(due.pk, due.sk)

    def change(self, transaction: Transaction, before: Token, after: Token, **stored: Any) -> None:
        """Change a token that still is as `before`, in its item and in every list; `stored` are further attributes
        of the item (None removes one). Refused with TokenChanged or TokenNotFound."""
        changed = {name: getattr(after, name) for name in MEMBERS if getattr(after, name) != getattr(before, name)}
        values = {**changed, **stored, "version": before.version + 1}
        sets = {name: value for name, value in values.items() if value is not None}
        removes = [name for name, value in values.items() if value is None]
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
        if removes:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removes)
        transaction.update(
            self._table,
            token_key(before.account_id, before.id),
            "#",
            expression,
            condition="#state = :live AND #version = :before",
            names={f"#{name}": name for name in {*values, "state", "version"}},
            values={**{f":{name}": value for name, value in sets.items()}, ":live": "live", ":before": before.version},
            refusal=refused,
        )
        if after.business_key is not None:
            pk, sk = business_key_key(after)
            transaction.put(self._table, {**list_row(after), "pk": pk, "sk": sk})
        self._listing.move(
            transaction, before.account_id, before.sequence, list_row(after), facet_of(before), facet_of(after)
        )

    def insert(self, transaction: Transaction, tokens: list[tuple[Slot, Token, bytes]]) -> None:
        """New tokens with their sealed PANs, listed and counted together."""
        for _, token, sealed in tokens:
            transaction.put(
                self._table,
                {**to_item(token), "card": sealed, "state": "live"},
                condition="attribute_not_exists(pk)",
            )
            if token.business_key is not None:
                pk, sk = business_key_key(token)
                transaction.put(self._table, {**list_row(token), "pk": pk, "sk": sk})
            if token.expires_at is not None:
                pk, sk = due_key(token)
                transaction.put(self._table, {"pk": pk, "sk": sk})
        account_id = tokens[0][1].account_id
        wanted = [token.id for _, token, _ in tokens if token.network_token_status == "pending"]
        if wanted:
            transaction.put(self._table, tokenisation.new_work("enrol", account_id, wanted).row())
        self._listing.add(
            transaction, account_id, [(slot, facet_of(token), list_row(token)) for slot, token, _ in tokens]
        )

    def bury(self, transaction: Transaction, token: Token) -> None:
        """Soft-delete: the row stays without card, expiry and name; the sealed PAN and its key are destroyed, and the
        provider will hear that the network token ends.

        The transaction is refused with TokenNotFound when another writer was first.
        """
        transaction.update(
            self._table,
            token_key(token.account_id, token.id),
            "#",
            "SET #state = :buried, cardholder_name = :nobody, deleted_at = :now, version = version + :one"
            " REMOVE card, expiry_month, expiry_year, fingerprint, network_token",
            condition="#state = :live AND version = :version",
            names={"#state": "state"},
            values={
                ":buried": "deleted",
                ":live": "live",
                ":nobody": ANONYMIZED,
                ":now": clock.iso(clock.now()),
                ":one": 1,
                ":version": token.version,
            },
            refusal=refused,
        )
        self.codes.withdraw(transaction, token)
        if token.business_key is not None:
            pk, sk = business_key_key(token)
            transaction.delete(self._table, pk, sk)
        if token.expires_at is not None:
            pk, sk = due_key(token)
            transaction.delete(self._table, pk, sk)
        if token.network_token_status in tokenisation.KNOWN_TO_PROVIDER:
            transaction.put(self._table, tokenisation.new_work("delete", token.account_id, [token.id]).row())
        self._listing.remove(transaction, token.account_id, token.sequence, facet_of(token))
