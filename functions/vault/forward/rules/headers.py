"""Which headers go to the destination, and which of its own come back. Pure.

The caller's headers go on, but for those that are addressed to us, belong to one connection (RFC 9110, 7.6.1), or were
added by the gateway in front of us. A pair `x-<term>-key` (or `-name`) and `x-<term>-value` becomes one header of any
name, which is how a name that is reserved here is sent there. Nothing is filled into headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from vault.forward.errors import BadHeaders
from vault.forward.models import DESTINATION_HEADER, TOKEN_HEADER, Relayed

MOST_ANSWER_HEADER_BYTES: Final = 8192
"""The gateway in front of us takes about ten thousand bytes of headers, ours included."""

RELAYED_MARK: Final = "x-tollgate-relayed"
"""On every answer that is the destination's, so that its 403 is told from ours."""

RESERVED: Final = frozenset({"x-api-key", TOKEN_HEADER, DESTINATION_HEADER, "x-hellgate-version", "x-hellgate-account"})
_NEVER_HALF_A_PAIR: Final = RESERVED | {"x-idempotency-key"}
_HALF: Final = re.compile(r"x-(?P<term>.+)-(?P<half>key|name|value)")
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

_OF_A_CONNECTION: Final = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
# Decoding is ours, so is asking for it; cookies here are the browser's, if anybody's.
_NOT_PASSED_ON: Final = _OF_A_CONNECTION | RESERVED | {"accept-encoding", "cookie", "forwarded"}
_GATEWAY_PREFIXES: Final = ("x-forwarded-", "x-amzn-", "proxy-")
# What a destination says of its own host would be taken for a statement about ours.
_NOT_RELAYED: Final = _OF_A_CONNECTION | {
    "alt-svc", "content-encoding", "strict-transport-security", "x-hellgate-version", RELAYED_MARK,
}  # fmt: skip


def to_send(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of the request to the destination, from the caller's (lower-case names).

    Raises:
        BadHeaders: a pair without its name, two for one name, or one for a header that is not the caller's to set.
    """
    halves = _halves(headers)
    paired = _pairs(headers, halves)
    used = {name for term, found in halves.items() if "value" in found for name in found.values()}
    overridden = {name.lower() for name, _ in paired}
    nominated = {each.strip().lower() for each in headers.get("connection", "").split(",")}
    kept = [
        (name, value)
        for name, value in headers.items()
        if name not in _NOT_PASSED_ON
        and not name.startswith(_GATEWAY_PREFIXES)
        and name not in used | overridden | nominated
    ]
    for name, value in kept:
        _require_legible(name, value)
    return kept + paired


def _halves(headers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Term → which half → the header that is that half."""
    found: dict[str, dict[str, str]] = {}
    for name in headers:
        match = None if name in _NEVER_HALF_A_PAIR else _HALF.fullmatch(name)
        if match is not None:
            found.setdefault(match["term"], {})[match["half"]] = name
    return found


def _pairs(headers: Mapping[str, str], halves: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """The headers that pairs stand for. A lone `-key` or `-name` is an ordinary header, a lone `-value` a mistake."""
    made: list[tuple[str, str]] = []
    for found in halves.values():
        if "value" not in found:
            continue
        names = [found[half] for half in ("key", "name") if half in found]
        if len(names) != 1:
            raise BadHeaders.at(f"header.{found['value']}", "must have exactly one partner, -key or -name")
        name, value = headers[names[0]].strip(), headers[found["value"]].strip()
        if not _may_be_set(name):
            raise BadHeaders.at(f"header.{names[0]}", "must be the name of a header that may be set")
        _require_legible(name, value, found["value"])
        made.append((name, value))
    if len({name.lower() for name, _ in made}) != len(made):
        raise BadHeaders.at("header", "must not have two pairs for one name")
    return made


def _may_be_set(name: str) -> bool:
    lower = name.lower()
    own = lower in _OF_A_CONNECTION or lower == "accept-encoding" or lower.startswith("proxy-")
    return _NAME.fullmatch(name) is not None and not own


def _require_legible(name: str, value: str, path: str | None = None) -> None:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise BadHeaders.at(f"header.{path or name}" if _NAME.fullmatch(path or name) else "header", "cannot be sent")


def to_relay(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Relayed | None:
    """The destination's answer as the caller gets it; None when its headers are more than can be handed on.

    Repeated headers become one list (RFC 9110, 5.3), but for Set-Cookie, whose lines stay apart.
    """
    made: dict[str, str] = {}
    cookies = tuple(value for name, value in headers if name.lower() == "set-cookie")
    for name, value in _end_to_end(headers):
        made[name] = f"{made[name]}, {value}" if name in made else value
    size = sum(len(name) + len(value) + 4 for name, value in made.items()) + sum(map(len, cookies))
    if size > MOST_ANSWER_HEADER_BYTES:
        return None
    content_type = made.pop("content-type", "application/octet-stream")
    return Relayed(status, {**made, RELAYED_MARK: "true"}, cookies, content_type, body)


def _end_to_end(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        lower = name.lower()
        if lower not in _NOT_RELAYED and lower != "set-cookie" and not lower.startswith("proxy-"):
            yield lower, value
