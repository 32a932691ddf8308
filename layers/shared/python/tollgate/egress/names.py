"""Resolving a host name within a deadline.

The platform's resolver cannot be told to hurry, and a hostile name server can make it wait: a look-up therefore runs on
a thread of its own and is left behind when its time is over. At most `MAX_PENDING` are left behind at once; then
names count as unresolvable for the moment. Answers are returned as they came; judging them is the guard's work.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from tollgate.egress.failures import ResolverDown, TargetRefused

Resolver = Callable[[str], Sequence[str]]
"""From a name to its IPv4 and IPv6 addresses as text; raises `socket.gaierror` as `socket.getaddrinfo` does."""

MAX_PENDING: Final = 16
_pending = threading.BoundedSemaphore(MAX_PENDING)
_NO_SUCH_NAME: Final = frozenset(
    code
    for code in (getattr(socket, name, None) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY"))
    if code is not None
)


def system_resolver(name: str) -> list[str]:
    """Ask the platform. A name with a dot is asked for as a rooted one, so that no search domain is tried with it."""
    rooted = name + "." if "." in name else name
    answers = socket.getaddrinfo(rooted, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in answers]


def lookup(resolver: Resolver, name: str, seconds: float) -> list[str]:
    """The addresses of `name`, at least one, without repetitions, in the resolver's order.

    Raises:
        TargetRefused: there is no such name, or it has no address. Not told apart from a forbidden
            address, or a sender could learn which names exist in our network.
        ResolverDown: no answer in `seconds`, or the resolver failed.
    """
    outcome = _run(resolver, name, seconds)
    if isinstance(outcome, socket.gaierror) and outcome.errno in _NO_SUCH_NAME:
        raise TargetRefused("name")
    if isinstance(outcome, UnicodeError):
        raise TargetRefused("name")
    if isinstance(outcome, Exception):
        raise ResolverDown("resolver")
    if not outcome:
        raise TargetRefused("name")
    return list(dict.fromkeys(outcome))


def _run(resolver: Resolver, name: str, seconds: float) -> Sequence[str] | Exception:
    if not _pending.acquire(blocking=False):
        raise ResolverDown("too many look-ups")
    outcomes: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            outcomes.put(resolver(name))
        except Exception as problem:  # whatever it is, the waiting thread must hear of it
            outcomes.put(problem)
        finally:
            _pending.release()

    _start(ask)
    try:
        return outcomes.get(timeout=max(seconds, 0.0))
    except Empty:
        raise ResolverDown("resolver too slow") from None


def _start(work: Callable[[], None]) -> None:
    try:
        threading.Thread(target=work, name="egress-resolver", daemon=True).start()
    except RuntimeError:
        _pending.release()
        raise ResolverDown("no thread") from None
