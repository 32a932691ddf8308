"""The one way out: every request to an address that somebody else chose goes through `Egress`.

It decides whether a URL may be called (https on port 443 at a DNS name whose every address is public), resolves the
name once, connects to an address it has checked, and lets `tollgate.egress.wire` speak. What it does not do: follow
redirects, retry, keep cookies, read proxies from the environment, or know which destinations an account has allowed
(`tollgate.egress.urls.is_allowed` is for that). docs/decisions/0004-egress-guard.md has the reasons.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from tollgate.egress import names, wire
from tollgate.egress.addresses import is_loopback, is_public
from tollgate.egress.failures import BadAnswer, EgressFailure, RequestRefused, ResolverDown, TargetRefused, TimedOut
from tollgate.egress.urls import DEFAULT_PORTS, Location, read
from tollgate.egress.wire import Answer

Connector = Callable[[str, int, float], socket.socket]
"""From an IP address, a port and a time limit in seconds to a connected socket; raises OSError."""

CHECK_SECONDS: Final = 3.0
ADMIT_SECONDS: Final = 1.0
_MAX_ADDRESSES: Final = 4
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# These belong to the connection, which is ours (RFC 9110, 7.2 and 7.6.1); so does `accept-encoding`: we decode.
_OWN_HEADERS: Final = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


class Target(NamedTuple):
    """A destination that has passed every rule, with the addresses that were checked: only they may be connected to."""

    location: Location
    addresses: tuple[str, ...]

    @property
    def host_header(self) -> str:
        place = self.location
        return place.bracketed_host if DEFAULT_PORTS[place.scheme] == place.port else place.host_and_port


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """Connect over TCP to an IP address (never a name)."""
    connected = socket.create_connection((address, port), timeout=seconds)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Trust the platform's certificate authorities; at least TLS 1.2; HTTP/1.1 and nothing else."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class Egress:
    """Calls destinations that somebody else named. Keep one per execution environment; safe to share between threads.

    `allow_targets` holds `host:port` texts (the sandbox's SANDBOX_ALLOW_TARGETS). They are exempt from the rules on
    scheme, port and names, by exactly the spelling given there, and must lie on the loopback interface. Empty outside
    a sandbox.
    """

    def __init__(
        self,
        allow_targets: Iterable[str] = (),
        *,
        resolver: names.Resolver = names.system_resolver,
        connect: Connector = connect,
        tls: Callable[[], ssl.SSLContext] = tls_context,
    ) -> None:
        self._allow_targets = frozenset(target.strip().lower() for target in allow_targets)
        self._resolver = resolver
        self._connect = connect
        self._tls = tls

    def check(self, url: str, *, deadline_seconds: float = CHECK_SECONDS) -> Target:
        """Decide whether `url` may be called now. At most one DNS look-up, no connection.

        Raises:
            TargetRefused: it may not.
            ResolverDown: its name cannot be resolved at the moment.
        """
        place = read(url)
        is_listed = place.host_and_port in self._allow_targets
        if not is_listed:
            _check_public_rules(place)
        found = [place.host] if place.is_address else names.lookup(self._resolver, place.host, deadline_seconds)
        is_permitted = is_loopback if is_listed else is_public
        if not all(is_permitted(address) for address in found):
            raise TargetRefused("address")
        return Target(place, tuple(found))

    def admit(self, url: str) -> Location:
        """Decide whether `url` may be kept, to be called later. That its name cannot be resolved at the moment is no
        reason against it, since every call is checked again.

        Raises:
            TargetRefused: it may not be called.
        """
        place = read(url)
        with contextlib.suppress(ResolverDown):
            self.check(url, deadline_seconds=ADMIT_SECONDS)
        return place

    def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        *,
        deadline_seconds: float,
        max_response_bytes: int,
    ) -> Answer:
        """Check `url`, then send one request to it and return the answer, whatever its status.

        `deadline_seconds` bounds everything together, from the look-up to the last byte. `max_response_bytes` bounds
        the body after decoding. A header may be repeated; those that belong to the connection are refused.

        Raises:
            TargetRefused, RequestRefused, ResolverDown: nothing was sent.
            TimedOut, BadAnswer: see their `sent`.
        """
        deadline = time.monotonic() + deadline_seconds
        _check_request(method, headers)
        target = self.check(url, deadline_seconds=deadline_seconds)
        own = [("host", target.host_header), ("accept-encoding", "identity"), ("connection", "close")]
        line = self._open(target, deadline, wire.budget(max_response_bytes))
        try:
            return wire.exchange(
                line, method, target.location.request_target, [*own, *headers], body, max_response_bytes
            )
        finally:
            line.hang_up()

    def _open(self, target: Target, deadline: float, budget_bytes: int) -> wire.Wire:
        """Connect to the first checked address that lets us, and shake hands where the scheme is https."""
        line = wire.Wire(self._dial(target, deadline), deadline, budget_bytes)
        if target.location.scheme == "http":
            return line
        try:
            line.start_tls(self._tls(), target.location.host)
        except (OSError, ValueError) as problem:
            line.hang_up()
            raise _opening_failure(problem, "tls") from None
        return line

    def _dial(self, target: Target, deadline: float) -> socket.socket:
        addresses = target.addresses[:_MAX_ADDRESSES]
        failure: EgressFailure = TimedOut("deadline")
        for position, address in enumerate(addresses):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut("deadline")
            try:
                # Each address gets an equal share of what is left: a silent one must not cost the others their turn.
                return self._connect(address, target.location.port, left / (len(addresses) - position))
            except OSError as problem:
                failure = _opening_failure(problem, "connect")
        raise failure


def _check_public_rules(place: Location) -> None:
    if place.scheme != "https":
        raise TargetRefused("scheme")
    if place.port != DEFAULT_PORTS["https"]:
        raise TargetRefused("port")
    if place.is_address or "." not in place.host:
        raise TargetRefused("host")


def _check_request(method: str, headers: Sequence[tuple[str, str]]) -> None:
    if method not in _METHODS:
        raise RequestRefused("method")
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise RequestRefused("header")
        if name.lower() in _OWN_HEADERS:
            raise RequestRefused("header of the connection")


def _opening_failure(problem: Exception, reason: str) -> EgressFailure:
    return TimedOut("deadline") if isinstance(problem, TimeoutError) else BadAnswer(reason)
