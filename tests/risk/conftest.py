"""Fixtures of the risk family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.risk.instances import Instance, MakeInstance


@pytest.fixture
def make_instance(provision: Callable[..., dict[str, Any]]) -> MakeInstance:
    """Makes risk instances, each with a new account."""

    def make(edition: str = "core", pci_level: str = "SAQ_D") -> Instance:
        account = provision("create_account", name="risk", risk={"edition": edition, "pci_level": pci_level})
        risk = account["risk"]
        return Instance(account["id"], risk["client_id"], risk["client_secret"], risk["audience"])

    return make


@pytest.fixture
def instance(make_instance: MakeInstance) -> Instance:
    return make_instance()
