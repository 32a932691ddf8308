"""Tokens in DynamoDB: keys, items, conditions.

Access patterns (`pk`, `sk`):
    a token by id                             `TOKEN#<account>#<id>`,            `#`
    an account's tokens in order, counted     see `tollgate.store.listing`, name `tokens`
    tokens of one original id                 `TOKENS#<account>#KEY#<business key>`, `<sequence>`
    ephemeral tokens by when they end         `TOKENS-DUE#<shard>`,              `<expires_at>#<account>#<id>`
    a security code (ephemeral table)         `CODE#<account>#<token>`,          `#`
    codes by when they end (ephemeral table)  `CODES-DUE#<shard>`,               `<expires>#<account>#<token>`

Shards are by account, so that what is due of one account is found with one read. What there is to do at the token
service provider waits in rows of `vault.tokenisation`.

A token's rows in lists carry its public form as one JSON text, which a page hands on as it is. Every method that writes
adds to a transaction that the service commits.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, NamedTuple, cast

from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.listing import Listing, Page, Selection, Slot
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction
from vault import tokenisation
from vault.cards import ANONYMIZED
from vault.tokenisation import Status as NetworkTokenStatus
from vault.tokens.errors import TokenNotFound
from vault.tokens.models import CardScheme, Token, view

SECURITY_CODE_SECONDS = 3600
MOST_OF_ONE_BUSINESS_KEY = 1000
DUE_SHARDS = 8
MOST_DUE_READ_FOR_A_LIST = 100
MOST_DUE_COUNTED = 1000
CODES_PER_REMOVAL = 40
MOST_ONBOARDED_REMEMBERED = 10_000
SEALED_ATTRIBUTES = ("card", "network_token")

_KEY = ("pk", "sk")
_ORIGIN = ("id", "import_provider", "business_key", "created_at", "expires_at")
_SCHEME_CODES: dict[str, str] = {
    "VISA": "vi", "Mastercard": "mc", "American Express": "ax", "Discover": "di",
    "Diners Club": "dc", "JCB": "jc", "UnionPay": "up", "Unknown": "un",
}  # fmt: skip
_STATUS_CODES: dict[str, str] = {
    "active": "a", "inactive": "i", "pending": "p", "deleted": "d", "failed": "f", "not_available": "n",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tokens to list, beside page and time; None means any."""

    schemes: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
    business_key: str | None = None

    def facets(self) -> frozenset[str] | None:
        if self.schemes is None and self.statuses is None:
            return None
        return frozenset(
            _facet(scheme, status)
            for scheme in self.schemes or _SCHEME_CODES
            for status in self.statuses or _STATUS_CODES
        )


@dataclass(frozen=True, slots=True)
class Due:
    """An entry of the order in which things end: its key, and the account and token it stands for."""

    pk: str
    sk: str
    account_id: str
    token_id: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """The sealed attributes of a token."""

    token_id: str
    parts: Mapping[str, bytes]


class Origin(NamedTuple):
    """Where a token came from; a report goes through a million of them."""

    token_id: str
    import_provider: str | None
    business_key: str | None
    created_at: str


class TokenRepository:
    """Tokens of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table, ephemeral: Table) -> None:
        self._table = table
        self._ephemeral = ephemeral
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
        item = self._table.get(_pk(account_id, token_id), "#")
        if item is None or item["state"] != "live" or _is_past(item.get("expires_at")):
            return None
        return _from_item(item)

    def find_stored(self, account_id: str, token_id: str) -> Token | None:
        """A token that nobody deleted yet, past its `expires_at` or not."""
        item = self._table.get(_pk(account_id, token_id), "#")
        return _from_item(item) if item and item["state"] == "live" else None

    def due(self) -> Iterator[Due]:
        """Ephemeral tokens of all accounts whose time has come, the oldest of each shard first."""
        for shard in range(DUE_SHARDS):
            rows = self._table.scan_partition(_tokens_due(shard), high=_until(_stamp(clock.now())), project=_KEY)
            yield from map(_due_from, rows)

    def due_of(self, account_id: str) -> list[Due]:
        """Those of one account, among the oldest of its shard."""
        rows = self._table.query(
            _tokens_due(_shard_of(account_id)), high=_until(_stamp(clock.now())),
            limit=MOST_DUE_READ_FOR_A_LIST, project=_KEY,
        )  # fmt: skip
        return [due for due in map(_due_from, rows) if due.account_id == account_id]

    def count_due(self) -> int:
        """How many ephemeral tokens are past their time; of each shard no more than a thousand are counted."""
        until = _until(_stamp(clock.now()))
        return sum(
            len(self._table.query(_tokens_due(shard), high=until, limit=MOST_DUE_COUNTED, project=("sk",)))
            for shard in range(DUE_SHARDS)
        )

    def due_codes(self) -> Iterator[list[Due]]:
        """Security codes of all accounts whose time has come, in batches for `remove_codes`."""
        until = _until(_epoch_key(clock.epoch()))
        for shard in range(DUE_SHARDS):
            rows = self._ephemeral.scan_partition(_codes_due(shard), high=until, project=_KEY)
            while batch := [_due_from(row) for row in islice(rows, CODES_PER_REMOVAL)]:
                yield batch

    def page(self, account_id: str, selection: Selection, chosen: Filter) -> Page:
        """A page of public forms, as JSON texts."""
        if chosen.business_key is None:
            page = self._listing.page(account_id, selection, ("view", "expires_at"))
            return Page([row for row in page.rows if not _is_past(row.get("expires_at"))], page.total)
        return self._page_of_business_key(account_id, selection, chosen)

    def _page_of_business_key(self, account_id: str, selection: Selection, chosen: Filter) -> Page:
        """Tokens of one original id are few, so they are read, filtered and cut here."""
        rows = self._table.query(
            f"TOKENS#{account_id}#KEY#{chosen.business_key}",
            descending=selection.descending,
            limit=MOST_OF_ONE_BUSINESS_KEY,
        )
        kept = [row for row in rows if _matches(row, selection)]
        start = (selection.page - 1) * selection.limit
        return Page(kept[start : start + selection.limit], len(kept))

    def sealed_card(self, token: Token) -> bytes | None:
        """The sealed PAN of a token that still is live."""
        item = self._table.get(_pk(token.account_id, token.id), "#")
        return item.get("card") if item and item["state"] == "live" else None

    def sealed_network_token(self, token: Token) -> bytes | None:
        """The sealed network token of a token that still is live, once there is one."""
        item = self._table.get(_pk(token.account_id, token.id), "#")
        return item.get("network_token") if item and item["state"] == "live" else None

    def sealed_security_code(self, token: Token) -> bytes | None:
        """The sealed security code, while there is one that nobody has taken."""
        item = self._ephemeral.get(f"CODE#{token.account_id}#{token.id}", "#")
        return item["code"] if item and item["expires"] > clock.epoch() and "taken" not in item else None

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
        found = self._table.batch_get([(_pk(account_id, json.loads(row["view"])["id"]), "#") for row in rows])
        return (int(rows[-1]["sk"]) if rows else None), [_sealed_from(item) for item in found]

    def origins(self, account_id: str, sequence: int) -> Iterator[Origin]:
        """Every token that is there to stay, up to a place of the list, in the order of creation."""
        for row in self._listing.rows_through(account_id, sequence, _ORIGIN):
            if row.get("expires_at") is None:
                yield Origin(row["id"], row.get("import_provider"), row.get("business_key"), row["created_at"])

    def last_sequence(self, account_id: str) -> int:
        """The last place in the account's list that was given out; -1 when none was."""
        return self._listing.last_sequence(account_id)

    # ------------------------------------------------------------------ writing

    def take_security_code(self, token: Token) -> bytes | None:
        """The sealed security code for one user alone: until it is given back nobody else gets it."""
        try:
            item = self._ephemeral.update(
                f"CODE#{token.account_id}#{token.id}", "#", "SET taken = :yes",
                values={":yes": True, ":now": clock.epoch()},
                condition="expires > :now AND attribute_not_exists(taken)",
            )  # fmt: skip
        except ConditionFailed:
            return None
        return bytes(item["code"])

    def give_back_security_code(self, token: Token) -> None:
        """Let others have the code again; one that is gone meanwhile stays gone."""
        with contextlib.suppress(ConditionFailed):
            self._ephemeral.update(
                f"CODE#{token.account_id}#{token.id}", "#", "REMOVE taken", condition="attribute_exists(taken)"
            )

    def require_live(self, transaction: Transaction, token: Token) -> None:
        """Hold a transaction to the token's being live (its card is there), or refuse it with TokenNotFound."""
        transaction.check(
            self._table,
            _pk(token.account_id, token.id),
            "#",
            "attribute_exists(card)",
            refusal=lambda _: TokenNotFound(),
        )

    def replace_sealed(self, account_id: str, sealed: Sealed, attribute: str, renewed: bytes) -> bool:
        """Put a newly sealed form of the same content in the place of the old; False when it is not there any more."""
        try:
            self._table.update(
                _pk(account_id, sealed.token_id), "#", "SET #what = :new",
                names={"#what": attribute, "#state": "state"},
                values={":new": renewed, ":old": sealed.parts[attribute], ":live": "live"},
                condition="#state = :live AND #what = :old",
            )  # fmt: skip
        except ConditionFailed:
            return False
        return True

    def forget_security_code(self, token: Token) -> None:
        self._ephemeral.delete(f"CODE#{token.account_id}#{token.id}", "#")

    def forget_due(self, due: Due) -> None:
        """Drop an entry whose token is gone."""
        self._table.delete(due.pk, due.sk)

    def remove_codes(self, codes: Sequence[Due]) -> None:
        """Remove security codes and their entries; those that are gone already do not matter."""
        transaction = Transaction(self._ephemeral.client)
        for due in codes:
            transaction.delete(self._ephemeral, f"CODE#{due.account_id}#{due.token_id}", "#")
            transaction.delete(self._ephemeral, due.pk, due.sk)
        transaction.commit()

    def change(self, transaction: Transaction, before: Token, after: Token, **stored: Any) -> None:
        """Change a token that still is as `before`, in its item and in every list; `stored` are further attributes
        of the item (None removes one). Refused with TokenChanged or TokenNotFound."""
        changed = {name: getattr(after, name) for name in _MEMBERS if getattr(after, name) != getattr(before, name)}
        values = {**changed, **stored, "version": before.version + 1}
        sets = {name: value for name, value in values.items() if value is not None}
        removes = [name for name, value in values.items() if value is None]
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
        if removes:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removes)
        transaction.update(
            self._table,
            _pk(before.account_id, before.id),
            "#",
            expression,
            condition="#state = :live AND #version = :before",
            names={f"#{name}": name for name in {*values, "state", "version"}},
            values={**{f":{name}": value for name, value in sets.items()}, ":live": "live", ":before": before.version},
            refusal=_refused,
        )
        if after.business_key is not None:
            pk, sk = _business_key_key(after)
            transaction.put(self._table, {**_row(after), "pk": pk, "sk": sk})
        self._listing.move(
            transaction, before.account_id, before.sequence, _row(after), _facet_of(before), _facet_of(after)
        )

    def insert(self, transaction: Transaction, tokens: list[tuple[Slot, Token, bytes]]) -> None:
        """New tokens with their sealed PANs, listed and counted together."""
        for _, token, sealed in tokens:
            transaction.put(
                self._table,
                {**_to_item(token), "card": sealed, "state": "live"},
                condition="attribute_not_exists(pk)",
            )
            if token.business_key is not None:
                pk, sk = _business_key_key(token)
                transaction.put(self._table, {**_row(token), "pk": pk, "sk": sk})
            if token.expires_at is not None:
                pk, sk = _due_key(token)
                transaction.put(self._table, {"pk": pk, "sk": sk})
        account_id = tokens[0][1].account_id
        wanted = [token.id for _, token, _ in tokens if token.network_token_status == "pending"]
        if wanted:
            transaction.put(self._table, tokenisation.new_work("enrol", account_id, wanted).row())
        self._listing.add(transaction, account_id, [(slot, _facet_of(token), _row(token)) for slot, token, _ in tokens])

    def insert_security_code(self, transaction: Transaction, token: Token, sealed: bytes) -> None:
        """The security code, sealed, for at most 60 minutes.

        The table's own expiry may come days late, so the code also stands in the order that the sweep follows.
        """
        expires = clock.epoch() + SECURITY_CODE_SECONDS
        transaction.put(
            self._ephemeral,
            {"pk": f"CODE#{token.account_id}#{token.id}", "sk": "#", "code": sealed, "expires": expires},
        )
        transaction.put(
            self._ephemeral,
            {
                "pk": _codes_due(_shard_of(token.account_id)),
                "sk": f"{_epoch_key(expires)}#{token.account_id}#{token.id}",
                "expires": expires,
            },
        )

    def bury(self, transaction: Transaction, token: Token) -> None:
        """Soft-delete: the row stays without card, expiry and name; the sealed PAN and its key are destroyed, and the
        provider will hear that the network token ends.

        The transaction is refused with TokenNotFound when another writer was first.
        """
        transaction.update(
            self._table,
            _pk(token.account_id, token.id),
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
            refusal=_refused,
        )
        transaction.delete(self._ephemeral, f"CODE#{token.account_id}#{token.id}", "#")
        if token.business_key is not None:
            pk, sk = _business_key_key(token)
            transaction.delete(self._table, pk, sk)
        if token.expires_at is not None:
            pk, sk = _due_key(token)
            transaction.delete(self._table, pk, sk)
        if token.network_token_status in tokenisation.KNOWN_TO_PROVIDER:
            transaction.put(self._table, tokenisation.new_work("delete", token.account_id, [token.id]).row())
        self._listing.remove(transaction, token.account_id, token.sequence, _facet_of(token))


class TokenChanged(Exception):
    """Another writer changed the token since it was read; read again."""


def _refused(item: Item) -> Exception:
    return TokenChanged() if item.get("state") == "live" else TokenNotFound()


def _pk(account_id: str, token_id: str) -> str:
    return f"TOKEN#{account_id}#{token_id}"


def _business_key_key(token: Token) -> tuple[str, str]:
    return f"TOKENS#{token.account_id}#KEY#{token.business_key}", f"{token.sequence:012d}"


def _due_key(token: Token) -> tuple[str, str]:
    return _tokens_due(_shard_of(token.account_id)), f"{token.expires_at}#{token.account_id}#{token.id}"


def _due_from(row: Item) -> Due:
    _, account_id, token_id = str(row["sk"]).split("#")
    return Due(row["pk"], row["sk"], account_id, token_id)


def _sealed_from(item: Item) -> Sealed:
    return Sealed(item["id"], {name: item[name] for name in SEALED_ATTRIBUTES if name in item})


def _tokens_due(shard: int) -> str:
    return f"TOKENS-DUE#{shard}"


def _codes_due(shard: int) -> str:
    return f"CODES-DUE#{shard}"


def _shard_of(account_id: str) -> int:
    return int(account_id[:2], 16) % DUE_SHARDS


def _until(moment: str) -> str:
    """The end of a range that takes in every entry of this moment: `$` follows `#`."""
    return f"{moment}$"


def _epoch_key(seconds: int) -> str:
    return f"{seconds:012d}"


def _facet(scheme: str, status: str) -> str:
    return _SCHEME_CODES[scheme] + _STATUS_CODES[status]


def _facet_of(token: Token) -> str:
    return _facet(token.scheme, token.network_token_status)


def _row(token: Token) -> dict[str, Any]:
    """A list row: the public form as JSON text, and what a page is cut by."""
    text = json.dumps(view(token), separators=(",", ":"), ensure_ascii=False)
    return {
        "view": text,
        "id": token.id,
        "expires_at": token.expires_at,
        "facet": _facet_of(token),
        "created_at": token.created_at,
        "import_provider": token.import_provider,
        "business_key": token.business_key,
    }


def _matches(row: Item, selection: Selection) -> bool:
    created = str(row["created_at"])
    return (
        (selection.facets is None or row["facet"] in selection.facets)
        and (selection.created_from is None or created >= _stamp(selection.created_from))
        and (selection.created_to is None or created <= _stamp(selection.created_to))
        and not _is_past(row.get("expires_at"))
    )


def _stamp(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def _is_past(expires_at: str | None) -> bool:
    return expires_at is not None and expires_at <= _stamp(clock.now())


_MEMBERS = tuple(field.name for field in fields(Token))


def _to_item(token: Token) -> Item:
    item = {name: getattr(token, name) for name in _MEMBERS}
    return {**item, "pk": _pk(token.account_id, token.id), "sk": "#"}


def _from_item(item: Item) -> Token:
    return Token(
        id=item["id"],
        account_id=item["account_id"],
        created_at=item["created_at"],
        sequence=item["sequence"],
        version=item["version"],
        cardholder_name=item.get("cardholder_name"),
        expiry_month=item["expiry_month"],
        expiry_year=item["expiry_year"],
        issuer_identification_number=item["issuer_identification_number"],
        masked_account_number=item["masked_account_number"],
        scheme=cast("CardScheme", item["scheme"]),
        network_token_status=cast("NetworkTokenStatus", item["network_token_status"]),
        fingerprint=item["fingerprint"],
        expires_at=item.get("expires_at"),
        import_provider=item.get("import_provider"),
        business_key=item.get("business_key"),
        bypass_identification=item.get("bypass_identification"),
    )


def public_forms(page: Page) -> list[str]:
    """The tokens of a page, as JSON texts."""
    return [str(row["view"]) for row in page.rows]
