"""Time that stands still, and an issuer that is trusted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.shared.auth.issuers import (
    HeldClock,
    Issuer,
    Setting,
)
from tests.shared.egress.peers import Peer
from tollgate import clock


@pytest.fixture
def held() -> Iterator[HeldClock]:
    held = HeldClock()
    former = clock.use(clock.Clock(lambda: held.now))
    yield held
    clock.use(former)


@pytest.fixture
def setting(held: HeldClock) -> Iterator[Setting]:
    issuer = Issuer()
    with Peer(issuer) as peer:
        yield Setting(peer, issuer)
