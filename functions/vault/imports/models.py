"""Shapes of the import resource ("Stripe Backup" in the reference), of its records and of its queue messages.

`attemts` is spelled as the reference spells it. What is beyond the reference (`finished_at`, `progress`, `upload`) is
added beside its members and changes none of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict

from tollgate.dialects.vault import Pagination
from vault.imports.errors import Reason

Status = Literal["preparing", "running", "finished", "aborted"]
SourceName = Literal["api", "file", "simulator"]

PROVIDER: Final = "stripe"
REDACTED: Final = "[REDACTED]"
MOST_ROWS: Final = 1_000_000

CREATE_IMPORT: Final[dict[str, Any]] = {
    "title": "CreateImport",
    "type": "object",
    "required": ["provider"],
    "properties": {
        "provider": {"type": "string", "enum": [PROVIDER], "description": "Where the cards come from"},
        "stripe": {
            "type": "object",
            "description": "Required for the provider stripe",
            "properties": {
                "api_key": {
                    "type": "string",
                    "pattern": "^(sk|rk)_[A-Za-z0-9_]{1,250}$",
                    "description": "A secret or restricted key; required unless `source` is `file`. Never shown again",
                },
                "source": {
                    "type": "string",
                    "enum": ["api", "file"],
                    "default": "api",
                    "description": "`api` lists and forwards the cards; `file` takes an encrypted PCI export",
                },
            },
        },
    },
    "example": {"provider": "stripe", "stripe": {"api_key": "sk_test_0000000000000000"}},
}


FORWARDED_REQUEST: Final[dict[str, Any]] = {
    "title": "ForwardedRequest",
    "type": "object",
    "required": ["business_key", "account_number"],
    "properties": {
        "business_key": {"type": "string", "description": "The id of the card at Stripe"},
        "account_number": {"type": "string"},
        "expiry_month": {"type": ["string", "integer"]},
        "expiry_year": {"type": ["string", "integer"]},
        "cardholder_name": {"type": ["string", "null"]},
    },
}


class StripeView(TypedDict):
    """The configuration as it may be shown."""

    api_key: NotRequired[Annotated[str, "always [REDACTED]"]]
    source: NotRequired[Literal["file"]]


class Progress(TypedDict):
    """How far the job is. `total` is null until the source has been listed to its end, and so is `seconds_left`."""

    source: SourceName
    total: int | None
    rate_per_second: int
    seconds_left: int | None


class Upload(TypedDict):
    """Where to put an export file, and the OpenPGP key (RSA, 4096 bits) to encrypt it to."""

    method: Literal["PUT"]
    url: str
    expires_at: str
    public_key: str
    fingerprint: str


class ImportView(TypedDict):
    """An import. `finished_at` is there once it has ended, `upload` while it waits for a file."""

    id: str
    created_at: str
    provider: Literal["stripe"]
    status: Status
    stripe: StripeView
    attemts: int
    successes: int
    failures: int
    finished_at: NotRequired[str]
    progress: Progress
    upload: NotRequired[Upload | None]


class FailureContext(TypedDict):
    """Which row failed and why, without anything of the card. `row` counts from 1 in the order of the source."""

    business_key: str | None
    row: int | None
    message: str


class FailureView(TypedDict):
    """A row that did not become a token."""

    reason: Reason
    context: FailureContext


class FailurePage(TypedDict):
    """A page of failures, in the order in which they were found."""

    data: list[FailureView]
    pagination: Pagination
    current_page: int
    page_size: int
    total_items: int
    total_pages: int


class ForwardedCard(TypedDict):
    """What the receiving endpoint answers: the card, sealed; only the import that asked for it can open it."""

    business_key: str
    sealed_card: str


@dataclass(frozen=True, slots=True)
class Job:
    """A stored import. `done` rows of `total` have an outcome; `listings` counts what was listed, and guards it."""

    id: str
    account_id: str
    created_at: str
    source: SourceName
    status: Status
    progressed_at: str
    successes: int = 0
    failures: int = 0
    done: int = 0
    total: int = 0
    chunks: int = 0
    listings: int = 0
    listed: bool = False
    ticket: int = 1
    position: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    api_key: bytes | None = None

    @property
    def is_active(self) -> bool:
        return self.status in ("preparing", "running")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a job, sealed in one object. Rows before `next_row` have their outcome."""

    account_id: str
    import_id: str
    number: int
    rows: int
    object: str
    next_row: int = 0

    @property
    def is_done(self) -> bool:
        return self.next_row >= self.rows


@dataclass(frozen=True, slots=True)
class Entry:
    """One card as a source lists it. `card` holds its members where the source has them, else it must be fetched."""

    row: int
    business_key: str | None
    kind: str = "card"
    card: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The outcome of a row that did not become a token."""

    reason: Reason
    message: str
    business_key: str | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of work, as it travels on the queue: names only, never content.

    `ticket` ends older chains of listing steps; `attempt` counts tries without progress.
    """

    account_id: str
    import_id: str
    action: Literal["list", "chunk", "clean"]
    number: int = 0
    ticket: int = 0
    attempt: int = 0

    def to_text(self) -> str:
        return json.dumps({name: getattr(self, name) for name in Step.__slots__}, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Step:
        """Raises ValueError for what is no step."""
        members = json.loads(text)
        if not isinstance(members, dict) or set(members) != set(Step.__slots__):
            raise ValueError("not a step")
        numbers = (members["number"], members["ticket"], members["attempt"])
        names = (members["account_id"], members["import_id"], members["action"])
        if not all(isinstance(each, str) for each in names) or not all(isinstance(each, int) for each in numbers):
            raise ValueError("not a step")
        if members["action"] not in ("list", "chunk", "clean"):
            raise ValueError("not a step")
        return cls(**members)


def failure_view(row: dict[str, Any]) -> FailureView:
    """A stored failure in its public form."""
    return {
        "reason": row["reason"],
        "context": {
            "business_key": row.get("business_key"),
            "row": row.get("row"),
            "message": row["message"],
        },
    }
