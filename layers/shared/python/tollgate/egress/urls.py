"""Reading a URL strictly, and comparing it with the prefixes that an account may call.

Two programs that read one URL differently are how a guard is walked around, so there is one reading here and everything
that two parsers could see differently is refused, not repaired: userinfo, fragments, backslashes, control characters,
odd ports, numeric hosts in any spelling but the plain one. Nothing here resolves a name or judges an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from tollgate.egress.failures import TargetRefused

MAX_URL_CHARACTERS: Final = 2048
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MAX_NAME_CHARACTERS: Final = 253
_MAX_PORT: Final = 65535
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^/?:\[\]@%]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[^?]*)?(?P<query>\?.*)?",
    re.IGNORECASE | re.ASCII,
)
_VISIBLE: Final = re.compile(r"[\x21-\x7e]*")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
# Letters that the generations of IDNA read differently (UTS 46, section 7): sharp s, final sigma, joiners, fillers.
_DISPUTED: Final = frozenset("\u00df\u1e9e\u03c2\u200c\u200d\u115f\u1160\u17b4\u17b5")
_UNRESERVED: Final = "-._~!$&'()*+,;=:@"


class Location(NamedTuple):
    """A URL in its one reading: scheme in lower case, ASCII name without a final dot (or an address), always a port."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    is_address: bool

    @property
    def bracketed_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def host_and_port(self) -> str:
        return f"{self.bracketed_host}:{self.port}"

    @property
    def request_target(self) -> str:
        """Path and query as they were written: they go on the wire unchanged."""
        return self.path + self.query


def read(url: str) -> Location:
    """Read an absolute http or https URL. Raises TargetRefused."""
    if not 0 < len(url) <= MAX_URL_CHARACTERS:
        raise TargetRefused("length")
    if "\\" in url or "#" in url:
        raise TargetRefused("form")
    match = _URL.fullmatch(url)
    if match is None:
        raise TargetRefused("form")
    scheme, path, query = match["scheme"].lower(), match["path"] or "/", match["query"] or ""
    if not _VISIBLE.fullmatch(path + query):
        raise TargetRefused("characters")
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if port > _MAX_PORT:
        raise TargetRefused("port")
    host, is_address = _host(match["host"])
    return Location(scheme, host, port, path, query, is_address)


def _host(written: str) -> tuple[str, bool]:
    """The host in its one spelling, and whether it is an address."""
    if written.startswith("["):
        try:
            return str(IPv6Address(written[1:-1])), True
        except AddressValueError:
            raise TargetRefused("host") from None
    name = _ascii_name(written).lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > _MAX_NAME_CHARACTERS or not all(_LABEL.fullmatch(label) for label in labels):
        raise TargetRefused("host")
    if not _NUMERIC.fullmatch(labels[-1]):
        return name, False
    # A last label that is a number makes the whole an IPv4 address to most programs, in many spellings
    # (0x7f.1, 0177.0.0.1, 2130706433); only the plain one is read.
    try:
        address = str(IPv4Address(written))
    except AddressValueError:
        raise TargetRefused("host") from None
    return address, True


def _ascii_name(written: str) -> str:
    """The name as DNS knows it. Other scripts go through IDNA, where old and new rules agree, or are refused."""
    if written.isascii():
        return written
    if len(written) > _MAX_NAME_CHARACTERS:
        raise TargetRefused("host")
    import stringprep  # rare, and its tables are large
    from unicodedata import normalize

    letters = normalize("NFKC", written)
    # The codec knows IDNA 2003: a letter younger than its tables would pass through it unmapped.
    if any(letter in _DISPUTED or stringprep.in_table_a1(letter) for letter in letters):
        raise TargetRefused("host")
    try:
        name = letters.encode("idna")
        shown = name.decode("idna")
    except UnicodeError:
        raise TargetRefused("host") from None
    if shown.casefold() != shown:  # scripts that got a second case since then
        raise TargetRefused("host")
    return name.decode("ascii")


def is_allowed(url: str, prefixes: Iterable[str]) -> bool:
    """True when `url` lies under one of `prefixes`: same scheme, host and port, and a path at or below the prefix's.

    Paths are compared by whole segments (`/pay` covers `/pay` and `/pay/x`, not `/payments`). Under a prefix that
    has a path, a URL whose path servers may read differently (dot segments, empty segments, an escaped slash, an
    escape of an escape) is not allowed. This is the account's list only: the guard's rules hold besides.
    """
    try:
        location = read(url)
    except TargetRefused:
        return False
    return any(_covers(prefix, location) for prefix in prefixes)


def is_prefix(prefix: str) -> bool:
    """True when `prefix` can stand in a list for `is_allowed`: an absolute URL without query, with a plain path."""
    return _read_prefix(prefix) is not None


def _covers(prefix: str, location: Location) -> bool:
    base = _read_prefix(prefix)
    if base is None or (base.scheme, base.host, base.port) != (location.scheme, location.host, location.port):
        return False
    if base.path == "/":
        return True
    path = _plain_path(location.path)
    return path is not None and (path == base.path or path.startswith(base.path.removesuffix("/") + "/"))


@lru_cache(maxsize=512)
def _read_prefix(prefix: str) -> Location | None:
    try:
        location = read(prefix)
    except TargetRefused:
        return None
    path = _plain_path(location.path)
    if location.query or path is None:
        return None
    return Location(location.scheme, location.host, location.port, path, "", location.is_address)


def _plain_path(path: str) -> str | None:
    """The path with needless escapes resolved, or None where two servers could take it for two different places."""
    segments = path.split("/")[1:]
    plain = [_plain_segment(segment) for segment in segments]
    if any(segment is None for segment in plain) or "" in segments[:-1]:
        return None
    return "/" + "/".join(segment for segment in plain if segment is not None)


def _plain_segment(segment: str) -> str | None:
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return None
    # A percent sign that is left is an escape of an escape, or no escape at all.
    if any(letter in "/\\%" or not letter.isprintable() for letter in text):
        return None
    # Some servers cut path parameters off first: `..;x` is then a dot segment (and so is `;`, an empty one).
    if text.split(";")[0] in (".", "..") or text.startswith(";"):
        return None
    return quote(text, safe=_UNRESERVED)
