"""Tokens that sign one request: HS256 JWTs over method and target, made by the client with a key of a user.

Source: "Authentication" of the payments API reference and what its published clients send (header `typ`, `type` or
both; `ver` 1 or "1"; `sub` as text or number). Everything that can be told without a key is checked before one is
looked for, with a message that says what is wrong: it concerns only what the sender wrote. Whether the user exists, is
active and made the signature is for the caller of this module, who must not let these be told apart. Pure; the time is
the wall's, because the client's clock follows no sandbox.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeGuard
from urllib.parse import unquote

from tollgate import clock
from tollgate.errors import Unauthenticated

KEY_BYTES: Final = 32
OLDEST_SECONDS: Final = 300
NEWEST_SECONDS: Final = 60
"""How far `iat` may be behind and ahead of our clock."""

LONGEST_TOKEN: Final = 8192
LARGEST_ID: Final = (1 << 63) - 1
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+)")
_ID: Final = re.compile(r"[1-9][0-9]{0,18}")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_MILLISECONDS: Final = 100_000_000_000
_NEVER_DECODED: Final = frozenset(b"&=+#%?/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_NOBODYS_KEY: Final = bytes(KEY_BYTES)


class RequestNotSigned(Unauthenticated):
    """The request carries no token that could hold; the message says why, in words about the token alone."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A token whose claims fit the request. Nothing is proved until one of the user's keys made the signature."""

    user_id: int
    signed: bytes
    signature: bytes

    def is_signed_by(self, keys: Iterable[bytes]) -> bool:
        """Whether one of the keys made the signature. Without a key it takes as long as with a wrong one."""
        found = False
        for key in list(keys) or [_NOBODYS_KEY]:
            made = hmac.new(key, self.signed, hashlib.sha256).digest()
            found |= hmac.compare_digest(made, self.signature) and key is not _NOBODYS_KEY
        return found


def read(authorization: str | None, method: str, path: str, raw_query: str) -> SignedRequest:
    """The token of a request, its claims held against the request.

    `path` and `raw_query` are the target as the gateway hands it over.

    Raises:
        RequestNotSigned: no bearer token, or one that no key could make right.
    """
    found = _BEARER.fullmatch((authorization or "").strip(" \t"))
    if found is None:
        raise RequestNotSigned("The Authorization header must hold one bearer token")
    token = found[1]
    parts = token.split(".")
    if len(token) > LONGEST_TOKEN or len(parts) != 3 or not all(_SEGMENT.fullmatch(part) for part in parts):
        raise RequestNotSigned("The token must be a compact JWS")
    _check_header(_object(parts[0]))
    claims = _object(parts[1])
    _check_times(claims)
    if claims.get("requestMethod") != method:
        raise RequestNotSigned("The claim requestMethod is not the method of the request, in upper case")
    claimed = claims.get("requestPath")
    if not isinstance(claimed, str) or not is_target(claimed, path, raw_query):
        raise RequestNotSigned("The claim requestPath is not the path and query of the request as sent")
    signed = f"{parts[0]}.{parts[1]}".encode("ascii")
    return SignedRequest(_user_id(claims.get("sub")), signed, _bytes(parts[2]))


def is_target(claimed: str, path: str, raw_query: str) -> bool:
    """Whether a claimed target is the one received, byte for byte.

    Two things the gateway does not tell, and they are granted: a `?` with nothing behind it and, in the path alone,
    whether a character was escaped that clients may escape or not (docs/decisions/0032-payments-access.md).
    """
    target = f"{path}?{raw_query}" if raw_query else path
    if claimed == target or (not raw_query and claimed == f"{path}?"):
        return True
    claimed_path, _, claimed_query = claimed.partition("?")
    if "%" not in claimed_path or claimed_query != raw_query:
        return False
    return _plain(claimed_path) == path


def _plain(path: str) -> str | None:
    """A path without its escapes; None where it escapes what nobody need escape, or what would read differently."""
    if any(int(digits, 16) in _NEVER_DECODED for digits in _ESCAPE.findall(path)):
        return None
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError:
        return None


def _check_header(header: Mapping[str, Any]) -> None:
    if header.get("alg") != "HS256":
        raise RequestNotSigned("The header's alg must be HS256")
    if "crit" in header:
        raise RequestNotSigned("The header must not have crit")
    kinds = [header[name] for name in ("typ", "type") if name in header]
    if not kinds or any(kind != "JWT" for kind in kinds):
        raise RequestNotSigned("The header's typ (or type) must be JWT")
    version = header.get("ver")
    if isinstance(version, bool) or not isinstance(version, (int, str)) or version not in {1, "1"}:
        raise RequestNotSigned("The header's ver must be 1")


def _check_times(claims: Mapping[str, Any]) -> None:
    now = int(clock.wall().timestamp())
    issued = claims.get("iat")
    if not _is_whole(issued):
        raise RequestNotSigned("The claim iat must be a UNIX time in whole seconds")
    if issued >= _MILLISECONDS:
        raise RequestNotSigned("The claim iat must be in seconds, not in milliseconds")
    if not now - OLDEST_SECONDS <= issued <= now + NEWEST_SECONDS:
        raise RequestNotSigned(f"The claim iat must be at most {OLDEST_SECONDS} s old and {NEWEST_SECONDS} s ahead")
    expires, begins = claims.get("exp"), claims.get("nbf")
    if "exp" in claims and (not _is_whole(expires) or expires <= now):
        raise RequestNotSigned("The token has expired")
    if "nbf" in claims and (not _is_whole(begins) or begins > now + NEWEST_SECONDS):
        raise RequestNotSigned("The token is not valid yet")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _user_id(subject: object) -> int:
    text = str(subject) if isinstance(subject, int) and not isinstance(subject, bool) else subject
    if not isinstance(text, str) or not _ID.fullmatch(text) or int(text) > LARGEST_ID:
        raise RequestNotSigned("The claim sub must be the id of an application user")
    return int(text)


def _object(segment: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(segment).decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise RequestNotSigned("The token must be made of JSON objects without repeated members") from None
    if not isinstance(value, dict):
        raise RequestNotSigned("The token must be made of JSON objects without repeated members")
    return value


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) != len(members):
        raise ValueError
    return made


def _refuse(_: str) -> NoReturn:
    raise ValueError


def _bytes(segment: str) -> bytes:
    try:
        return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise RequestNotSigned("The token must be a compact JWS") from None
