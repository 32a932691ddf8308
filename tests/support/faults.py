"""Death in the middle of things: runs a use case and kills it at its n-th call of a cloud service.

    for death in deaths(aws.dynamodb(), attempt):   # one run per call and moment
        recover()
        check_invariants()

Killed *before* a call, the call is not made; killed *after* it, its effect stands and nobody hears of it, as when the
process or the network ends there. `Killed` is no `Exception`, so nothing that handles errors can mend it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "after")

_EVENTS: dict[Moment, str] = {"before": "before-send", "after": "after-call"}


class Killed(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Death:
    """Where a run was killed: at its `call`-th call, before or after it, and which operation that was."""

    call: int
    moment: Moment
    operation: str


@dataclass
class _Fuse:
    remaining: int
    operation: str = ""


@contextmanager
def killed_at(client: Any, call: int, moment: Moment) -> Iterator[_Fuse]:
    """Within the block, the `call`-th call that this thread makes through the client kills it."""
    fuse, thread = _Fuse(call), threading.get_ident()

    def on_call(**event: Any) -> None:
        if threading.get_ident() != thread:
            return
        fuse.remaining -= 1
        if fuse.remaining == 0:
            fuse.operation = str(event["event_name"]).rpartition(".")[2]
            raise Killed

    name = f"{_EVENTS[moment]}.{client.meta.service_model.service_id.hyphenize()}.*"
    client.meta.events.register(name, on_call)
    try:
        yield fuse
    finally:
        client.meta.events.unregister(name, on_call)


def deaths(client: Any, attempt: Callable[[], object]) -> Iterator[Death]:
    """Runs `attempt` again and again, killed at the first call, the second and so on, until it lives to its end."""
    for call in itertools.count(1):
        for moment in MOMENTS:
            with killed_at(client, call, moment) as fuse:
                try:
                    attempt()
                except Killed:
                    pass
                else:
                    return
            yield Death(call, moment, fuse.operation)
