"""Which headers of a passing request go on to the destination, and which of its own come back. Pure.

`Authorization` is addressed to us; the destination's own comes in `x-destination-authorization`. What belongs to one
connection (RFC 9110, 7.6.1) or was added by the gateway in front of us stays here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from risk.interceptors.models import Relayed
from tollgate.errors import Malformed

MOST_ANSWER_HEADER_BYTES: Final = 8192
"""The gateway in front of us takes about ten thousand bytes of headers, ours included."""

DECISION_HEADER: Final = "x-specter-decision-id"
RELAYED_MARK: Final = "x-tollgate-relayed"
"""On every answer that is the destination's, so that its 403 is told from ours."""

AUTHORIZATION: Final = "x-destination-authorization"
PAYMENT_TYPE: Final = "payment-type"

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OF_A_CONNECTION: Final = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_NOT_PASSED_ON: Final = _OF_A_CONNECTION | {
    "accept-encoding", "authorization", "cookie", "forwarded", AUTHORIZATION, PAYMENT_TYPE,
}  # fmt: skip
_GATEWAY_PREFIXES: Final = ("x-forwarded-", "x-amzn-", "proxy-")
# What a destination says of its own host would be taken for a statement about ours.
_NOT_RELAYED: Final = _OF_A_CONNECTION | {
    "alt-svc", "content-encoding", "strict-transport-security", RELAYED_MARK, DECISION_HEADER,
}  # fmt: skip


def to_send(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of the request to the destination, from the caller's (lower-case names).

    Raises:
        Malformed: one cannot be sent.
    """
    nominated = {each.strip().lower() for each in headers.get("connection", "").split(",")}
    kept = [
        (name, value)
        for name, value in headers.items()
        if name not in _NOT_PASSED_ON | nominated and not name.startswith(_GATEWAY_PREFIXES)
    ]
    if AUTHORIZATION in headers:
        kept.append(("authorization", headers[AUTHORIZATION]))
    for name, value in kept:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Malformed("A header cannot be sent on", path="header")
    return kept


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
