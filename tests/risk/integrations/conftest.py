"""Fixtures of integrations: an instance of the Connect edition, and a Link instance on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.risk.instances import Instance, MakeInstance
from tests.risk.integrations.backends import LinkServer, serving


@pytest.fixture
def connect(make_instance: MakeInstance) -> Instance:
    return make_instance(edition="connect")


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[LinkServer]:
    with serving(monkeypatch.setattr) as made:
        yield made
