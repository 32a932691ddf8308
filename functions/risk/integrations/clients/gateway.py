"""A Link instance over HTTP, through the egress guard.

The protocol (docs/guides/risk-backends.md):

    GET  {base_url}/api/protocols/specter-v1/backends              → {"backends": [{id, name, enabled, actions, required_fields}]}
    POST {base_url}/api/invoke/specter-v1/{action}?backend={id}    → the action's answer, or an error with its `source`

`Authorization: Bearer` where a token is kept, `Idempotency-Key` the call's reference. Of an answer `x-link-execution`
and `server-timing` are kept. Answers are read strictly: what does not hold is an error, and nothing of it is repeated.
"""  # noqa: E501 -- lines of the protocol

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import urlencode

from risk.integrations.clients.link import TIMEOUT, UNAVAILABLE, UNREACHABLE, UNSUPPORTED, UNUSABLE
from risk.integrations.models import PROTOCOL, Backend, Call, Reply
from tollgate.egress import Answer, Egress, EgressFailure, ResolverDown, TargetRefused, TimedOut
from tollgate.errors import Failure
from tollgate.models.json_body import parse_json

MOST_ANSWER_BYTES: Final = 131_072
MOST_DEPTH: Final = 16
MOST_BACKENDS: Final = 50
MOST_NAMES: Final = 50
SOURCES: Final = frozenset({"backend", "mapping", "transport", "encryption", "mock"})

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NAME: Final = re.compile(r"[\x21-\x7e]{1,200}")
_EXECUTION: Final = re.compile(r"[\x21-\x7e]{1,128}")
_TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})


class Gateway:
    """Speaks to the Link instance at `base_url`."""

    def __init__(self, egress: Egress, base_url: str, access_token: str | None) -> None:
        self._egress = egress
        self._base_url = base_url.rstrip("/")
        self._access_token = access_token

    def discover(self, timeout_ms: int) -> tuple[Backend, ...] | None:
        url = f"{self._base_url}/api/protocols/{PROTOCOL}/backends"
        try:
            answer = self._send("GET", url, timeout_ms)
        except EgressFailure:
            return None
        listed = _members(answer).get("backends") if answer.status == 200 else None
        if not isinstance(listed, list):
            return None
        read = [_backend(each) for each in listed[:MOST_BACKENDS]]
        return tuple(each for each in read if each is not None)

    def invoke(self, call: Call) -> Reply:
        query = f"?{urlencode({'backend': call.backend})}" if call.backend else ""
        url = f"{self._base_url}/api/invoke/{PROTOCOL}/{call.action}{query}"
        body = json.dumps(call.body, separators=(",", ":"), ensure_ascii=False).encode()
        started = time.perf_counter_ns()
        try:
            reply = _reply(self._send("POST", url, call.timeout_ms, body, call.reference))
        except EgressFailure as failure:
            reply = _failure(failure)
        return replace(reply, latency_ms=(time.perf_counter_ns() - started) // 1_000_000)

    def _send(
        self, method: str, url: str, timeout_ms: int, body: bytes | None = None, reference: str | None = None
    ) -> Answer:
        headers = [("accept", "application/json")]
        if self._access_token is not None:
            headers.append(("authorization", f"Bearer {self._access_token}"))
        if body is not None:
            headers.append(("content-type", "application/json"))
        if reference is not None:
            headers.append(("idempotency-key", reference))
        return self._egress.request(
            method, url, headers, body,
            deadline_seconds=timeout_ms / 1000, max_response_bytes=MOST_ANSWER_BYTES,
        )  # fmt: skip


def _failure(failure: EgressFailure) -> Reply:
    """Which rule refused a destination stays unsaid, so that nobody can map our network with backends."""
    match failure:
        case TimedOut():
            return Reply(TIMEOUT, is_transient=True)
        case TargetRefused():
            return Reply("destination_not_permitted")
        case ResolverDown():
            return Reply(UNREACHABLE, is_transient=True)
    return Reply(UNREACHABLE if not failure.sent else UNUSABLE, is_transient=True)


def _reply(answer: Answer) -> Reply:
    execution = answer.header("x-link-execution")
    about: dict[str, Any] = {
        "execution_id": execution if execution and _EXECUTION.fullmatch(execution) else None,
        "timing": timing_of(answer.header("server-timing")),
    }
    if 200 <= answer.status < 300:
        raw = {} if not answer.body else _members(answer, None)
        return Reply(UNUSABLE, **about) if raw is None else Reply(raw=raw, **about)
    return Reply(_word_for(answer), is_transient=answer.status in _TRANSIENT, **about)


def _word_for(answer: Answer) -> str:
    members = _members(answer)
    if answer.status == 404:
        return UNSUPPORTED
    if answer.status == 409:
        return "ambiguous_backend"
    if answer.status in {401, 403}:
        return "not_authorized"
    if members.get("source") in SOURCES:
        return f"{members['source']}_error"
    return UNAVAILABLE if answer.status in _TRANSIENT else UNUSABLE


def _members(answer: Answer, otherwise: Any = {}) -> Any:  # noqa: B006 -- never changed
    """The answer as a JSON object with plain numbers; `otherwise` for anything else."""
    try:
        parse_json(answer.body, MOST_DEPTH)
        value = json.loads(answer.body)
    except (Failure, ValueError):
        return otherwise
    return value if isinstance(value, dict) else otherwise


def timing_of(header: str | None) -> dict[str, int] | None:
    """`external`, `internal` and `total` milliseconds of a Server-Timing header; what is missing follows from the
    other two, or is 0."""
    found: dict[str, int] = {}
    for metric in (header or "")[:1000].split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        duration = next((part[4:].strip('"') for part in parameters if part.startswith("dur=")), None)
        if name in {"external", "internal", "total"} and duration is not None and len(duration) <= 16:
            found |= _milliseconds(name, duration)
    if not found:
        return None
    total = found.get("total", found.get("external", 0) + found.get("internal", 0))
    external = found.get("external", max(total - found.get("internal", total), 0))
    return {"external": external, "internal": found.get("internal", max(total - external, 0)), "total": total}


def _milliseconds(name: str, duration: str) -> dict[str, int]:
    try:
        value = Decimal(duration)
        return {name: round(value)} if 0 <= value < 10**9 else {}
    except InvalidOperation:
        return {}


def _backend(value: object) -> Backend | None:
    """A backend as described; None for what is no description."""
    if not isinstance(value, dict) or not _is(_ID, value.get("id")):
        return None
    name = value.get("name")
    return Backend(
        id=value["id"],
        name=name[:100] if isinstance(name, str) and name.isprintable() and name else None,
        enabled=value.get("enabled") is not False,
        actions=_names(value.get("actions")),
        required_fields=_names(value.get("required_fields")),
    )


def _names(value: object) -> tuple[str, ...]:
    return tuple(each for each in value[:MOST_NAMES] if _is(_NAME, each)) if isinstance(value, list) else ()


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
