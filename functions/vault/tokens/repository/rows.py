"""The items of tokens: keys, rows of lists, and how an item becomes a token and back. Reads and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, cast

from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.listing import Page, Selection
from vault.tokenisation import Status as NetworkTokenStatus
from vault.tokens.errors import TokenNotFound
from vault.tokens.models import CardScheme, Token, view

DUE_SHARDS = 8
SEALED_ATTRIBUTES = ("card", "network_token")
KEY = ("pk", "sk")

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
            facet(scheme, status)
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


class TokenChanged(Exception):
    """Another writer changed the token since it was read; read again."""


def refused(item: Item) -> Exception:
    return TokenChanged() if item.get("state") == "live" else TokenNotFound()


def token_key(account_id: str, token_id: str) -> str:
    return f"TOKEN#{account_id}#{token_id}"


def business_key_key(token: Token) -> tuple[str, str]:
    return f"TOKENS#{token.account_id}#KEY#{token.business_key}", f"{token.sequence:012d}"


def due_key(token: Token) -> tuple[str, str]:
    return tokens_due(shard_of(token.account_id)), f"{token.expires_at}#{token.account_id}#{token.id}"


def due_from(row: Item) -> Due:
    _, account_id, token_id = str(row["sk"]).split("#")
    return Due(row["pk"], row["sk"], account_id, token_id)


def sealed_from(item: Item) -> Sealed:
    return Sealed(item["id"], {name: item[name] for name in SEALED_ATTRIBUTES if name in item})


def tokens_due(shard: int) -> str:
    return f"TOKENS-DUE#{shard}"


def codes_due(shard: int) -> str:
    return f"CODES-DUE#{shard}"


def shard_of(account_id: str) -> int:
    return int(account_id[:2], 16) % DUE_SHARDS


def until_the_end_of(moment: str) -> str:
    """The end of a range that takes in every entry of this moment: `$` follows `#`."""
    return f"{moment}$"


def epoch_key(seconds: int) -> str:
    return f"{seconds:012d}"


def facet(scheme: str, status: str) -> str:
    return _SCHEME_CODES[scheme] + _STATUS_CODES[status]


def facet_of(token: Token) -> str:
    return facet(token.scheme, token.network_token_status)


def list_row(token: Token) -> dict[str, Any]:
    """A list row: the public form as JSON text, and what a page is cut by."""
    text = json.dumps(view(token), separators=(",", ":"), ensure_ascii=False)
    return {
        "view": text,
        "id": token.id,
        "expires_at": token.expires_at,
        "facet": facet_of(token),
        "created_at": token.created_at,
        "import_provider": token.import_provider,
        "business_key": token.business_key,
    }


def matches(row: Item, selection: Selection) -> bool:
    created = str(row["created_at"])
    return (
        (selection.facets is None or row["facet"] in selection.facets)
        and (selection.created_from is None or created >= stamp(selection.created_from))
        and (selection.created_to is None or created <= stamp(selection.created_to))
        and not is_past(row.get("expires_at"))
    )


def stamp(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def is_past(expires_at: str | None) -> bool:
    return expires_at is not None and expires_at <= stamp(clock.now())


MEMBERS = tuple(field.name for field in fields(Token))


def to_item(token: Token) -> Item:
    item = {name: getattr(token, name) for name in MEMBERS}
    return {**item, "pk": token_key(token.account_id, token.id), "sk": "#"}


def from_item(item: Item) -> Token:
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
