"""Pure rules of an import: what configuration, row and original id are good, and how fast a job goes.

The card itself is judged by `vault.cards`. A message never holds any part of what it is about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tollgate import luhn
from tollgate.errors import Fault, Invalid
from vault import cards
from vault.imports.errors import Reason, RowProblem
from vault.imports.models import PROVIDER, Entry, Job, Progress, SourceName

_API_KEY = re.compile(r"(?:sk|rk)_[A-Za-z0-9_]{1,250}")
_BUSINESS_KEY = re.compile(r"[A-Za-z0-9_-]{1,255}")
_NUMBER = re.compile(r"[0-9]{1,4}")
_PAST = "is in the past"
_EXPIRY = frozenset({"$.expiry_month", "$.expiry_year"})
_TYPES = frozenset({"card"})


def read_configuration(body: object) -> tuple[SourceName, str | None]:
    """The source and the API key that a request asks for.

    Raises:
        Invalid: with the path of every fault.
    """
    if not isinstance(body, dict):
        raise Invalid.at("$", "must be an object")
    faults = []
    if body.get("provider") != PROVIDER:
        faults.append(Fault("$.provider", "is required" if body.get("provider") is None else f"must be {PROVIDER}"))
    stripe = body.get("stripe")
    if not isinstance(stripe, dict):
        problem = "is required for this provider" if stripe is None else "must be an object"
        raise Invalid([*faults, Fault("$.stripe", problem)])
    source, api_key = stripe.get("source", "api"), stripe.get("api_key")
    key_problem = _api_key_problem(api_key)
    if source not in ("api", "file"):
        faults.append(Fault("$.stripe.source", "must be api or file"))
    elif source == "api" and key_problem:
        faults.append(Fault("$.stripe.api_key", key_problem))
    if faults:
        raise Invalid(faults)
    return ("file", None) if source == "file" else ("api", api_key)


def _api_key_problem(api_key: object) -> str | None:
    if api_key is None:
        return "is required"
    if not isinstance(api_key, str):
        return "must be a string"
    return None if _API_KEY.fullmatch(api_key) else "must be a secret (sk_) or restricted (rk_) key"


def business_key_of(entry: Entry) -> str | None:
    """The original id, where it is one that may be stored and shown: an id and no card number in its place."""
    key = entry.business_key
    if key is None or not _BUSINESS_KEY.fullmatch(key) or next(luhn.spans(key), None) is not None:
        return None
    return key


def check_entry(entry: Entry) -> str:
    """The original id of an entry that is a card.

    Raises:
        RowProblem: it is none, or cannot be named.
    """
    if entry.kind not in _TYPES:
        raise RowProblem("unsupported_type", "Only cards can be imported")
    key = business_key_of(entry)
    if key is None:
        raise RowProblem("source_error", "The source names no usable id for the card")
    return key


def read_card(members: Mapping[str, Any], now: datetime) -> cards.Card:
    """A good card from what a source says of it; numbers may come as text.

    Raises:
        RowProblem: `expired_card` when nothing else is wrong, else `invalid_card_data` with every broken rule.
    """
    typed = {
        "account_number": members.get("account_number"),
        "expiry_month": _whole(members.get("expiry_month")),
        "expiry_year": _whole(members.get("expiry_year")),
        "cardholder_name": members.get("cardholder_name") or None,
    }
    try:
        return cards.read_card(typed, now)
    except Invalid as broken:
        reason, message = _said(broken.faults)
    raise RowProblem(reason, message)


def _said(faults: tuple[Fault, ...]) -> tuple[Reason, str]:
    is_only_expired = all(fault.path in _EXPIRY and fault.message == _PAST for fault in faults)
    text = "; ".join(f"{fault.path.removeprefix('$.')} {fault.message}" for fault in faults)
    return ("expired_card" if is_only_expired else "invalid_card_data"), text


def _whole(value: object) -> object:
    """A short run of digits as the number it is; anything else as it came, for the card rules to refuse."""
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def progress(job: Job, now: datetime) -> Progress:
    """Rows per second since the first was worked on, and the seconds left at that rate."""
    rate_per_minute = 0
    if job.started_at is not None and job.done:
        until = datetime.fromisoformat(job.finished_at) if job.finished_at else now
        elapsed_ms = max(int((until - datetime.fromisoformat(job.started_at)).total_seconds() * 1000), 1)
        rate_per_minute = job.done * 60_000 // elapsed_ms
    left = None
    if job.status == "running" and job.listed and rate_per_minute:
        left = -(-(job.total - job.done) * 60 // rate_per_minute)
    return {
        "source": job.source,
        "total": job.total if job.listed else None,
        "rate_per_second": -(-rate_per_minute // 60),
        "seconds_left": left,
    }
